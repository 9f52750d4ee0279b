module github.com/octopii-go/octopii

go 1.26
