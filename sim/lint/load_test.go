package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	modulePath = "github.com/octopii-go/octopii"
	moduleRoot = "../.."
)

// listed is what go list says of a package.
type listed struct {
	ImportPath   string
	Dir          string
	Name         string
	Export       string // file with the export data
	GoFiles      []string
	CgoFiles     []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Error        *struct{ Err string }
}

// source is a parsed and type-checked package, without its tests.
type source struct {
	path  string // relative to the module
	fset  *token.FileSet
	files []*ast.File
	types *types.Package
	info  *types.Info
}

// finding is a place where a rule is broken.
type finding struct {
	pos  token.Position
	text string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.pos.Filename, f.pos.Line, f.text) }

// module is what all tests look at.
type module struct {
	own     []*listed // by import path
	exports map[string]string
	goFiles []string // every Go file but those under testdata, nested modules included
	dirs    []string // of goFiles, nested modules excluded
}

// load reads the module, once for all tests.
var load = sync.OnceValues(func() (*module, error) {
	m := &module{exports: map[string]string{}}
	if err := m.walk(moduleRoot, false); err != nil {
		return nil, err
	}
	// The packages beside ./... are those that the snippets import.
	cmd := exec.Command("go", "list", "-e", "-export", "-deps", "-json=ImportPath,Dir,Name,Export,GoFiles,CgoFiles,Imports,TestImports,XTestImports,Error",
		"./...", "errors", "fmt", "hash/crc32", "maps", "os", "runtime/debug", "slices", "strings", "time")
	cmd.Dir = moduleRoot
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return m, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		m.exports[p.ImportPath] = p.Export
		if isOwn(p.ImportPath) {
			m.own = append(m.own, &p)
		}
	}
})

// loadModule returns the module, or ends the test.
func loadModule(t *testing.T) *module {
	t.Helper()
	m, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// walk collects the Go files under dir and the directories that have any. Reading
// them here, in the test's own process, is what makes go test run the
// rules anew when a file changes.
func (m *module) walk(dir string, nested bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil && dir != moduleRoot {
		nested = true
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	has := false
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata":
		case e.IsDir():
			if err := m.walk(filepath.Join(dir, name), nested); err != nil {
				return err
			}
		case strings.HasSuffix(name, ".go"):
			has = true
			m.goFiles = append(m.goFiles, filepath.Join(dir, name))
		}
	}
	if has && !nested {
		m.dirs = append(m.dirs, relative(dir))
	}
	return nil
}

// check parses and type-checks the package from its source.
func (m *module) check(p *listed) (*source, error) {
	s := &source{path: strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, modulePath), "/"), fset: token.NewFileSet()}
	for _, name := range append(p.GoFiles, p.CgoFiles...) {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		if err := s.parse(filepath.Join(s.path, name), text); err != nil {
			return nil, err
		}
	}
	return s, s.resolve(m)
}

func (s *source) parse(name string, text []byte) error {
	f, err := parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	return nil
}

// resolve finds the types, importing by the export data that go list has built.
func (s *source) resolve(m *module) error {
	lookup := func(path string) (io.ReadCloser, error) {
		if m.exports[path] == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(m.exports[path])
	}
	s.info = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},
	}
	cfg := types.Config{Importer: importer.ForCompiler(s.fset, "gc", lookup)}
	var err error
	s.types, err = cfg.Check(modulePath+"/"+s.path, s.fset, s.files, s.info)
	return err
}

// at makes a finding of a position.
func (s *source) at(pos token.Pos, format string, args ...any) finding {
	return finding{pos: s.fset.Position(pos), text: fmt.Sprintf(format, args...)}
}

// isOwn reports whether the import path is of this module.
func isOwn(path string) bool { return path == modulePath || strings.HasPrefix(path, modulePath+"/") }

// relative returns a path below moduleRoot relative to it, with slashes.
func relative(path string) string {
	rel, err := filepath.Rel(moduleRoot, path)
	if err != nil {
		panic(err)
	}
	return filepath.ToSlash(rel)
}
