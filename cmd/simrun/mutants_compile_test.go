package main

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// Every planted bug compiles: who runs all of them is told last that one does not. Packages are checked
// one at a time, against the others as they are without the bug.
func TestPlantedBugsCompile(t *testing.T) {
	root, list := plantedBugs(t)
	c, err := newChecker(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		changed, err := m.apply(root)
		if err != nil {
			t.Fatal(err)
		}
		for file := range changed {
			if err := c.check(path.Dir(file), changed); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		}
	}
}

// checker finds the types of packages.
type checker struct {
	root   string
	fset   *token.FileSet
	config types.Config
	files  map[string]*ast.File // as they are
}

// newChecker has the packages built, so that others can import them.
func newChecker(root string) (*checker, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	exports := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		name, file, _ := strings.Cut(lines.Text(), "=")
		exports[name] = file
	}
	c := &checker{root: root, fset: token.NewFileSet(), files: map[string]*ast.File{}}
	c.config.Importer = importer.ForCompiler(c.fset, "gc", func(name string) (io.ReadCloser, error) { return os.Open(exports[name]) })
	return c, nil
}

// check checks the package in a folder, with files that are changed.
func (c *checker) check(dir string, changed map[string][]byte) error {
	p, err := build.ImportDir(filepath.Join(c.root, dir), 0)
	if err != nil {
		return err
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := c.parse(path.Join(dir, name), changed)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	_, err = c.config.Check(modulePath+dir, c.fset, files, nil)
	return err
}

func (c *checker) parse(name string, changed map[string][]byte) (*ast.File, error) {
	full := filepath.Join(c.root, name)
	if text, ok := changed[name]; ok {
		return parser.ParseFile(c.fset, full, text, parser.SkipObjectResolution)
	}
	if f := c.files[name]; f != nil {
		return f, nil
	}
	f, err := parser.ParseFile(c.fset, full, nil, parser.SkipObjectResolution)
	c.files[name] = f
	return f, err
}
