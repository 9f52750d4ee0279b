package lint

import (
	"go/ast"
	"go/build"
	"go/token"
	"go/types"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestPurePackagesAreDeterministic(t *testing.T) {
	m := loadModule(t)
	checked := 0
	for _, p := range m.own {
		r, _ := find(table, strings.TrimPrefix(p.ImportPath, modulePath+"/"))
		if !r.pure || p.Error != nil {
			continue
		}
		s, err := m.check(p)
		if err != nil {
			t.Errorf("%s: %v", r.path, err)
			continue
		}
		checked++
		for _, f := range checkPure(r, s) {
			t.Error(f)
		}
	}
	if checked < 3 {
		t.Errorf("only %d packages were looked at", checked)
	}
}

// checkPure returns where a package breaks the determinism rules.
func checkPure(r row, s *source) []finding {
	c := &purity{row: r, source: s, floats: map[int]bool{}}
	for _, f := range s.files {
		c.file(f)
	}
	return append(c.found, checkVars(s)...)
}

// purity is one pass over a package.
type purity struct {
	row row
	*source
	exempt []string       // of the file looked at
	marks  map[int]string // its //lint:sorted marks: line -> reason
	used   map[int]bool   // marks that excused something
	floats map[int]bool   // lines of the file already reported for a float
	sorted map[ast.Expr]bool
	found  []finding
}

func (c *purity) report(pos token.Pos, format string, args ...any) {
	c.found = append(c.found, c.at(pos, format, args...))
}

func (c *purity) file(f *ast.File) {
	name := c.fset.Position(f.Package).Filename
	c.exempt = exempt[name]
	c.floats, c.used, c.sorted = map[int]bool{}, map[int]bool{}, map[ast.Expr]bool{}
	if fitsAnySystem(name) != nil {
		c.report(f.Package, "the file's name is a build constraint")
	}
	c.comments(f)
	ast.Inspect(f, func(n ast.Node) bool {
		if n != nil {
			c.node(n)
		}
		return true
	})
	for line, why := range c.marks {
		if !c.used[line] || why == "" {
			c.found = append(c.found, finding{
				pos:  token.Position{Filename: name, Line: line},
				text: "a //lint:sorted mark needs a reason and something to excuse",
			})
		}
	}
}

// comments collects the marks and reports directives.
func (c *purity) comments(f *ast.File) {
	c.marks = map[int]string{}
	for _, group := range f.Comments {
		for _, comment := range group.List {
			if why, marked := strings.CutPrefix(comment.Text, "//lint:sorted"); marked {
				c.marks[c.fset.Position(comment.Pos()).Line] = strings.TrimSpace(why)
			}
			if strings.HasPrefix(comment.Text, "//go:") || strings.HasPrefix(comment.Text, "// +build") {
				c.report(comment.Pos(), "directive %s", comment.Text)
			}
		}
	}
}

func (c *purity) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		c.report(n.Pos(), "go statement")
	case *ast.SelectStmt:
		c.report(n.Pos(), "select statement")
	case *ast.ChanType:
		c.report(n.Pos(), "channel type")
	case *ast.SendStmt:
		c.report(n.Pos(), "channel send")
	case *ast.RangeStmt:
		if c.mapType(n.X) && !c.excused(n.Pos()) {
			c.report(n.Pos(), "range over a map without //lint:sorted WHY")
		}
	case *ast.MapType:
		if t := c.info.TypeOf(n.Key); t != nil && isPointer(t) {
			c.report(n.Pos(), "map with pointers as keys")
		}
	case *ast.FuncDecl:
		if n.Recv == nil && n.Name.Name == "init" {
			c.report(n.Pos(), "init function")
		}
	case *ast.CallExpr:
		c.call(n)
	case *ast.SelectorExpr:
		c.selector(n)
	}
	if e, isExpr := n.(ast.Expr); isExpr {
		c.expression(e)
	}
}

// expression reports receives, and values that are floats wherever they come from.
func (c *purity) expression(e ast.Expr) {
	t := c.info.TypeOf(e)
	if t == nil {
		return
	}
	if u, unary := e.(*ast.UnaryExpr); unary && u.Op == token.ARROW {
		c.report(e.Pos(), "channel receive")
	}
	line := c.fset.Position(e.Pos()).Line
	basic, _ := t.Underlying().(*types.Basic)
	if basic != nil && basic.Info()&(types.IsFloat|types.IsComplex) != 0 && !c.floats[line] && !slices.Contains(c.exempt, "float") {
		c.floats[line] = true
		c.report(e.Pos(), "float")
	}
}

// pointerVerb matches a %p with its flags, but not %%p.
var pointerVerb = regexp.MustCompile(`^(?:[^%]|%%|%[-+# 0-9.*\[\]]*[a-oq-zA-Z])*%[-+# 0-9.*\[\]]*p`)

func (c *purity) call(n *ast.CallExpr) {
	name := ""
	switch f := ast.Unparen(n.Fun).(type) {
	case *ast.Ident:
		if _, builtin := c.info.Uses[f].(*types.Builtin); builtin {
			switch {
			case f.Name == "print" || f.Name == "println":
				c.report(n.Pos(), "builtin %s", f.Name)
			case f.Name == "recover" && !c.row.recovers:
				c.report(n.Pos(), "recover")
			}
			return
		}
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
		if of, fn := c.imported(f); of == "slices" && strings.HasPrefix(fn, "Sorted") && len(n.Args) > 0 {
			c.sorted[n.Args[0]] = true // what is sorted at once has no order to leak
		}
		if of, fn := c.imported(f); of == "maps" && slices.Contains(mapOrders, fn) && !c.sorted[n] && !c.excused(n.Pos()) {
			c.report(n.Pos(), "maps.%s outside of slices.Sorted, without //lint:sorted WHY", fn)
		}
	}
	if !strings.HasSuffix(name, "f") {
		return
	}
	for _, arg := range n.Args {
		if v := c.info.Types[arg].Value; v != nil {
			if text, err := strconv.Unquote(v.ExactString()); err == nil && pointerVerb.MatchString(text) {
				c.report(arg.Pos(), "%%p prints an address")
			}
		}
	}
}

// mapOrders are the functions of package maps that show the order of a map.
var mapOrders = []string{"All", "Keys", "Values", "DeleteFunc"}

// selector reports names of allowed packages that are not allowed themselves.
func (c *purity) selector(n *ast.SelectorExpr) {
	of, name := c.imported(n)
	only, limited := onlyNames[of]
	if limited && slices.Contains(c.exempt, of+"."+name) {
		return
	}
	if limited && !slices.Contains(only, name) || slices.Contains(neverNames[of], name) {
		c.report(n.Pos(), "%s.%s", of, name)
	}
}

// imported returns the package and name that a selector such as time.Now means, or
// nothing if it selects from a value.
func (c *purity) imported(n *ast.SelectorExpr) (of, name string) {
	if x, isIdent := n.X.(*ast.Ident); isIdent {
		if p, isPackage := c.info.Uses[x].(*types.PkgName); isPackage {
			return p.Imported().Path(), n.Sel.Name
		}
	}
	return "", ""
}

// excused reports whether a mark with a reason stands on the line or the one above.
func (c *purity) excused(pos token.Pos) bool {
	line := c.fset.Position(pos).Line
	for _, at := range []int{line, line - 1} {
		if c.marks[at] != "" {
			c.used[at] = true
			return true
		}
	}
	return false
}

func (c *purity) mapType(e ast.Expr) bool {
	t := c.info.TypeOf(e)
	if param, generic := t.(*types.TypeParam); generic {
		t = types.NewInterfaceType(nil, nil)
		if core := param.Underlying().(*types.Interface); core.NumEmbeddeds() == 1 {
			t = coreType(core.EmbeddedType(0))
		}
	}
	_, isMap := t.Underlying().(*types.Map)
	return isMap
}

// coreType returns the type of a constraint with a single term, such as ~map[K]V.
func coreType(t types.Type) types.Type {
	if union, isUnion := t.(*types.Union); isUnion && union.Len() == 1 {
		return union.Term(0).Type()
	}
	return t
}

func isPointer(t types.Type) bool {
	_, pointer := t.Underlying().(*types.Pointer)
	return pointer
}

// fitsAnySystem returns an error if the name of the file, such as
// x_linux.go, keeps it out of builds for some system.
func fitsAnySystem(name string) error {
	anywhere := build.Default
	anywhere.GOOS, anywhere.GOARCH = "nowhere", "nothing"
	anywhere.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("package p\n")), nil }
	match, err := anywhere.MatchFile(".", path.Base(name))
	if err == nil && !match {
		err = io.ErrUnexpectedEOF
	}
	return err
}
