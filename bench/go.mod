module github.com/octopii-go/octopii/bench

go 1.26

require (
	github.com/octopii-go/octopii v0.0.0
	go.etcd.io/raft/v3 v3.7.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace github.com/octopii-go/octopii => ../
