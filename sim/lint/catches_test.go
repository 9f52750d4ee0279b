package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// snippet is a piece of a pure package and what is to be found in it.
type snippet struct {
	name    string
	imports string // separated by spaces
	code    string
	want    []string // begins of the findings' texts, in the order of the lines; none: clean
}

var snippets = []snippet{
	{name: "go statement", code: "func f() { go f() }", want: []string{"go statement"}},
	{name: "select", code: "func f() { select {} }", want: []string{"select statement"}},
	{name: "channel type", code: "func f(c chan int) {}", want: []string{"channel type"}},
	{name: "channel in a struct", code: "type s struct { c <-chan int }", want: []string{"channel type"}},
	{name: "send", code: "func f(c chan int) {\n c <- 1 }", want: []string{"channel type", "channel send"}},
	{name: "receive", code: "func f(c chan int) {\n <-c }", want: []string{"channel type", "channel receive"}},

	{name: "range over a map", code: "func f(m map[int]int) { for range m {} }", want: []string{"range over a map"}},
	{name: "range over a named map", code: "type t map[int]int\nfunc f(m t) { for k := range m { _ = k } }", want: []string{"range over a map"}},
	{name: "range over a generic map", code: "func f[M ~map[int]int](m M) { for range m {} }", want: []string{"range over a map"}},
	{name: "range over a map behind a call", code: "func m() map[int]int { return nil }\nfunc f() { for range m() {} }", want: []string{"range over a map"}},
	{name: "range over a slice", code: "func f(s []int) { for range s {} }"},
	{name: "marked range", code: "func f(m map[int]int) (n int) { for _, v := range m { n += v } //lint:sorted a sum has no order\n return n }"},
	{name: "range marked above", code: "func f(m map[int]int) (n int) {\n //lint:sorted a sum has no order\n for _, v := range m { n += v }\n return n }"},
	{name: "mark without a reason", code: "func f(m map[int]int) {\n for range m {} //lint:sorted\n }", want: []string{"range over a map", "a //lint:sorted mark"}},
	{name: "mark without a range", code: "func f() {} //lint:sorted because", want: []string{"a //lint:sorted mark"}},
	{name: "maps.Keys", imports: "maps", code: "func f(m map[int]int) { for range maps.Keys(m) {} }", want: []string{"maps.Keys"}},
	{name: "maps.Values collected", imports: "maps slices", code: "func f(m map[int]int) []int { return slices.Collect(maps.Values(m)) }", want: []string{"maps.Values"}},
	{name: "maps.Keys sorted", imports: "maps slices", code: "func f(m map[int]int) []int { return slices.Sorted(maps.Keys(m)) }"},
	{name: "pointers as keys", code: "type t map[*int]bool", want: []string{"map with pointers as keys"}},

	{name: "time.Now", imports: "time", code: "func f() { _ = time.Now() }", want: []string{"time.Now"}},
	{name: "time.Now by another name", imports: "clock:time", code: "func f() { _ = clock.Now() }", want: []string{"time.Now"}},
	{name: "time.Now as a value", imports: "time", code: "func f() { g := time.Now\n_ = g }", want: []string{"time.Now"}},
	{name: "time.Sleep", imports: "time", code: "func f() { time.Sleep(1) }", want: []string{"time.Sleep"}},
	{name: "time.After", imports: "time", code: "func f() { _ = time.After(1) }", want: []string{"time.After"}},
	{name: "time.Time", imports: "time", code: "type t struct { at time.Time }", want: []string{"time.Time"}},
	{name: "time.ParseDuration", imports: "time", code: "func f() { time.ParseDuration(``) }", want: []string{"time.ParseDuration"}},
	{name: "durations", imports: "time", code: "const d = 5 * time.Second\nfunc f(d time.Duration) string { return d.String() }"},
	{name: "a variable called time", code: "type clock struct{ Now int }\nfunc f(time clock) { _ = time.Now }"},
	{name: "fmt.Println", imports: "fmt", code: "func f() { fmt.Println() }", want: []string{"fmt.Println"}},
	{name: "println", code: "func f() { println() }", want: []string{"builtin println"}},
	{name: "debug.SetGCPercent", imports: "runtime/debug", code: "func f() { debug.SetGCPercent(1) }", want: []string{"runtime/debug.SetGCPercent"}},
	{name: "recover", code: "func f() { defer func() { recover() }() }", want: []string{"recover"}},

	{name: "address", imports: "fmt", code: "func f(x *int) string { return fmt.Sprintf(`%d at %p`, 1, x) }", want: []string{"%p prints"}},
	{name: "address with flags", imports: "fmt", code: "func f(x *int) string { return fmt.Sprintf(`%#[1]p`, x) }", want: []string{"%p prints"}},
	{name: "address in an error", imports: "fmt", code: "const text = `at %` + `p`\nfunc f(x *int) error { return fmt.Errorf(text, x) }", want: []string{"%p prints"}},
	{name: "percent", imports: "fmt", code: "func f() string { return fmt.Sprintf(`%d%%p`, 1) + `%p` }"},

	{name: "float parameter", code: "func f(x float64) {}", want: []string{"float"}},
	{name: "float constant", code: "const x = 0.5", want: []string{"float"}},
	{name: "float from a method", imports: "time", code: "func f(d time.Duration) bool { return d.Seconds() > 1 }", want: []string{"float"}},
	{name: "complex", code: "type t []complex64", want: []string{"float"}},
	{name: "integer typed as 1e9", code: "const x int = 1e9"},

	{name: "init", code: "func init() {}", want: []string{"init function"}},
	{name: "method called init", code: "type t int\nfunc (t) init() {}"},
	{name: "build tag", code: "//go:build linux", want: []string{"directive //go:build"}},
	{name: "linkname", code: "//go:linkname f g\nfunc f() {}", want: []string{"directive //go:linkname"}},

	{name: "global without value", code: "var x int", want: []string{"package-level var x"}},
	{name: "global number", code: "var x = 5", want: []string{"package-level var x"}},
	{name: "global map", code: "var x = map[int]int{}", want: []string{"package-level var x"}},
	{name: "global pointer", code: "type t struct{}\nvar x = &t{}", want: []string{"package-level var x"}},
	{name: "global from a call", code: "func f() int { return 1 }\nvar x = f()", want: []string{"package-level var x"}},
	{name: "table with a call", code: "func f() int { return 1 }\nvar x = []int{f()}", want: []string{"package-level var x"}},
	{name: "global function", code: "var x = func() {}", want: []string{"package-level var x"}},
	{name: "grouped globals", code: "var (\n a = 1\n b, c []int\n)", want: []string{"package-level var a", "package-level var b", "package-level var c"}},
	{name: "sentinels", imports: "errors fmt", code: "var a, b = errors.New(`a`), fmt.Errorf(`b: %w`, errors.New(`c`))"},
	{name: "checksum table", imports: "hash/crc32", code: "var castagnoli = crc32.MakeTable(crc32.Castagnoli)"},
	{name: "interface assertion", imports: "fmt", code: "type t int\nfunc (*t) String() string { return `` }\nvar _ fmt.Stringer = (*t)(nil)"},
	{name: "tables", code: "type r struct { s string; f func() }\nfunc f() {}\nvar a = [2]int{1: 2}\nvar b = []r{{`x`, f}, {s: `y`, f: func() {}}, {`z`, nil}}\nvar c = [][2]int{a}"},

	{name: "write to a global", code: "var x = []int{1}\nfunc f() { x = nil }", want: []string{"writes to or takes the address of package-level x"}},
	{name: "write into a table", code: "type r struct { n int }\nvar x = []r{{1}}\nfunc f() {\n x[0].n = 2\n x[0].n++ }", want: []string{"writes to", "writes to"}},
	{name: "address of a row", code: "var x = [1]int{1}\nfunc f() *int { return &x[0] }", want: []string{"writes to"}},
	{name: "copy into a table", code: "var x = [1]int{1}\nfunc f() { copy(x[:], x[:]) }", want: []string{"writes to"}},
	{name: "range into a global", code: "var x = []int{1}\nfunc f() { for x[0] = range 3 {} }", want: []string{"writes to"}},
	{name: "write to another package's global", imports: "os", code: "func f() { os.Args = nil }", want: []string{"writes to or takes the address of Args"}},
	{name: "a local that hides a global", code: "var x = []int{1}\nfunc f() { x := []int{2}\n x[0] = 3 }"},
}

func TestEachBannedThingIsCaught(t *testing.T) {
	m := loadModule(t)
	for _, c := range snippets {
		found, err := lintSnippet(m, "snippet/x.go", c)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		compare(t, c.name, c.want, found)
	}
}

// compare reports where the findings' texts do not begin as wanted.
func compare(t *testing.T, name string, want []string, found []finding) {
	t.Helper()
	slices.SortStableFunc(found, func(a, b finding) int { return a.pos.Line - b.pos.Line })
	if len(found) != len(want) {
		t.Errorf("%s: found %v, want %q", name, found, want)
		return
	}
	for i := range want {
		if !strings.HasPrefix(found[i].text, want[i]) {
			t.Errorf("%s: found %v, want %q", name, found[i], want[i])
		}
	}
}

// lintSnippet runs the rules for pure packages on a file of that name.
func lintSnippet(m *module, file string, c snippet) ([]finding, error) {
	var text strings.Builder
	text.WriteString("package p\n")
	for _, path := range strings.Fields(c.imports) {
		name, path, renamed := strings.Cut(path, ":")
		if !renamed {
			name, path = "", name
		}
		text.WriteString("import " + name + ` "` + path + "\"\n")
	}
	text.WriteString(c.code + "\n")
	s := &source{path: "snippet", fset: token.NewFileSet()}
	if err := s.parse(file, []byte(text.String())); err != nil {
		return nil, err
	}
	if err := s.resolve(m); err != nil {
		return nil, err
	}
	return checkPure(row{path: "snippet", pure: true}, s), nil
}

func TestFileNamesThatAreBuildConstraintsAreCaught(t *testing.T) {
	m := loadModule(t)
	for name, want := range map[string][]string{
		"p/disk.go":       nil,
		"p/one_two.go":    nil,
		"p/x_linux.go":    {"the file's name"},
		"p/x_amd64.go":    {"the file's name"},
		"p/x_js_wasm.go":  {"the file's name"},
		"faults/parse.go": nil,
	} {
		found, err := lintSnippet(m, name, snippet{})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, name, want, found)
	}
}

func TestExemptFilesMayDoNoMoreThanTheirRow(t *testing.T) {
	m := loadModule(t)
	c := snippet{imports: "time", code: "func f() { x, _ := time.ParseDuration(``)\n _ = x.Seconds()\n _ = time.Now() }"}
	found, err := lintSnippet(m, "faults/parse.go", c)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "faults/parse.go", []string{"time.Now"}, found)
}

func TestImportsAgainstTheTableAreCaught(t *testing.T) {
	pure := row{path: "a", pure: true, imports: []string{"runtime"}, std: []string{"iter"}, external: []string{"example.com/judge"}}
	impure := row{path: "b", imports: []string{"runtime", "a"}}
	for _, c := range []struct {
		row  row
		path string
		ok   bool
	}{
		{pure, modulePath + "/runtime", true},
		{pure, modulePath + "/runtime/host", false},
		{pure, modulePath + "/sim", false},
		{pure, modulePath, false},
		{pure, "slices", true},
		{pure, "iter", true},
		{pure, "os", false},
		{pure, "net", false},
		{pure, "sync", false},
		{pure, "sync/atomic", false},
		{pure, "context", false},
		{pure, "math/rand", false},
		{pure, "math/rand/v2", false},
		{pure, "crypto/rand", false},
		{pure, "hash/maphash", false},
		{pure, "reflect", false},
		{pure, "unsafe", false},
		{pure, "runtime", false}, // the standard library's
		{pure, "C", false},
		{pure, "log/slog", false},
		{pure, "example.com/judge", true},
		{pure, "example.com/other", false},
		{impure, "os", true},
		{impure, modulePath + "/a", true},
		{impure, modulePath + "/c", false},
		{impure, "example.com/judge", false},
	} {
		if wrong := checkImports(c.row, []string{c.path}); (len(wrong) == 0) != c.ok {
			t.Errorf("%s imports %s: %q", c.row.path, c.path, wrong)
		}
	}
	if wrong := checkTestImports(pure, []string{"os", modulePath + "/sim", "pgregory.net/rapid"}); len(wrong) != 0 {
		t.Errorf("tests: %q", wrong)
	}
	if wrong := checkTestImports(pure, []string{"github.com/stretchr/testify"}); len(wrong) != 1 {
		t.Error("tests: an unlisted module was accepted")
	}
	if _, listed := find(table, "unheard/of"); listed {
		t.Error("a row was found for a package that has none")
	}
}

func TestBadFormatIsCaught(t *testing.T) {
	if !formatted([]byte("package p\n\nfunc f() {}\n")) || formatted([]byte("package p\nfunc f()  { }\n")) || formatted([]byte("package")) {
		t.Error("formatted does not tell")
	}
}

func TestLongFunctionsAndFilesAreCaught(t *testing.T) {
	body := func(lines int) string { return strings.Repeat("\tf()\n", lines) }
	for _, c := range []struct {
		name, code string
		want       []string
	}{
		{"70 lines", "func f() {\n" + body(68) + "}\n", nil},
		{"71 lines", "func f() {\n" + body(69) + "}\n", []string{"function f of 71 lines"}},
		{"method", "func (t) m() {\n" + body(69) + "}\n", []string{"function m of 71 lines"}},
		{"flat switch", "func f(n int) {\n switch n {\n" + strings.Repeat("case 1:\n"+body(2), 40) + "}\n}\n", nil},
		{"deep switch", "func f(n int) {\n switch n {\n" + strings.Repeat("case 1:\n"+body(30), 3) + "}\n}\n", []string{"function f"}},
		{"switch in a long function", "func f(n int) {\n" + body(60) + "switch n {\n" + strings.Repeat("case 1:\n"+body(2), 5) + "}\n}\n", []string{"function f"}},
		{"table", "func f() []t {\n return []t{\n" + strings.Repeat("{1},\n", 90) + "}\n}\n", nil},
		{"table of long elements", "func f() []t {\n return []t{\n" + strings.Repeat("{func() {\n"+body(40)+"}},\n", 2) + "}\n}\n", []string{"function f"}},
		{"500 lines", strings.Repeat("// line\n", 499), nil},
		{"501 lines", strings.Repeat("// line\n", 500), []string{"file of 501 lines"}},
	} {
		found, err := checkSize("x.go", []byte("package p\n"+c.code))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		compare(t, c.name, c.want, found)
	}
}

func TestMissingCommentsAreCaught(t *testing.T) {
	for _, c := range []struct {
		name, code string
		want       []string
	}{
		{"package", "package p", []string{"the package has no comment"}},
		{"package called otherwise", "// Package q is.\npackage p", []string{"the package has no comment"}},
		{"command", "// Anything says what it does.\npackage main\nfunc F() {}", nil},
		{"command without", "package main", []string{"the package has no comment"}},
		{"function", "// Package p is.\npackage p\nfunc F() {}", []string{"F is exported"}},
		{"function called otherwise", "// Package p is.\npackage p\n// G does.\nfunc F() {}", []string{"F is exported"}},
		{"function with a longer name", "// Package p is.\npackage p\n// Foo does.\nfunc F() {}", []string{"F is exported"}},
		{"method", "// Package p is.\npackage p\n// T is.\ntype T[E any] int\nfunc (t *T[E]) M() {}", []string{"M is exported"}},
		{"method of a hidden type", "// Package p is.\npackage p\ntype t int\nfunc (t) M() {}", nil},
		{"type", "// Package p is.\npackage p\ntype T int", []string{"T is exported"}},
		{"constants", "// Package p is.\npackage p\nconst A = 1", []string{"A is exported"}},
		{"group of constants", "// Package p is.\npackage p\n// The letters.\nconst (\nA = 1\nB = 2\n)", nil},
		{"all there", "// Package p is.\npackage p\n// F does.\nfunc F() {}\n// A T is.\ntype T int\n// V is.\nvar V = 1\nfunc g() {}", nil},
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "x.go", c.code, parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		compare(t, c.name, c.want, checkDocs(fset, []*ast.File{f}))
	}
}
