// Package planted holds no code. Its test builds a package with one bug at a time planted in it, and
// sees that a test there fails. These are bugs that simulated runs have no way to find, or that take a
// schedule which none has met: an option that no node uses, a real disk, a moment. Those that the
// runs find are in cmd/simrun/mutants.
//
//	go test ./planted              every bug applies; the first of each list is found
//	go test ./planted -args -all   all are found, in a minute or two
package planted
