package lint

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryFileIsFormatted(t *testing.T) {
	for _, name := range loadModule(t).goFiles {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !formatted(text) {
			t.Errorf("%s is not as gofmt would have it", relative(name))
		}
	}
}

func formatted(text []byte) bool {
	want, err := format.Source(text)
	return err == nil && bytes.Equal(text, want)
}

func TestVetFindsNothing(t *testing.T) {
	cmd := exec.Command("go", "vet", "./...")
	cmd.Dir = moduleRoot
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

func TestPackagesAndExportedNamesAreDocumented(t *testing.T) {
	m := loadModule(t)
	for _, p := range m.own {
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := parser.ParseFile(fset, strings.TrimPrefix(p.ImportPath, modulePath+"/")+"/"+name, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Error(err)
				continue
			}
			files = append(files, f)
		}
		for _, f := range checkDocs(fset, files) {
			t.Error(f)
		}
	}
}

// checkDocs returns what a package leaves without the comment it owes.
func checkDocs(fset *token.FileSet, files []*ast.File) (found []finding) {
	documented := len(files) == 0
	for _, f := range files {
		begin := "Package " + f.Name.Name + " "
		if f.Name.Name == "main" {
			begin = ""
		}
		documented = documented || f.Doc != nil && strings.HasPrefix(f.Doc.Text(), begin)
		for _, d := range f.Decls {
			name := undocumented(d)
			if name != "" && f.Name.Name != "main" {
				found = append(found, finding{fset.Position(d.Pos()), name + " is exported and has no comment that begins with its name"})
			}
		}
	}
	if !documented {
		found = append(found, finding{fset.Position(files[0].Package), "the package has no comment"})
	}
	return found
}

// undocumented returns the name that the declaration exports without a comment
// that begins with it. Names of a group share the group's comment.
func undocumented(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if exportedFunc(d) && !begins(d.Doc, d.Name.Name) {
			return d.Name.Name
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && !begins(spec.Doc, spec.Name.Name) && !begins(d.Doc, spec.Name.Name) {
					return spec.Name.Name
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
						return name.Name
					}
				}
			}
		}
	}
	return ""
}

// exportedFunc reports whether the function, or the method and its type, are exported.
func exportedFunc(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return d.Name.IsExported()
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return d.Name.IsExported() && x.IsExported()
		default:
			return false
		}
	}
}

// begins reports whether the comment begins with the name, after an article if need be.
func begins(doc *ast.CommentGroup, name string) bool {
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	rest, ok := strings.CutPrefix(text, name)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], " ,.:;'\n"))
}
