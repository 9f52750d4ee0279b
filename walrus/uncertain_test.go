package walrus_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// Who wants to be asked is told which bytes it is about before anything is changed, as often as he asks; then
// he has them left out.
func TestUncertainIsRefused(t *testing.T) {
	d := opened(t)
	for _, text := range []string{"kept", "damaged"} {
		d.put(t, func(s *script) { s.entry(mainTopic, 1, 0, strings.Repeat(text, 20)) })
	}
	d.disk.kill()
	name := d.segments()[0]
	node := d.disk.seen[name]
	at := bytes.Index(node.data, []byte("damageddamaged"))
	node.data[at+9] ^= 0x21
	node.data[at+57] ^= 0x21
	node.device = slices.Clone(node.data)

	o := options(80)
	o.RefuseUncertain = true
	before := d.disk.clone()
	for range 2 {
		l, report, err := walrus.Open(d.disk, o)
		if l != nil || !errors.Is(err, walrus.ErrUncertain) || report.Verdict != walrus.Uncertain {
			t.Fatalf("%v, %v: %+v", l, err, report)
		}
		f := report.Findings[0]
		if f.File != name || f.Offset > int64(at) || f.Offset+f.Bytes < int64(at)+140 {
			t.Errorf("%+v does not name the bytes at %d", f, at)
		}
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
		for file, n := range before.seen {
			if now := d.disk.seen[file]; now == nil || !bytes.Equal(now.data, n.data) {
				t.Errorf("%s was changed", file)
			}
		}
		if len(d.disk.seen) != len(before.seen) {
			t.Error("files were made")
		}
	}
	for round, want := range []walrus.Verdict{walrus.Uncertain, walrus.Clean} {
		o.RefuseUncertain = round > 0 // nothing is left to ask for
		l, report, err := walrus.Open(d.disk, o)
		if err != nil || report.Verdict != want {
			t.Fatalf("%v: %+v", err, report)
		}
		if first, next := l.Bounds(mainTopic); first != 1 || next != 2 {
			t.Errorf("the log holds [%d, %d)", first, next)
		}
		if err := l.Close(d.disk); err != nil {
			t.Fatal(err)
		}
	}
}
