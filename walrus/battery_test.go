package walrus_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

// The battery: a log on a real folder, every entry acknowledged with a sync, then one fault
// in a byte copy of it taken while it was open, then Open as its users call it. The faults are
// those that other logs were seen to answer with wrong data, silence or a panic.
const (
	batteryEntries = 200
	batteryPayload = 1000
	batteryLater   = 5 // appended after a recovery, to see that they survive the next
)

// batteryOptions make the log long enough to have old segments and a newest one.
func batteryOptions(seed uint64) walrus.Options {
	return walrus.Options{Dir: "log", Seed: seed, SegmentBytes: 48 << 10}
}

// batteryData is the payload of an entry: no two are alike, no byte is zero.
func batteryData(index uint64) []byte {
	r := rng{state: index}
	p := make([]byte, batteryPayload)
	for i := range p {
		p[i] = byte(r.next()) | 1
	}
	return p
}

// subject is an open log on a real folder.
type subject struct {
	fs  runtime.FS
	log *walrus.Log
}

// append has entries [from, to) acknowledged, each with a sync of its own.
func (s *subject) append(from, to uint64) error {
	for index := from; index < to; index++ {
		if err := s.appendOne(index); err != nil {
			return err
		}
	}
	return nil
}

func (s *subject) appendOne(index uint64) error {
	g, err := s.write(index)
	if err != nil {
		s.log.Fail(err)
		return err
	}
	s.log.Publish(g)
	return nil
}

// write puts an entry on the disk that nobody acknowledges.
func (s *subject) write(index uint64) (*walrus.Group, error) {
	var b walrus.Batch
	b.Entry(mainTopic, index, 1, 0, batteryData(index))
	if err := s.log.Stage(&b); err != nil {
		return nil, err
	}
	g := s.log.Cut()
	return g, walrus.Flush(s.fs, g)
}

// chores does what background work is due.
func (s *subject) chores() error {
	for {
		job, done := s.log.Chore()
		if job == nil {
			return nil
		}
		err := job(s.fs)
		if done(err); err != nil {
			return err
		}
	}
}

// picture is a copy of a folder's files.
type picture map[string][]byte

// copyFolder takes the picture of a log's folder.
func copyFolder(t *testing.T, dir string) picture {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := picture{}
	for _, f := range files {
		if p[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// segment returns the name of the n-th segment in use, negative n from the end: those
// that hold an entry.
func (p picture) segment(n int) string {
	var names []string
	for name, data := range p {
		if len(data) > 8192 && len(bytes.TrimRight(data[8192:], "\x00")) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if n < 0 {
		n += len(names)
	}
	return names[n]
}

// find returns where the payload of an entry lies.
func (p picture) find(t *testing.T, index uint64) (data []byte, at int) {
	t.Helper()
	want := batteryData(index)
	for _, data := range p {
		if at := bytes.Index(data, want); at >= 0 {
			return data, at
		}
	}
	t.Fatalf("entry %d is nowhere", index)
	return nil, 0
}

// Parts of the format around a payload of its own group.
const (
	batteryHead = 40 + 32 // group header and record header in front
	batteryTail = 24      // the trailer behind
)

// mid returns the index of an entry in the middle of a segment.
func (p picture) mid(t *testing.T, name string) uint64 {
	t.Helper()
	half := p[name][:(8192+len(bytes.TrimRight(p[name], "\x00")))/2]
	for index := uint64(batteryEntries); index > 0; index-- {
		if bytes.Contains(half, batteryData(index)) {
			return index - 1
		}
	}
	t.Fatalf("%s holds no entries", name)
	return 0
}

// outcome is what opening a damaged log came to. Those from silent on are bold cells: a log
// that must be believed never has them.
type outcome uint8

const (
	fine     outcome = iota // all that was acknowledged is there
	refuses                 // Open says that the log is corrupt
	reports                 // open, something is missing, and the report or the read says so
	silent                  // something acknowledged is missing and nothing says so
	wrongly                 // shows what was never written
	stubborn                // refuses although nothing acknowledged is damaged
	panicked
)

func (o outcome) String() string {
	return [...]string{"ok", "refuses", "reports", "SILENT LOSS", "WRONG DATA", "REFUSES FOR NOTHING", "PANIC"}[o]
}

// judgeBattery opens a picture, in a folder of its own, and says what comes of it.
// Acknowledged are the entries below next; harmless: the fault touched nothing of them.
func judgeBattery(t *testing.T, p picture, next uint64, harmless bool) (o outcome, what string) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			o, what = panicked, fmt.Sprint(r)
		}
	}()
	root := t.TempDir()
	defer os.RemoveAll(root) // many pictures are opened: do not wait for the end of the test
	if err := os.Mkdir(filepath.Join(root, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range p {
		if err := os.WriteFile(filepath.Join(root, "log", name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fs, err := host.OpenFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	return reopen(t, fs, next, harmless)
}

// reopen opens the log, compares, appends a few entries, and opens it once more.
func reopen(t *testing.T, fs runtime.FS, next uint64, harmless bool) (outcome, string) {
	t.Helper()
	l, report, err := walrus.Open(fs, batteryOptions(2))
	switch {
	case errors.Is(err, walrus.ErrCorrupt) && harmless:
		return stubborn, err.Error()
	case errors.Is(err, walrus.ErrCorrupt):
		return refuses, err.Error()
	case err != nil:
		return stubborn, err.Error()
	}
	end, o, what := compareBattery(fs, l, next, report)
	if o >= reports {
		return o, what
	}
	s := &subject{fs: fs, log: l}
	if err := s.append(end, end+batteryLater); err != nil {
		return stubborn, err.Error()
	}
	if err := l.Close(fs); err != nil {
		t.Fatal(err)
	}
	l, report, err = walrus.Open(fs, batteryOptions(3))
	if err != nil {
		return stubborn, "the second time: " + err.Error()
	}
	defer l.Close(fs)
	if _, o, again := compareBattery(fs, l, end+batteryLater, report); o != fine {
		return o, "the second time: " + again
	}
	return fine, what
}

// compareBattery reads the whole log. It returns the index after its last entry.
func compareBattery(fs runtime.FS, l *walrus.Log, acked uint64, report *walrus.Report) (end uint64, o outcome, what string) {
	first, end := l.Bounds(mainTopic)
	what = report.Verdict.String()
	for _, f := range report.Findings {
		what += ", " + f.What
	}
	wrong := ""
	for lo := first; lo < end && wrong == ""; {
		extents, err := l.Locate(mainTopic, lo, end, 64<<10)
		if err != nil {
			return end, wrongly, err.Error()
		}
		err = walrus.ReadExtents(fs, extents, func(index, term uint64, _ uint8, payload []byte) error {
			if index != lo || term != 1 || !bytes.Equal(payload, batteryData(index)) {
				wrong = fmt.Sprintf("entry %d is not what was written", index)
			}
			lo++
			return nil
		})
		l.Release(extents)
		if errors.Is(err, walrus.ErrCorrupt) {
			return end, reports, err.Error()
		}
		if err != nil {
			return end, stubborn, err.Error()
		}
	}
	switch {
	case wrong != "":
		return end, wrongly, wrong
	case first != 1 || end > acked+1:
		return end, wrongly, fmt.Sprintf("holds [%d,%d), written were [1,%d)", first, end, acked)
	case end < acked && report.Verdict < walrus.Torn:
		return end, silent, fmt.Sprintf("holds [1,%d), acknowledged were [1,%d); %s", end, acked, what)
	case end < acked:
		return end, reports, what
	}
	return end, fine, what
}

// newSubject makes a log and returns its folder too.
func newSubject(t *testing.T, wrap func(runtime.FS) runtime.FS) (*subject, string) {
	t.Helper()
	root := t.TempDir()
	folder, err := host.OpenFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	fs := wrap(folder)
	l, _, err := walrus.Open(fs, batteryOptions(1))
	if err != nil {
		t.Fatal(err)
	}
	return &subject{fs: fs, log: l}, filepath.Join(root, "log")
}

// filled returns a log in which all entries are acknowledged.
func filled(t *testing.T, wrap func(runtime.FS) runtime.FS) (*subject, string) {
	t.Helper()
	s, dir := newSubject(t, wrap)
	for index := uint64(1); index <= batteryEntries; index++ {
		if err := s.appendOne(index); err != nil {
			t.Fatal(err)
		}
		if err := s.chores(); err != nil {
			t.Fatal(err)
		}
	}
	return s, dir
}

func plain(fs runtime.FS) runtime.FS { return fs }

// lastAcked and unacked are the last two entries that were written.
const (
	lastAcked = batteryEntries
	unacked   = batteryEntries + 1
)

// batteryRow is a row of the table. Damage changes the picture and returns false when there is
// no n-th way to.
type batteryRow struct {
	name     string
	unacked  bool // a group nobody acknowledged lies at the end
	harmless bool // nothing acknowledged is touched
	damage   func(t *testing.T, p picture, n int) bool
}

// once makes a row of one fault.
func once(f func(t *testing.T, p picture)) func(*testing.T, picture, int) bool {
	return func(t *testing.T, p picture, n int) bool {
		if n == 0 {
			f(t, p)
		}
		return n == 0
	}
}

// twoBits damages the n-th byte of what surrounds the payload of an entry.
func twoBits(t *testing.T, p picture, index uint64, n int) bool {
	data, at := p.find(t, index)
	switch {
	case n < batteryHead:
		data[at-batteryHead+n] ^= 1<<(n%8) | 1<<((n+3)%8)
	case n < batteryHead+batteryTail:
		data[at+batteryPayload+n-batteryHead] ^= 1<<(n%8) | 1<<((n+3)%8)
	default:
		return false
	}
	return true
}

// group returns the bytes of the group of an entry.
func (p picture) group(t *testing.T, index uint64) []byte {
	data, at := p.find(t, index)
	return data[at-batteryHead : at+batteryPayload+batteryTail]
}

var batteryRows = []batteryRow{
	{name: "clean crash image", harmless: true, damage: once(func(*testing.T, picture) {})},
	{name: "unacked append, whole", unacked: true, harmless: true, damage: once(func(*testing.T, picture) {})},
	{name: "torn unacked append, 2nd half missing", unacked: true, harmless: true, damage: once(func(t *testing.T, p picture) {
		g := p.group(t, unacked)
		clear(g[len(g)/2:])
	})},
	{name: "torn unacked append, 1st half missing", unacked: true, harmless: true, damage: once(func(t *testing.T, p picture) {
		g := p.group(t, unacked)
		clear(g[:len(g)/2])
	})},
	{name: "torn unacked append, only its middle", unacked: true, harmless: true, damage: once(func(t *testing.T, p picture) {
		g := p.group(t, unacked)
		clear(g[:300])
		clear(g[len(g)-300:])
	})},
	{name: "bit flip, acked payload, mid newest segment", damage: once(func(t *testing.T, p picture) {
		data, at := p.find(t, p.mid(t, p.segment(-1)))
		data[at+batteryPayload/2] ^= 4
	})},
	{name: "bit flip, acked payload, old segment", damage: once(func(t *testing.T, p picture) {
		data, at := p.find(t, p.mid(t, p.segment(1)))
		data[at+batteryPayload/2] ^= 4
	})},
	{name: "bit flip, last acked entry", damage: once(func(t *testing.T, p picture) {
		data, at := p.find(t, lastAcked)
		data[at+batteryPayload/2] ^= 4
	})},
	{name: "512 B of zeros, mid newest segment", damage: once(func(t *testing.T, p picture) {
		data, at := p.find(t, p.mid(t, p.segment(-1)))
		clear(data[(at+511)&^511:][:512])
	})},
	{name: "512 B of zeros, old segment", damage: once(func(t *testing.T, p picture) {
		data, at := p.find(t, p.mid(t, p.segment(1)))
		clear(data[(at+511)&^511:][:512])
	})},
	{name: "2 bits in every header/trailer byte, mid newest", damage: func(t *testing.T, p picture, n int) bool {
		return twoBits(t, p, p.mid(t, p.segment(-1)), n)
	}},
	{name: "2 bits in every header/trailer byte, old segment", damage: func(t *testing.T, p picture, n int) bool {
		return twoBits(t, p, p.mid(t, p.segment(1)), n)
	}},
	{name: "2 bits in every 5th header/trailer byte, last acked", damage: func(t *testing.T, p picture, n int) bool {
		return twoBits(t, p, lastAcked, 5*n) // these logs open, which takes several syncs each
	}},
	{name: "middle segment file missing", damage: once(func(_ *testing.T, p picture) { delete(p, p.segment(1)) })},
	{name: "oldest segment file missing", damage: once(func(_ *testing.T, p picture) { delete(p, p.segment(0)) })},
	{name: "newest segment file missing", damage: once(func(_ *testing.T, p picture) { delete(p, p.segment(-1)) })},
	{name: "newest segment file cut inside", damage: once(func(_ *testing.T, p picture) {
		name := p.segment(-1)
		p[name] = p[name][:len(bytes.TrimRight(p[name], "\x00"))-batteryPayload/2]
	})},
}

// No fault of the battery makes the log show wrong data, lose something in silence,
// or panic, and none that touches nothing acknowledged stops it.
func TestBattery(t *testing.T) {
	t.Parallel()
	s, dir := filled(t, plain)
	acked := copyFolder(t, dir)
	if _, err := s.write(unacked); err != nil {
		t.Fatal(err)
	}
	more := copyFolder(t, dir)
	var table strings.Builder
	for _, row := range batteryRows {
		from := acked
		if row.unacked {
			from = more
		}
		table.WriteString(row.run(t, from))
	}
	table.WriteString(grownFileEndsInside(t))
	table.WriteString(failedSync(t))
	t.Logf("%d entries of %d B, each acknowledged with a sync:\n%s", batteryEntries, batteryPayload, table.String())
}

// run opens the log once for each way of the row, and returns the row's line.
func (row batteryRow) run(t *testing.T, from picture) string {
	t.Helper()
	var seen [panicked + 1]int
	text := ""
	for n := 0; ; n++ {
		p := picture{}
		for name, data := range from {
			p[name] = slices.Clone(data)
		}
		if !row.damage(t, p, n) {
			break
		}
		o, what := judgeBattery(t, p, lastAcked+1, row.harmless)
		if seen[o]++; o >= silent || o != fine && row.harmless {
			t.Errorf("%s, %d: %v: %s", row.name, n, o, what)
		}
		if text == "" {
			text = what
		}
	}
	return batteryLine(row.name, seen, text)
}

// batteryLine renders one line of the table.
func batteryLine(name string, seen [panicked + 1]int, what string) string {
	var cells []string
	total := 0
	for o, n := range seen {
		if total += n; n > 0 {
			cells = append(cells, fmt.Sprintf("%d %v", n, outcome(o)))
		}
	}
	if total == 1 {
		cells[0] = cells[0][2:]
	}
	return fmt.Sprintf("  %-52s %-12s %.100s\n", name, strings.Join(cells, ", "), strings.TrimPrefix(what, "walrus: log is corrupt: "))
}

// grownFileEndsInside is the row of a file that ends inside an unacknowledged append. A file
// prepared in time never does; one that had to grow, because no chore ran, may.
func grownFileEndsInside(t *testing.T) string {
	t.Helper()
	s, dir := newSubject(t, plain)
	const entries = 100 // more than fit the size that the segment was made with
	if err := s.append(1, entries+1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write(entries + 1); err != nil {
		t.Fatal(err)
	}
	p := copyFolder(t, dir)
	name := p.segment(0)
	p[name] = p[name][:len(p[name])-batteryPayload/2]
	var seen [panicked + 1]int
	const row = "torn unacked append, grown file ends inside"
	o, what := judgeBattery(t, p, entries+1, true)
	if seen[o]++; o != fine {
		t.Errorf("%s: %v: %s", row, o, what)
	}
	return batteryLine(row, seen, what)
}

// syncFails fails the data sync that is due, once.
type syncFails struct {
	runtime.FS
	due *bool
}

type syncFailsFile struct {
	runtime.File
	due *bool
}

func (f syncFails) Open(name string) (runtime.File, error) {
	file, err := f.FS.Open(name)
	return syncFailsFile{file, f.due}, err
}

func (f syncFails) Create(name string) (runtime.File, error) {
	file, err := f.FS.Create(name)
	return syncFailsFile{file, f.due}, err
}

func (f syncFailsFile) SyncData() error {
	if *f.due {
		*f.due = false
		return runtime.ErrIO
	}
	return f.File.SyncData()
}

// failedSync is the row of a sync that returns EIO once, and a caller that tries again, and
// then something else: nothing more may be acknowledged. The next life has all that was.
func failedSync(t *testing.T) string {
	t.Helper()
	due := false
	s, dir := newSubject(t, func(fs runtime.FS) runtime.FS { return syncFails{fs, &due} })
	if err := s.append(1, 51); err != nil {
		t.Fatal(err)
	}
	due = true
	var seen [panicked + 1]int
	o, what := fine, ""
	if err := s.appendOne(51); !errors.Is(err, walrus.ErrFailed) || !errors.Is(err, runtime.ErrIO) {
		o, what = silent, fmt.Sprint("the failed sync returned ", err)
	}
	for _, index := range []uint64{51, 51, 52} {
		if err := s.retry(index); !errors.Is(err, walrus.ErrFailed) {
			o, what = silent, fmt.Sprint("acknowledged after a failed sync: ", err)
		}
	}
	const row = "failed sync, EIO once, caller retries the value"
	if o == fine {
		if again, text := judgeBattery(t, copyFolder(t, dir), 51, true); again != fine {
			o, what = again, text
		} else {
			o, what = refuses, "every later append: "+walrus.ErrFailed.Error()
		}
	}
	if seen[o]++; o != refuses {
		t.Errorf("%s: %v: %s", row, o, what)
	}
	return batteryLine(row, seen, what)
}

// retry is appendOne for a caller that does not care what happened before.
func (s *subject) retry(index uint64) error {
	var b walrus.Batch
	b.Entry(mainTopic, index, 1, 0, batteryData(index))
	if err := s.log.Stage(&b); err != nil {
		return err
	}
	g := s.log.Cut()
	if g == nil {
		return io.ErrNoProgress
	}
	err := walrus.Flush(s.fs, g)
	if err == nil {
		s.log.Publish(g)
	}
	return err
}
