package main

import "errors"

// store is a log under test, opened in a folder of its own. Entries are
// numbered from 1 by the store. What a log offers beyond appending, it shows by
// implementing the interfaces below; a workload leaves out the logs that
// do not offer what it needs.
type store interface {
	// append makes the payloads durable before it returns, together.
	append(payloads [][]byte) error
	close() error
}

// buffered is a store whose appends need not be durable. The harness opens it
// with setup.noSync.
type buffered interface {
	// write appends one payload. When it returns the operating system may not have it yet.
	write(payload []byte) error
	// drain returns when the operating system has all that was written. It syncs nothing.
	drain() error
}

// shared is a store that many goroutines may append to at once, and that lets
// them share syncs. Any other gets a batcher in front.
type shared interface {
	appendShared(payload []byte) error
}

// scanner reads all entries in order, verifies what checksums the log has, and
// returns the bytes of payload.
type scanner interface {
	scan() (int64, error)
}

// reader reads one entry.
type reader interface {
	read(index uint64) ([]byte, error)
}

// cutter drops entries at an end and appends one, durable when it returns, as Raft
// does when a follower's log conflicts, and when a snapshot has been taken.
type cutter interface {
	cutBack(n int, payload []byte) error
	cutFront(n int, payload []byte) error
}

// opener is a store that opens its log again.
type opener interface {
	// shut closes the log as a program does that ends well.
	shut() error
	// reopen returns when the log can be read and appended to.
	reopen() error
}

// forgetter is a store that keeps file contents in its own memory, or maps
// files, whose cache cannot be dropped. A cold scan calls forget, drops the page cache,
// and calls remember.
type forgetter interface {
	forget() error
	remember() error
}

// setup says how to open a store.
type setup struct {
	dir    string
	noSync bool // see buffered
}

// system is a log with the configuration it is used in.
type system struct {
	name string
	// extra marks variants of ours, which take part only where one goroutine appends.
	extra bool
	// crowd marks the bare loop shared by goroutines, which takes part only where many append.
	crowd bool
	open  func(setup) (store, error)
}

// errNotOffered is returned by what a system cannot do.
var errNotOffered = errors.New("not offered")

// bareName is the system that all ratios are to.
const bareName = "bare loop"

// systems returns who takes part. The first is the bare loop.
func systems() []system {
	return []system{
		{name: bareName, open: openBare},
		{name: "bare loop, twice", extra: true, open: openBareTwice},
		{name: "bare loop, shared", crowd: true, open: openCrowd},
		{name: "walrus", open: openWalrus},
		{name: "walrus mirror", extra: true, open: openWalrusMirror},
		{name: "walrus dual", extra: true, open: openWalrusDual},
		{name: "walrus/group", open: openGroup},
		{name: "raft-wal", open: openRaftWAL},
		{name: "etcd wal", open: openEtcd},
		{name: "tidwall/wal", open: openTidwall},
		{name: "pebble record", open: openPebble},
		{name: "pebble record, recycled", open: openPebbleRecycled},
		{name: "raft-boltdb", open: openBolt},
	}
}
