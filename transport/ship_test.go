package transport_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/transport"
)

// dock is a node of a ship rig.
type dock struct {
	*transport.Shipper
	id      runtime.NodeID
	files   runtime.FS
	offered []transport.Offered
	fetched []transport.Fetched
	wanted  []transport.Digest
	events  map[runtime.EventKind]int
	sent    int          // bytes of chunks
	held    runtime.Lane // jobs of that lane wait in kept; 0: of none
	kept    []transport.Job
}

// shipRig is some nodes with a folder each. Jobs run at once, frames arrive at once, unless
// the test loses them.
type shipRig struct {
	t    *testing.T
	cfg  transport.ShipperConfig
	now  runtime.Instant
	node []*dock // by id, from 1
	lost func(from, to runtime.NodeID, frame []byte) bool
	far  time.Duration // how long frames are under way
	sky  []flight      // those that are, if far is not zero
}

// flight is a frame under way.
type flight struct {
	at       runtime.Instant
	from, to runtime.NodeID
	frame    []byte
}

func newShipRig(t *testing.T, nodes int, cfg transport.ShipperConfig) *shipRig {
	if cfg.ChunkBytes == 0 {
		cfg.ChunkBytes = transport.ChunkMin
	}
	r := &shipRig{t: t, cfg: cfg, node: make([]*dock, 1)}
	for i := range nodes {
		folder, err := host.OpenFolder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		r.node = append(r.node, &dock{id: runtime.NodeID(i + 1), files: folder})
		r.boot(i + 1)
	}
	return r
}

// boot gives a node a new life with the same folder.
func (r *shipRig) boot(i int) {
	r.node[i] = &dock{
		Shipper: transport.NewShipper(r.cfg), id: runtime.NodeID(i), files: r.node[i].files, events: map[runtime.EventKind]int{},
	}
}

// flow carries everything out until there is nothing to do at this instant.
func (r *shipRig) flow() {
	for busy := true; busy; {
		busy = false
		for _, d := range r.node[1:] {
			out := d.Take()
			busy = busy || len(out.Jobs)+len(out.Send) > 0
			d.offered = append(d.offered, out.Offered...)
			d.fetched = append(d.fetched, out.Fetched...)
			d.wanted = append(d.wanted, out.Wanted...)
			for _, ev := range out.Events {
				d.events[ev.Kind]++
			}
			for _, j := range out.Jobs {
				if j.Lane == d.held && d.held > 0 {
					d.kept = append(d.kept, j)
					continue
				}
				d.JobDone(r.now, j.ID, j.Run(d.files))
			}
			for _, f := range out.Send {
				if len(f.Frame) > transport.ChunkMin {
					d.sent += len(f.Frame)
				}
				if r.lost != nil && r.lost(d.id, f.To, f.Frame) {
					continue
				}
				r.sky = append(r.sky, flight{r.now.Add(r.far), d.id, f.To, f.Frame})
			}
		}
		for len(r.sky) > 0 && r.sky[0].at <= r.now {
			f := r.sky[0]
			r.sky = r.sky[1:]
			busy = true
			if err := r.node[f.to].Receive(r.now, f.from, f.frame); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// pass lets time go by.
func (r *shipRig) pass(d time.Duration) {
	r.flow()
	for end := r.now.Add(d); ; {
		next := runtime.Never
		for _, n := range r.node[1:] {
			next = min(next, n.Deadline())
		}
		if len(r.sky) > 0 {
			next = min(next, r.sky[0].at)
		}
		if next > end {
			r.now = end
			return
		}
		r.now = max(r.now, next)
		for _, n := range r.node[1:] {
			n.Tick(r.now)
		}
		r.flow()
	}
}

func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(runtime.Mix(7, uint64(i/3)))
	}
	return b
}

func (r *shipRig) offer(i int, data []byte) transport.Digest {
	d, err := r.node[i].OfferBytes(data)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *shipRig) fetch(i int, o transport.Order) transport.FetchID {
	id, err := r.node[i].Fetch(r.now, o)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// put makes a file of a node.
func (r *shipRig) put(i int, name string, data []byte) {
	f, err := r.node[i].files.Create(name)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, 0); err != nil {
		r.t.Fatal(err)
	}
}

// have checks that a node has exactly these files, with those bytes in each.
func (r *shipRig) have(i int, data []byte, names ...string) {
	r.t.Helper()
	got, err := r.node[i].files.List(".")
	if err != nil {
		r.t.Fatal(err)
	}
	if len(got) != len(names) {
		r.t.Errorf("files %q, want %q", got, names)
		return
	}
	for _, name := range names {
		f, err := r.node[i].files.Open(name)
		if err != nil {
			r.t.Error(err)
			continue
		}
		size, _ := f.Size()
		bytesGot := make([]byte, size)
		_, _ = f.ReadAt(bytesGot, 0) // a short read is seen below
		f.Close()
		if !bytes.Equal(bytesGot, data) {
			r.t.Errorf("%s has %d other bytes", name, size)
		}
	}
}

// ended returns the one end of a fetch at the node.
func (r *shipRig) ended(i int) transport.Fetched {
	r.t.Helper()
	if len(r.node[i].fetched) != 1 {
		r.t.Fatalf("%d fetches have ended, want 1", len(r.node[i].fetched))
	}
	end := r.node[i].fetched[0]
	r.node[i].fetched = nil
	return end
}

func TestShipsFilesAndMemory(t *testing.T) {
	for _, size := range []int{0, 1, transport.ChunkMin, transport.ChunkMin + 1, 100_000} {
		r := newShipRig(t, 2, transport.ShipperConfig{})
		data := pattern(size)
		r.put(1, "source", data)
		if _, err := r.node[1].OfferFile("source"); err != nil {
			t.Fatal(err)
		}
		r.flow()
		d := r.node[1].offered[0].Digest
		if d != r.offer(2, data) || r.node[1].offered[0].Err != nil {
			t.Errorf("%d bytes have another digest in a file", size)
		}
		r.fetch(2, transport.Order{Digest: d, Sources: []runtime.NodeID{1}, Path: "copy"})
		r.pass(time.Second)
		if end := r.ended(2); end.Err != nil {
			t.Fatal(end.Err)
		}
		r.have(2, data, "copy")
		r.fetch(2, transport.Order{Digest: d, Sources: []runtime.NodeID{1}})
		r.pass(time.Second)
		if end := r.ended(2); end.Err != nil || !bytes.Equal(end.Data, data) {
			t.Errorf("%d bytes into memory: %d, %v", size, len(end.Data), end.Err)
		}
		if load := r.node[2].Load(); load != (transport.ShipperLoad{}) {
			t.Errorf("still held: %+v", load)
		}
	}
}

// What is on disk is not sent again, whatever ended the transfer before.
func TestResumesAfterCutsAndRestarts(t *testing.T) {
	r := newShipRig(t, 2, transport.ShipperConfig{Patience: time.Second, Window: 4})
	data := pattern(500 * transport.ChunkMin)
	order := transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy"}
	for cut := range 10 {
		budget := 45 * transport.ChunkMin
		r.lost = func(from, _ runtime.NodeID, frame []byte) bool {
			if from == 1 && len(frame) > transport.ChunkMin {
				budget -= len(frame)
			}
			return budget < 0
		}
		r.fetch(2, order)
		r.pass(2 * time.Second)
		if cut%2 == 0 {
			if end := r.ended(2); !errors.Is(end.Err, transport.ErrTimeout) {
				t.Fatal(end.Err)
			}
		}
		r.boot(2)
	}
	r.lost = nil
	id := r.fetch(2, order)
	r.flow()
	if p, under := r.node[2].Progress(id); under && p.Found == 0 {
		t.Errorf("nothing was found: %+v", p)
	}
	r.pass(time.Second)
	if end := r.ended(2); end.Err != nil {
		t.Fatal(end.Err)
	}
	r.have(2, data, "copy")
	// Each cut loses what was on its way, and what is asked for again in vain until
	// patience ends: the window, and a few single chunks.
	if again := r.node[1].sent - len(data); again > 10*12*2*transport.ChunkMin {
		t.Errorf("%d bytes were sent again", again)
	}
	if r.node[2].events[transport.FetchResumed] != 1 {
		t.Error("no event says that the fetch was resumed")
	}
}

func TestSeveralSourcesShareTheWork(t *testing.T) {
	r := newShipRig(t, 4, transport.ShipperConfig{})
	data := pattern(300 * transport.ChunkMin)
	d := r.offer(1, data)
	r.offer(2, data)
	r.fetch(4, transport.Order{Digest: d, Sources: []runtime.NodeID{3, 1, 2}, Path: "copy"}) // 3 does not have it
	r.pass(10 * time.Second)
	if end := r.ended(4); end.Err != nil {
		t.Fatal(end.Err)
	}
	r.have(4, data, "copy")
	if a, b := r.node[1].sent, r.node[2].sent; a < len(data)/4 || b < len(data)/4 || a+b > len(data)*11/10 {
		t.Errorf("%d and %d bytes were sent", a, b)
	}
}

func TestOtherSourceTakesOver(t *testing.T) {
	r := newShipRig(t, 3, transport.ShipperConfig{})
	data := pattern(100 * transport.ChunkMin)
	r.put(1, "rotten", data)
	if _, err := r.node[1].OfferFile("rotten"); err != nil {
		t.Fatal(err)
	}
	r.flow()
	d := r.offer(2, data)
	f, err := r.node[1].files.Open("rotten")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 60*transport.ChunkMin), 10*transport.ChunkMin); err != nil {
		t.Fatal(err)
	}
	f.Close()
	r.fetch(3, transport.Order{Digest: d, Sources: []runtime.NodeID{1, 2}, Path: "copy"})
	r.pass(10 * time.Second)
	if end := r.ended(3); end.Err != nil {
		t.Fatal(end.Err)
	}
	r.have(3, data, "copy")
	if r.node[1].events[transport.OfferDamaged] == 0 {
		t.Error("no event says that the source is damaged")
	}
}

// A source whose chunks are wrong, although its frames are whole, is not believed.
func TestWrongChunksAreRefused(t *testing.T) {
	r := newShipRig(t, 2, transport.ShipperConfig{Patience: 5 * time.Second})
	data := pattern(20 * transport.ChunkMin)
	d := r.offer(1, data)
	data[3*transport.ChunkMin]++ // against the rules
	r.fetch(2, transport.Order{Digest: d, Sources: []runtime.NodeID{1}, Path: "copy"})
	r.pass(time.Minute)
	if end := r.ended(2); !errors.Is(end.Err, transport.ErrTimeout) {
		t.Error(end.Err)
	}
	if r.node[2].events[transport.ChunkRefused] == 0 {
		t.Error("no event says that a chunk was refused")
	}
	if names, _ := r.node[2].files.List("."); len(names) != 1 || !transport.IsPart(names[0]) {
		t.Errorf("files: %q", names)
	}
}

func TestRateIsKept(t *testing.T) {
	data := pattern(400 * transport.ChunkMin)
	for _, c := range []struct {
		name string
		cfg  transport.ShipperConfig
		rate int64
	}{
		{"of the source", transport.ShipperConfig{Rate: 100 << 10}, 0},
		{"of the fetch", transport.ShipperConfig{}, 100 << 10},
	} {
		r := newShipRig(t, 2, c.cfg)
		r.fetch(2, transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy", Rate: c.rate})
		r.pass(3900 * time.Millisecond)
		if len(r.node[2].fetched) > 0 {
			t.Errorf("the rate %s is exceeded", c.name)
		}
		r.pass(300 * time.Millisecond)
		if end := r.ended(2); end.Err != nil {
			t.Errorf("%s: %v", c.name, end.Err)
		}
	}
}

// A source that takes its time is not asked for more than keeps it busy: what is under way is sent in vain after a cut.
func TestNoMoreIsUnderWayThanHelps(t *testing.T) {
	const window = 64
	r := newShipRig(t, 2, transport.ShipperConfig{Rate: 100 << 10, Window: window})
	data := pattern(600 * transport.ChunkMin)
	r.fetch(2, transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy"})
	most := 0
	for r.pass(time.Second); len(r.node[2].fetched) == 0; r.pass(10 * time.Millisecond) {
		most = max(most, r.node[1].Load().Queue)
	}
	if end := r.ended(2); end.Err != nil {
		t.Fatal(end.Err)
	}
	if r.now > runtime.Instant(6200*time.Millisecond) {
		t.Errorf("it takes %v, and could take 6 s", r.now)
	}
	if most > window/4 {
		t.Errorf("%d chunks wait at the source", most)
	}
}

// Many chunks are under way where there is room for them: between far places that much can be carried at a time.
func TestLongWayIsFilled(t *testing.T) {
	const window, far = 64, 50 * time.Millisecond
	r := newShipRig(t, 2, transport.ShipperConfig{Window: window, Patience: 5 * time.Second})
	r.far = far
	data := pattern(3000 * transport.ChunkMin)
	r.fetch(2, transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy"})
	for len(r.node[2].fetched) == 0 {
		r.pass(far)
	}
	if end := r.ended(2); end.Err != nil {
		t.Fatal(end.Err)
	}
	if trips := int(r.now / runtime.Instant(2*far)); trips > 3000/window+25 {
		t.Errorf("it takes %d trips for %d windows", trips, 3000/window)
	}
}

// full is a file system on which nothing can be allocated.
type full struct{ runtime.FS }

type fullFile struct{ runtime.File }

func (f full) Create(name string) (runtime.File, error) {
	file, err := f.FS.Create(name)
	return fullFile{file}, err
}

func (fullFile) Allocate(int64, int64, bool) error { return runtime.ErrNoSpace }

func TestRefusesWhatIsTooMuch(t *testing.T) {
	r := newShipRig(t, 2, transport.ShipperConfig{SizeMax: 10_000, MemoryMax: 5_000, FetchesMax: 2, OffersMax: 1})
	if _, err := r.node[1].OfferBytes(pattern(10_001)); !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("offer: %v", err)
	}
	r.put(1, "large", pattern(10_001))
	if _, err := r.node[1].OfferFile("large"); err != nil {
		t.Fatal(err)
	}
	r.flow()
	if err := r.node[1].offered[0].Err; !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("offer of a file: %v", err)
	}
	d := r.offer(1, pattern(10_000))
	if _, err := r.node[1].OfferBytes(nil); !errors.Is(err, transport.ErrBusy) {
		t.Errorf("a second offer: %v", err)
	}
	order := transport.Order{Digest: d, Sources: []runtime.NodeID{1}}
	for _, c := range []struct {
		name string
		edit func(*transport.Order)
		want error
	}{
		{"too large", func(o *transport.Order) { o.Digest.Size = 10_001; o.Path = "x" }, transport.ErrTooLarge},
		{"negative", func(o *transport.Order) { o.Digest.Size = -1; o.Path = "x" }, transport.ErrTooLarge},
		{"too large for memory", func(*transport.Order) {}, transport.ErrTooLarge},
		{"bad path", func(o *transport.Order) { o.Path = "../x" }, fs.ErrInvalid},
		{"no source", func(o *transport.Order) { o.Path, o.Sources = "x", nil }, fs.ErrInvalid},
	} {
		o := order
		c.edit(&o)
		if _, err := r.node[2].Fetch(r.now, o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	order.Path = "x"
	r.fetch(2, order)
	if _, err := r.node[2].Fetch(r.now, order); !errors.Is(err, transport.ErrBusy) {
		t.Errorf("the same path: %v", err)
	}
	r.node[2].files = full{r.node[2].files}
	r.pass(time.Second)
	if end := r.ended(2); !errors.Is(end.Err, runtime.ErrNoSpace) {
		t.Errorf("full disk: %v", end.Err)
	}
	r.have(2, nil)
}

func TestCancelledFetchLeavesItsPart(t *testing.T) {
	r := newShipRig(t, 2, transport.ShipperConfig{Window: 1, Rate: 10 << 10})
	data := pattern(50 * transport.ChunkMin)
	order := transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy"}
	id := r.fetch(2, order)
	r.pass(time.Second)
	if !r.node[2].Cancel(id) || r.node[2].Cancel(id) {
		t.Error("a fetch can be cancelled once")
	}
	r.pass(time.Second)
	if len(r.node[2].fetched) > 0 {
		t.Error("it has an end all the same")
	}
	if names, _ := r.node[2].files.List("."); len(names) != 1 || !transport.IsPart(names[0]) {
		t.Errorf("files: %q", names)
	}
	if !r.node[1].Withdraw(order.Digest) || r.node[1].Withdraw(order.Digest) {
		t.Error("an offer can be withdrawn once")
	}
}

// What is asked of a source in a row is one message.
func TestChunksAreAskedForInRuns(t *testing.T) {
	r := newShipRig(t, 2, transport.ShipperConfig{Rate: 100 << 10, Window: 64})
	data := pattern(300 * transport.ChunkMin)
	messages := 0
	r.lost = func(_, to runtime.NodeID, _ []byte) bool {
		if to == 1 {
			messages++
		}
		return false
	}
	r.fetch(2, transport.Order{Digest: r.offer(1, data), Sources: []runtime.NodeID{1}, Path: "copy"})
	r.pass(10 * time.Second)
	if end := r.ended(2); end.Err != nil {
		t.Fatal(end.Err)
	}
	r.have(2, data, "copy")
	if messages > 200 {
		t.Errorf("%d messages for 300 chunks", messages)
	}
}

// A peer that asks for too much at a time is not listened to, and one that asks beyond the end gets what there is.
func TestRunsAreBounded(t *testing.T) {
	s := transport.NewShipper(transport.ShipperConfig{ChunkBytes: transport.ChunkMin})
	d, err := s.OfferBytes(pattern(3 * transport.ChunkMin))
	if err != nil {
		t.Fatal(err)
	}
	get := func(index, more uint32) []byte {
		frame := transport.AppendHeader(nil, 0x42)
		frame = binary.LittleEndian.AppendUint64(frame, d.Hash)
		frame = binary.LittleEndian.AppendUint64(frame, uint64(d.Size))
		frame = binary.LittleEndian.AppendUint32(frame, index)
		frame = binary.LittleEndian.AppendUint32(frame, more)
		if err := transport.Seal(frame); err != nil {
			t.Fatal(err)
		}
		return frame
	}
	for _, c := range []struct{ index, more uint32 }{{0, 16}, {0, 1<<32 - 1}, {1<<16 - 1, 1}, {1 << 16, 0}} {
		if err := s.Receive(0, 2, get(c.index, c.more)); err == nil || len(s.Take().Send) > 0 {
			t.Errorf("chunk %d and %d more: %v", c.index, c.more, err)
		}
	}
	if err := s.Receive(0, 2, get(1, 2)); err != nil {
		t.Fatal(err)
	}
	sizes := []int{}
	for _, f := range s.Take().Send {
		sizes = append(sizes, len(f.Frame))
	}
	const header = transport.HeaderSize + 24
	slices.Sort(sizes) // the last of the three is not there: that is said
	if want := []int{header, header + transport.ChunkMin, header + transport.ChunkMin}; !slices.Equal(sizes, want) {
		t.Errorf("frames of %v bytes, want %v", sizes, want)
	}
}

// The bytes on the wire are pinned: members of one cluster may run different builds.
func TestMessagesArePinned(t *testing.T) {
	rpc := transport.NewRPC(transport.RPCConfig{Incarnation: 0x0102030405060708})
	if _, err := rpc.Call(0, 2, 1000, []byte("x")); err != nil {
		t.Fatal(err)
	}
	s := transport.NewShipper(transport.ShipperConfig{})
	d, err := s.OfferBytes([]byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fetch(0, transport.Order{Digest: d, Sources: []runtime.NodeID{1}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"hello", rpc.Take().Send[0].Frame, goldenHello},
		{"ask", s.Take().Send[0].Frame, goldenAsk},
		{"get", getFrame(t), goldenGet},
	} {
		if got := hex.EncodeToString(c.frame); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// getFrame returns the message that asks for three chunks.
func getFrame(t *testing.T) []byte {
	source, s := transport.NewShipper(transport.ShipperConfig{}), transport.NewShipper(transport.ShipperConfig{})
	d, err := source.OfferBytes(pattern(3 * 64 << 10))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fetch(0, transport.Order{Digest: d, Sources: []runtime.NodeID{1}}); err != nil {
		t.Fatal(err)
	}
	if err := source.Receive(0, 2, s.Take().Send[0].Frame); err != nil {
		t.Fatal(err)
	}
	if err := s.Receive(0, 1, source.Take().Send[0].Frame); err != nil {
		t.Fatal(err)
	}
	return s.Take().Send[0].Frame
}

const (
	goldenGet   = "f701420018000000ca2eb81d" + "1cbcc71f8c07c940" + "0000030000000000" + "00000000" + "02000000"
	goldenHello = "f70120003000000061edfc63" + "0807060504030201" + "0000000000000000" + "0000000000000000" +
		"0100000000000000" + "0000000000000000" + "0000000000000000"
	goldenAsk = "f70140001800000006384eb0" + "00101007330b29b8" + "0500000000000000" + "ffffffff" + "00000000"
)

// A source that is gone costs little: the last chunks are not left waiting for it.
func TestDeadSourceIsNotWaitedFor(t *testing.T) {
	r := newShipRig(t, 3, transport.ShipperConfig{Rate: 100 << 10})
	data := pattern(100 * transport.ChunkMin)
	d := r.offer(1, data)
	r.offer(2, data)
	r.lost = func(from, to runtime.NodeID, _ []byte) bool { return from == 2 || to == 2 }
	r.fetch(3, transport.Order{Digest: d, Sources: []runtime.NodeID{2, 1}, Path: "copy"})
	r.pass(2 * time.Second)
	if end := r.ended(3); end.Err != nil {
		t.Fatal(end.Err)
	}
}

// The driver hears of what is asked for and not offered. Once it is, the peer gets it.
func TestDriverOffersWhatIsWanted(t *testing.T) {
	r := newShipRig(t, 2, transport.ShipperConfig{})
	data := pattern(10 * transport.ChunkMin)
	d := r.offer(1, data)
	r.node[1].Withdraw(d)
	r.fetch(2, transport.Order{Digest: d, Sources: []runtime.NodeID{1}, Path: "copy"})
	r.pass(1500 * time.Millisecond)
	if got := r.node[1].wanted; len(got) != 2 || got[0] != d || got[1] != d {
		t.Errorf("wanted are %v, want %v twice", got, d)
	}
	r.offer(1, data)
	r.pass(time.Second)
	if end := r.ended(2); end.Err != nil {
		t.Fatal(end.Err)
	}
	r.have(2, data, "copy")
	for i := range 100 {
		ask := transport.NewShipper(r.cfg)
		if _, err := ask.Fetch(r.now, transport.Order{Digest: transport.Digest{Hash: uint64(i)}, Sources: []runtime.NodeID{1}}); err != nil {
			t.Fatal(err)
		}
		if err := r.node[1].Receive(r.now, 2, ask.Take().Send[0].Frame); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.node[1].Take().Wanted; len(got) != 16 {
		t.Errorf("%d are wanted at once, want 16", len(got))
	}
}

// Two lanes of one node tell their frames apart by their kinds.
func TestLanesHaveTheirOwnKinds(t *testing.T) {
	ours := transport.NewShipper(transport.ShipperConfig{Kinds: 0x10})
	other := transport.NewShipper(transport.ShipperConfig{})
	order := transport.Order{Digest: transport.Digest{Size: 1}, Sources: []runtime.NodeID{1}}
	if _, err := ours.Fetch(0, order); err != nil {
		t.Fatal(err)
	}
	frame := ours.Take().Send[0].Frame
	if frame[2] != 0x10 || !ours.Handles(frame) || other.Handles(frame) || other.Receive(0, 2, frame) == nil {
		t.Errorf("frame of kind %#x: its own lane handles it %v, another %v", frame[2], ours.Handles(frame), other.Handles(frame))
	}
	for _, kind := range []uint8{0x0f, 0x15, 0xff, 0} {
		if ours.Handles(transport.AppendHeader(nil, kind)) {
			t.Errorf("kind %#x is handled", kind)
		}
	}
	if ours.Handles(nil) || ours.Handles([]byte{transport.Magic, transport.Version}) {
		t.Error("what is no frame is handled")
	}
	if err := (transport.ShipperConfig{Kinds: 0xfc}).Validate(); err == nil {
		t.Error("kinds beyond 0xff validate")
	}
}

// An offer may be withdrawn, and its file removed, while chunks of it are being read: the fetch goes on
// elsewhere, and the same offer can be made again.
func TestOfferIsWithdrawnInTheMidstOfIt(t *testing.T) {
	r := newShipRig(t, 3, transport.ShipperConfig{Rate: 50 << 10})
	data := pattern(100 * transport.ChunkMin)
	for range 2 {
		r.put(1, "source", data)
		if _, err := r.node[1].OfferFile("source"); err != nil {
			t.Fatal(err)
		}
		r.flow()
		d := r.node[1].offered[len(r.node[1].offered)-1].Digest
		r.offer(2, data)
		r.fetch(3, transport.Order{Digest: d, Sources: []runtime.NodeID{1, 2}, Path: "copy"})
		r.pass(300 * time.Millisecond)
		if !r.node[1].Withdraw(d) {
			t.Fatal("it was not offered")
		}
		if err := r.node[1].files.Remove("source"); err != nil {
			t.Fatal(err)
		}
		r.pass(10 * time.Second)
		if end := r.ended(3); end.Err != nil {
			t.Fatal(end.Err)
		}
		r.have(3, data, "copy")
		if load := r.node[1].Load(); load != (transport.ShipperLoad{}) {
			t.Errorf("still held: %+v", load)
		}
		if err := r.node[3].files.Remove("copy"); err != nil {
			t.Fatal(err)
		}
	}
}

// A digest computed from the bytes as they come is that of the file; and chunks that are then read
// wrong, for a while or for good, are not sent.
func TestHashedFileIsOffered(t *testing.T) {
	for _, size := range []int{0, 1, transport.ChunkMin, 10*transport.ChunkMin + 7} {
		r := newShipRig(t, 3, transport.ShipperConfig{})
		data := pattern(size)
		want := r.offer(2, data)
		h := r.node[1].Hasher(int64(size))
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 1+int(runtime.Mix(3, uint64(len(rest)))%3000))
			if _, err := h.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; len(rest) > 0 {
				if _, err := r.node[1].OfferHashed("source", h); !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("an offer with %d bytes missing: %v", len(rest), err)
				}
			}
		}
		if _, err := h.Write([]byte("x")); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("a byte too many: %v", err)
		}
		d, err := r.node[1].OfferHashed("source", h)
		if err != nil || d != want {
			t.Fatalf("%d bytes hash to %v, %v, want %v", size, d, err, want)
		}
		lies := &lying{FS: r.node[1].files, left: 2}
		r.put(1, "source", data)
		r.node[1].files = lies
		r.fetch(3, transport.Order{Digest: d, Sources: []runtime.NodeID{1}, Path: "copy"})
		r.pass(time.Second)
		if end := r.ended(3); end.Err != nil {
			t.Fatal(end.Err)
		}
		r.have(3, data, "copy")
		if got := r.node[1].events[transport.OfferDamaged]; got > 0 || size > 0 && lies.left > 0 {
			t.Errorf("after two reads that lied, %d chunks are said to be damaged", got)
		}
	}
}

// lying is a file system some of whose reads show what is not there.
type lying struct {
	runtime.FS
	left int
}

func (l *lying) Open(name string) (runtime.File, error) {
	f, err := l.FS.Open(name)
	return lyingFile{f, l}, err
}

type lyingFile struct {
	runtime.File
	l *lying
}

func (f lyingFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if f.l.left > 0 && n > 0 {
		f.l.left--
		p[n-1] ^= 1
	}
	return n, err
}
