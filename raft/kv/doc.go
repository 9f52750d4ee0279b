// Package kv is a key-value store as a replicated state machine: the one that
// scenarios, benchmarks and examples run, and a pattern for writing others.
//
// A [Command] puts, gets, deletes, or compares and swaps one key. It carries
// an operation id, the pair (client, seq), which the store ignores: it makes
// every command distinct, so that a checker can tell one operation that took
// effect twice from two that look alike.
//
// [Machine] is the state machine. It keeps the keys sorted in small pages and
// shares pages with the images it captures, copying a page when it is first
// changed after a capture: [Machine.Snapshot] costs nothing, whatever the size
// of the store, and writing the image reads memory that nobody changes.
//
// [Model] is the same store written a second time, as plainly as possible. It
// shares the codec of commands and responses with the machine and nothing
// else. Checkers replay committed commands on it and compare: a mistake planted
// in, or slipped into, the machine shows as a difference.
//
// The package is pure: no clock, no randomness, no order of a map, no thread.
package kv
