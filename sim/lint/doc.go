// Package lint holds the layering and determinism rules of this module, as tests.
//
// It has no code of its own to import. What each package may import is the
// table in table_test.go, one row per package: a directory with Go files that has no
// row is an error. Rows marked pure are held to what keeps a run reproducible: no
// goroutine, channel or select, no order taken from a map, no clock,
// randomness, file or environment, no float, no variable that outlives
// a world. All packages are held to gofmt, go vet, package and doc comments, and the lengths of
// functions and files. Test files are free of all but gofmt and go vet.
//
// One mark makes an exception, with the reason in the place of WHY:
//
//	//lint:sorted WHY   on a range over a map, or the line above: its order does not matter
//
// The rules use the standard library only. A rule is as good as the test that
// shows what it catches: see catches_test.go.
package lint
