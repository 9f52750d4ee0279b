package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

// Entries that were copied forward lie behind later ones, and where they were first is gone: they are
// there all the same, and a repair keeps them.
func TestCopiedEntriesAreKept(t *testing.T) {
	f := &fixture{dir: filepath.Join(t.TempDir(), "log"), entries: map[walrus.Topic]map[uint64]string{mainTopic: {}, otherTopic: {}}}
	folder, err := host.OpenFolder(filepath.Dir(f.dir))
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := walrus.Open(folder, walrus.Options{
		Dir: "log", Seed: 6, SegmentBytes: 12 << 10, PinnedSegments: 2,
		Mirror: []walrus.Mirror{{Main: mainTopic, Recovery: recoveryTopic}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := writer{fs: folder, log: l}
	add := func(id walrus.Topic, index uint64) {
		f.entries[id][index] = payload(id, index)
		w.batch.Entry(id, index, 1, 3, []byte(payload(id, index)))
	}
	for index := uint64(1); index <= 200; index++ {
		add(mainTopic, index)
		if index < 6 {
			add(otherTopic, index)
		}
		if index == 150 { // after it in the log, and before the next copies
			add(otherTopic, 6)
		}
		w.batch.TruncateFront(mainTopic, index-min(index, 4))
		if err := errors.Join(w.flush(), w.chores()); err != nil {
			t.Fatal(err)
		}
	}
	if l.Stats().Copied < 10 {
		t.Fatalf("%+v", l.Stats())
	}
	if err := errors.Join(l.Close(folder), folder.Close()); err != nil {
		t.Fatal(err)
	}
	want := map[walrus.Topic][2]uint64{mainTopic: {196, 201}, otherTopic: {1, 7}}
	f.holds(t, f.dir, want, nil)
	if s := run(t, "verify", f.dir); s.code != clean || !strings.Contains(s.out, "topic 7     entries 1 to 6\n") {
		t.Errorf("verify: %+v", s)
	}
	if s := run(t, "dump", f.dir, "--topic", "7"); s.code != clean || !strings.Contains(s.out, "  copy  ") {
		t.Errorf("dump: %+v", s)
	}
	into := filepath.Join(t.TempDir(), "new")
	if s := run(t, "repair", f.dir, "--into", into); s.code != clean || strings.Contains(s.out, "DROPPED") {
		t.Errorf("repair: %+v", s)
	}
	f.holds(t, into, want, nil)
}
