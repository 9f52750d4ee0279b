package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEveryDirectoryIsListed(t *testing.T) {
	for _, dir := range loadModule(t).dirs {
		if _, listed := find(table, dir); !listed {
			t.Errorf("directory %s has Go files and no row in sim/lint/table_test.go", dir)
		}
	}
}

func TestEveryPackageImportsOnlyWhatItsRowSays(t *testing.T) {
	for _, p := range loadModule(t).own {
		if p.Error != nil {
			t.Errorf("%s: %s", p.ImportPath, p.Error.Err)
			continue
		}
		path := strings.TrimPrefix(p.ImportPath, modulePath+"/")
		r, listed := find(table, path)
		if !listed {
			t.Errorf("package %s has no row in sim/lint/table_test.go", path)
			continue
		}
		for _, text := range checkImports(r, p.Imports) {
			t.Error(text)
		}
		for _, text := range checkTestImports(r, append(p.TestImports, p.XTestImports...)) {
			t.Error(text)
		}
	}
}

func TestTableIsSound(t *testing.T) {
	for i, r := range table {
		if other, _ := find(table, r.path); slices.IndexFunc(table, func(o row) bool { return o.path == r.path }) != i {
			t.Errorf("%s has two rows, %v and %v", r.path, other, r)
		}
		for _, path := range r.imports {
			if to, listed := find(table, path); !listed {
				t.Errorf("%s may import %s, which has no row", r.path, path)
			} else if r.pure && !to.pure {
				t.Errorf("%s is pure and may import %s, which is not", r.path, path)
			} else if slices.Contains(to.imports, r.path) {
				t.Errorf("%s and %s may import each other", r.path, path)
			}
		}
	}
}

// checkImports returns what is wrong with a package's imports.
func checkImports(r row, imports []string) (wrong []string) {
	for _, path := range imports {
		own := strings.TrimPrefix(path, modulePath+"/")
		switch {
		case isOwn(path):
			if !slices.Contains(r.imports, own) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s, against the table", r.path, own))
			}
		case isStd(path):
			if r.pure && !slices.Contains(stdAllowed, path) && !slices.Contains(r.std, path) {
				wrong = append(wrong, fmt.Sprintf("%s is pure and imports %s", r.path, path))
			}
		case !slices.Contains(r.external, path):
			wrong = append(wrong, fmt.Sprintf("%s imports %s of another module", r.path, path))
		}
	}
	return wrong
}

// checkTestImports is checkImports for the tests, which are bound by less.
func checkTestImports(r row, imports []string) (wrong []string) {
	for _, path := range imports {
		if !isOwn(path) && !isStd(path) && !slices.Contains(testExternal, path) && !slices.Contains(r.external, path) {
			wrong = append(wrong, fmt.Sprintf("a test of %s imports %s of another module", r.path, path))
		}
	}
	return wrong
}

// isStd reports whether the import path is of the standard library, C and unsafe included.
func isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
