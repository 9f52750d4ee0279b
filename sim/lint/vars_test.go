package lint

import (
	"go/ast"
	"go/token"
	"go/types"
)

// checkVars returns the variables of a package that outlive a world, and
// whatever writes to one. Error sentinels and read-only tables may stay.
func checkVars(s *source) []finding {
	v := &vars{source: s}
	for _, f := range s.files {
		for _, d := range f.Decls {
			if g, isGen := d.(*ast.GenDecl); isGen && g.Tok == token.VAR {
				for _, spec := range g.Specs {
					v.declared(spec.(*ast.ValueSpec))
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v.node(n)
			return true
		})
	}
	return v.found
}

type vars struct {
	*source
	found []finding
}

func (v *vars) report(pos token.Pos, format string, args ...any) {
	v.found = append(v.found, v.at(pos, format, args...))
}

func (v *vars) declared(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		switch {
		case name.Name == "_": // an assertion that a type implements an interface
		case i >= len(spec.Values):
			v.report(name.Pos(), "package-level var %s is no constant table", name.Name)
		case !v.sentinel(spec.Values[i]) && !v.tableValue(spec.Values[i], true):
			v.report(name.Pos(), "package-level var %s is neither an error sentinel nor a read-only table", name.Name)
		}
	}
}

// constructors are the calls that make a sentinel or a table.
var constructors = []string{"errors.New", "fmt.Errorf", "hash/crc32.MakeTable"}

func (v *vars) sentinel(e ast.Expr) bool {
	call, isCall := e.(*ast.CallExpr)
	if !isCall {
		return false
	}
	sel, isSel := call.Fun.(*ast.SelectorExpr)
	if !isSel {
		return false
	}
	f, isFunc := v.info.Uses[sel.Sel].(*types.Func)
	if !isFunc || f.Pkg() == nil {
		return false
	}
	for _, name := range constructors {
		if f.Pkg().Path()+"."+f.Name() == name {
			return true
		}
	}
	return false
}

// tableValue reports whether the expression is a literal of arrays, slices and
// structs with constants, functions and other tables inside.
func (v *vars) tableValue(e ast.Expr, top bool) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		switch v.info.TypeOf(e).Underlying().(type) {
		case *types.Array, *types.Slice, *types.Struct:
		default:
			return false
		}
		for _, element := range e.Elts {
			if pair, keyed := element.(*ast.KeyValueExpr); keyed {
				element = pair.Value
			}
			if !v.tableValue(element, false) {
				return false
			}
		}
		return true
	case *ast.FuncLit:
		return !top
	}
	if top {
		return false
	}
	if v.info.Types[e].Value != nil {
		return true // a constant
	}
	switch e := e.(type) {
	case *ast.Ident:
		return v.stable(v.info.Uses[e])
	case *ast.SelectorExpr:
		return v.stable(v.info.Uses[e.Sel])
	}
	return false
}

// stable reports whether the name means nil, a function, or another table.
func (v *vars) stable(o types.Object) bool {
	switch o.(type) {
	case *types.Nil, *types.Func:
		return true
	case *types.Var:
		return global(o)
	}
	return false
}

// node reports writes to package-level variables, of this or any package.
func (v *vars) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, e := range n.Lhs {
			v.written(e)
		}
	case *ast.IncDecStmt:
		v.written(n.X)
	case *ast.RangeStmt:
		v.written(n.Key)
		v.written(n.Value)
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			v.written(n.X)
		}
	case *ast.CallExpr:
		if f, isIdent := n.Fun.(*ast.Ident); isIdent && len(n.Args) > 0 {
			if _, builtin := v.info.Uses[f].(*types.Builtin); builtin && (f.Name == "copy" || f.Name == "clear" || f.Name == "delete") {
				v.written(n.Args[0])
			}
		}
	}
}

// written reports a write to the expression if it is a package-level variable or a part of one.
func (v *vars) written(e ast.Expr) {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SelectorExpr:
			if global(v.info.Uses[x.Sel]) {
				v.report(x.Pos(), "writes to or takes the address of %s", x.Sel.Name)
				return
			}
			e = x.X
		case *ast.Ident:
			if global(v.info.Uses[x]) {
				v.report(x.Pos(), "writes to or takes the address of package-level %s", x.Name)
			}
			return
		default:
			return
		}
	}
}

// global reports whether the object is a package-level variable.
func global(o types.Object) bool {
	variable, isVar := o.(*types.Var)
	return isVar && variable.Pkg() != nil && variable.Parent() == variable.Pkg().Scope()
}
