package main

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// inDoubt adds a transaction that is committed and one that stays in doubt.
func (f *fixture) inDoubt(t *testing.T) {
	t.Helper()
	folder, l, _, err := open(t, f.dir)
	if err != nil {
		t.Fatal(err)
	}
	w := writer{fs: folder, log: l}
	for tx := range uint64(2) {
		w.batch.Entry(mainTopic, 0, 9, 3, []byte("an entry in doubt"))
		w.batch.Set(3, []byte("a value in doubt"))
		w.batch.Prepare(tx)
		if err := w.flush(); err != nil {
			t.Fatal(err)
		}
	}
	w.batch.Commit(0)
	if err := errors.Join(w.flush(), l.Close(folder), folder.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestTransactionsInDoubt(t *testing.T) {
	f := newFixture(t)
	f.inDoubt(t)
	if s := run(t, "verify", f.dir); s.code != clean || !strings.Contains(s.out, "\n  in doubt    1 (81 B)\n") {
		t.Errorf("verify: %+v", s)
	}
	s := run(t, "verify", f.dir, "--json")
	var o object
	if err := json.Unmarshal([]byte(s.out), &o); err != nil || len(o.InDoubt) != 1 || *o.InDoubt[0].Tx != 1 || !o.Closed {
		t.Errorf("verify: %v, %s", err, s.out)
	}
	s = run(t, "dump", f.dir)
	for _, text := range []string{"prepare                     tx 0", "prepare                     tx 1", "commit                      tx 0"} {
		if !strings.Contains(s.out, text) {
			t.Errorf("dump does not say %q: %s", text, s.out)
		}
	}
	into := filepath.Join(t.TempDir(), "new")
	if s := run(t, "repair", f.dir, "--into", into); s.code != clean || !strings.Contains(s.out, "kept     1 transaction in doubt") {
		t.Errorf("repair: %+v", s)
	}
	folder, l, report, err := open(t, into)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	defer l.Close(folder)
	got := l.Prepared()
	if len(got) != 1 || len(report.InDoubt) != 1 || got[0].ID != 1 || len(got[0].Changes) != 2 ||
		string(got[0].Changes[0].Payload) != "an entry in doubt" || got[0].Changes[1].Key != 3 {
		t.Errorf("repaired: %+v", got)
	}
	var b walrus.Batch
	b.Commit(1)
	if err := l.Stage(&b); err != nil {
		t.Errorf("commit in the repaired log: %v", err)
	}
}
