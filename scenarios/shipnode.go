package scenarios

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// shipLoadEvery is how often a shipNode says what it holds.
const shipLoadEvery = 100 * time.Millisecond

// shipNode fetches objects for clients, and offers objects to its peers. Those it
// offers it makes itself, when it boots; half of them lie in files.
type shipNode struct {
	env     runtime.Env
	limits  transport.ShipperConfig
	nodes   int
	objects int
	ready   bool
	shipper *transport.Shipper
	errands []shipErrand
	digests []transport.Digest // of all objects, which everybody knows
	loadAt  runtime.Instant
}

// shipErrand is a fetch for a client.
type shipErrand struct {
	call  runtime.CallID
	fetch transport.FetchID
	name  string
}

func newShipNode(limits transport.ShipperConfig, nodes, objects int) *shipNode {
	return &shipNode{limits: limits, nodes: nodes, objects: objects}
}

// Boot implements runtime.Node. The node says which files it finds, makes those that it
// offers, and is ready.
func (n *shipNode) Boot(env runtime.Env) {
	n.env = env
	n.shipper = transport.NewShipper(n.limits)
	job := &shipBoot{}
	for object := range n.objects {
		content := shipContent(object)
		n.digests = append(n.digests, shipDigest(n.limits, content))
		switch {
		case !slices.Contains(shipSources(object, n.nodes), env.Self()):
		case object%2 == 0:
			job.sources = append(job.sources, shipFile{name: shipSource + strconv.Itoa(object), data: content})
		default:
			if _, err := n.shipper.OfferBytes(content); err != nil {
				panic(err.Error()) // there are fewer than it takes
			}
		}
	}
	env.Submit(0, job.execute, func(err error) { n.booted(job, err) })
}

// shipDigest returns the digest under which nodes with these limits offer the bytes.
func shipDigest(limits transport.ShipperConfig, content []byte) transport.Digest {
	d, err := transport.NewShipper(limits).OfferBytes(content)
	if err != nil {
		panic(err.Error())
	}
	return d
}

func (n *shipNode) booted(job *shipBoot, err error) {
	if err != nil {
		n.env.Halt(err)
		return
	}
	for _, f := range job.found {
		n.env.Trace(runtime.Event{Kind: transport.FileFound, A: uint64(len(f.data)), C: runtime.HashBytes(0, f.data), Note: []byte(f.name)})
	}
	n.env.Trace(runtime.Event{Kind: transport.FilesListed, A: uint64(len(job.found))})
	for _, f := range job.sources {
		if _, err := n.shipper.OfferFile(f.name); err != nil {
			panic(err.Error())
		}
	}
	n.ready = true
	n.settle()
}

// shipFile is a file as a whole.
type shipFile struct {
	name string
	data []byte
}

// shipBoot is the job that a node begins with.
type shipBoot struct {
	sources []shipFile
	found   []shipFile
}

// execute reads the fetched files, and makes those offered that are not there or not what they should be.
func (b *shipBoot) execute(files runtime.FS) error {
	var names []string
	if err := persist(func() (err error) { names, err = files.List("."); return err }); err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, shipFinal) && !transport.IsPart(name) {
			data, err := readWhole(files, name)
			if err != nil {
				return err
			}
			b.found = append(b.found, shipFile{name: name, data: data})
		}
	}
	for _, f := range b.sources {
		if slices.Contains(names, f.name) {
			if data, err := readWhole(files, f.name); err == nil && bytes.Equal(data, f.data) {
				continue
			}
			if err := persist(func() error { return files.Remove(f.name) }); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := writeWhole(files, f); err != nil {
			return err
		}
	}
	return nil
}

// persist makes a file call again that has failed for no good reason.
func persist(call func() error) error {
	var err error
	for range 20 {
		if err = call(); err == nil || !errors.Is(err, runtime.ErrIO) {
			return err
		}
	}
	return err
}

func readWhole(files runtime.FS, name string) ([]byte, error) {
	var f runtime.File
	if err := persist(func() (err error) { f, err = files.Open(name); return err }); err != nil {
		return nil, err
	}
	defer f.Close()
	var size int64
	if err := persist(func() (err error) { size, err = f.Size(); return err }); err != nil {
		return nil, err
	}
	data := make([]byte, size)
	err := persist(func() error { _, err := f.ReadAt(data, 0); return err })
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data, err
}

func writeWhole(files runtime.FS, file shipFile) error {
	var f runtime.File
	err := persist(func() (err error) { f, err = files.Create(file.name); return err })
	if err != nil {
		return err
	}
	defer f.Close()
	return persist(func() error { _, err := f.WriteAt(file.data, 0); return err })
}

// Receive implements runtime.Node.
func (n *shipNode) Receive(from runtime.NodeID, _ runtime.Channel, frame []byte) {
	if n.ready {
		_ = n.shipper.Receive(n.env.Now(), from, frame) // a damaged frame is as good as a lost one
		n.settle()
	}
}

// Wake implements runtime.Node.
func (n *shipNode) Wake() {
	now := n.env.Now()
	n.shipper.Tick(now)
	if now >= n.loadAt {
		n.loadAt = now.Add(shipLoadEvery)
		l := n.shipper.Load()
		n.env.Trace(runtime.Event{Kind: transport.ShipLoadSeen, A: uint64(l.Fetches), B: uint64(l.Bytes), C: uint64(l.Queue)})
	}
	n.settle()
}

// Call implements runtime.Node.
func (n *shipNode) Call(id runtime.CallID, _ runtime.Instant, req []byte) {
	cmd, err := decodeShipCommand(req)
	object, known := shipObject(cmd.name)
	if err != nil || !known || !n.ready || object >= n.objects {
		n.env.Reply(id, runtime.Refused, nil)
		return
	}
	if cmd.kind == shipDamage {
		n.damage(id, object)
		return
	}
	order := transport.Order{Digest: n.digests[object], Sources: shipSources(object, n.nodes)}
	if cmd.kind == shipToFile {
		order.Path = cmd.name
	}
	fetch, err := n.shipper.Fetch(n.env.Now(), order)
	if err != nil {
		n.env.Reply(id, runtime.Refused, nil)
		return
	}
	n.env.Trace(runtime.Event{
		Kind: transport.FetchBegun, A: uint64(fetch), C: order.Digest.Hash, D: uint64(order.Digest.Size), Note: []byte(cmd.name),
	})
	n.errands = append(n.errands, shipErrand{call: id, fetch: fetch, name: cmd.name})
	n.settle()
}

// damage changes the file of an object that is offered, if another node offers it too: as
// bad disks do.
func (n *shipNode) damage(id runtime.CallID, object int) {
	if n.env.Self() != shipSources(object, n.nodes)[0] {
		n.env.Reply(id, runtime.Done, nil)
		return
	}
	n.env.Submit(0, func(files runtime.FS) error {
		f, err := files.Open(shipSource + strconv.Itoa(object))
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteAt([]byte("rot"), int64(object)*64)
		return err
	}, func(error) { n.env.Reply(id, runtime.Done, nil) })
}

// Cancel implements runtime.Node.
func (n *shipNode) Cancel(id runtime.CallID) {
	i := slices.IndexFunc(n.errands, func(e shipErrand) bool { return e.call == id })
	if i >= 0 {
		n.shipper.Cancel(n.errands[i].fetch)
		n.errands = slices.Delete(n.errands, i, i+1)
		n.settle()
	}
}

// Stop implements runtime.Node.
func (n *shipNode) Stop() { n.env.Halt(nil) }

// settle carries out what the Shipper asks for, and sets the alarm.
func (n *shipNode) settle() {
	out := n.shipper.Take()
	for _, ev := range out.Events {
		n.env.Trace(ev)
	}
	for _, f := range out.Send {
		n.env.Send(f.To, runtime.ChannelFiles, f.Frame)
	}
	for _, j := range out.Jobs {
		n.env.Submit(j.Lane, j.Run, func(err error) {
			n.shipper.JobDone(n.env.Now(), j.ID, err)
			n.settle()
		})
	}
	for i := range out.Offered {
		if err := out.Offered[i].Err; err != nil {
			n.env.Halt(err) // the disk is bad: it may go better after a restart
			return
		}
	}
	for i := range out.Fetched {
		n.fetched(&out.Fetched[i])
	}
	n.env.WakeAt(min(n.shipper.Deadline(), n.loadAt))
}

// fetched tells the client how its fetch has ended.
func (n *shipNode) fetched(f *transport.Fetched) {
	i := slices.IndexFunc(n.errands, func(e shipErrand) bool { return e.fetch == f.ID })
	e := n.errands[i]
	n.errands = slices.Delete(n.errands, i, i+1)
	if f.Err != nil {
		note := []byte(f.Err.Error())
		n.env.Trace(runtime.Event{Kind: transport.FetchEnded, A: uint64(f.ID), C: f.Order.Digest.Hash, Note: note[:min(len(note), 100)]})
		n.env.Reply(e.call, runtime.Unknown, nil)
		return
	}
	ev := runtime.Event{Kind: transport.FileShipped, A: uint64(f.ID), C: f.Order.Digest.Hash, D: uint64(f.Order.Digest.Size), Note: []byte(e.name)}
	if f.Order.Path == "" {
		ev.B = runtime.HashBytes(0, f.Data)
	}
	n.env.Trace(ev)
	n.env.Reply(e.call, runtime.Done, nil)
}
