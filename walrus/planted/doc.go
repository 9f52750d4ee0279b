// Package planted holds no code. Its test builds a package, mostly walrus, with one bug at a time
// planted in it, and sees that the tests there fail. These are the bugs that a simulated cluster cannot
// find; those that it can are in cmd/simrun/mutants.
package planted
