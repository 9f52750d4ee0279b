package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// Limits of files and functions, in lines. Tests are free of them.
const (
	fileMax     = 500
	functionMax = 70
	caseMax     = 10 // of a flat switch, which may make its function longer
	besidesMax  = 15 // around that switch
	elementMax  = 25 // of a table, which may make the function that returns it longer
)

func TestFilesAndFunctionsAreShort(t *testing.T) {
	for _, name := range loadModule(t).goFiles {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := checkSize(relative(name), text)
		if err != nil {
			t.Error(err)
		}
		for _, f := range found {
			t.Error(f)
		}
	}
}

// checkSize returns what is too long in a file.
func checkSize(name string, text []byte) (found []finding, err error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	lines := func(n ast.Node) int { return fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1 }
	if n := strings.Count(string(text), "\n"); n > fileMax {
		found = append(found, finding{token.Position{Filename: name, Line: 1}, fmt.Sprintf("file of %d lines, above %d", n, fileMax)})
	}
	for _, d := range f.Decls {
		fn, isFunc := d.(*ast.FuncDecl)
		if isFunc && fn.Body != nil && lines(fn) > functionMax && !flat(fn, lines) {
			found = append(found, finding{
				fset.Position(fn.Pos()), fmt.Sprintf("function %s of %d lines, above %d", fn.Name.Name, lines(fn), functionMax),
			})
		}
	}
	return found, nil
}

// flat reports whether the function is little but one switch with short cases, or
// nothing but a table with short elements.
func flat(fn *ast.FuncDecl, lines func(ast.Node) int) bool {
	for _, stmt := range fn.Body.List {
		switch s := stmt.(type) {
		case *ast.SwitchStmt:
			if lines(fn)-lines(s) <= besidesMax {
				return allWithin(s.Body.List, caseMax, lines)
			}
		case *ast.TypeSwitchStmt:
			if lines(fn)-lines(s) <= besidesMax {
				return allWithin(s.Body.List, caseMax, lines)
			}
		case *ast.ReturnStmt:
			if len(fn.Body.List) == 1 && len(s.Results) == 1 {
				lit, isTable := s.Results[0].(*ast.CompositeLit)
				return isTable && allWithin(lit.Elts, elementMax, lines)
			}
		}
	}
	return false
}

func allWithin[N ast.Node](nodes []N, most int, lines func(ast.Node) int) bool {
	return !slices.ContainsFunc(nodes, func(n N) bool { return lines(n) > most })
}
