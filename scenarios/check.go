package scenarios

import (
	"fmt"

	"github.com/octopii-go/octopii/oracle"
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/member"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/sim"
	"github.com/octopii-go/octopii/transport"
)

// tailMax is how many records of the current step a check keeps, to show
// where two runs parted.
const tailMax = 256

// twin is one of the two runs of a check.
type twin struct {
	run     *Run
	records []runtime.Record // of the current step
	notes   []byte           // theirs
}

func newTwin(s Setup) (*twin, error) {
	t := &twin{}
	run, err := New(s, t.keep)
	t.run = run
	return t, err
}

func (t *twin) keep(rec *runtime.Record) {
	if len(t.records) == tailMax {
		return
	}
	kept := *rec
	start := len(t.notes)
	t.notes = append(t.notes, rec.Note...)
	kept.Note = t.notes[start:len(t.notes):len(t.notes)]
	t.records = append(t.records, kept)
}

func (t *twin) step() bool {
	t.records, t.notes = t.records[:0], t.notes[:0]
	return t.run.Step()
}

// line renders the i-th record of the current step.
func (t *twin) line(i int) string {
	if i >= len(t.records) {
		return "nothing more in this step"
	}
	return Render(&t.records[i])
}

// Pair is one setup run twice, in lockstep, up to the first event in which the
// two runs differ.
type Pair struct {
	a, b   *twin
	parted bool
}

// NewPair starts both runs. An error says which value of the setup is out of range.
func NewPair(s Setup) (*Pair, error) {
	a, err := newTwin(s)
	if err != nil {
		return nil, err
	}
	b, err := newTwin(s)
	if err != nil {
		return nil, err
	}
	return &Pair{a: a, b: b}, nil
}

// Now returns the virtual time.
func (p *Pair) Now() runtime.Instant { return p.a.run.Now() }

// Step lets the next event happen in both runs. It returns false when they have
// ended, or differ.
func (p *Pair) Step() bool {
	if p.parted {
		return false
	}
	more, also := p.a.step(), p.b.step()
	p.parted = more != also || p.a.run.Digest() != p.b.run.Digest()
	return more && !p.parted
}

// Finish runs to the end if Step has not, and returns the result of the run,
// unless the two differ.
func (p *Pair) Finish() Result {
	for p.Step() {
	}
	defer p.b.run.Close()
	if p.parted {
		return parted(p.a, p.b)
	}
	return p.a.run.Finish()
}

// Check runs the setup as a [Pair], to its end.
func Check(s Setup) (Result, error) {
	p, err := NewPair(s)
	if err != nil {
		return Result{}, err
	}
	return p.Finish(), nil
}

// parted describes the step at which two runs differed.
func parted(a, b *twin) Result {
	at := 0
	for at < len(a.records) && a.line(at) == b.line(at) {
		at++
	}
	divergence := fmt.Sprintf("step %d of two runs of seed %d: one has\n  %s\nand the other\n  %s",
		a.run.w.Steps(), a.run.setup.Seed, a.line(at), b.line(at))
	a.run.phase = phaseOver
	res := a.run.Finish()
	res.Verdict, res.Violation, res.Divergence = Nondeterminism, nil, divergence
	return res
}

// Render returns a record as a line of text: virtual time, node, event.
func Render(rec *runtime.Record) string {
	node := "-"
	if rec.Node != 0 {
		node = rec.Node.String()
	}
	return fmt.Sprintf("%4d.%06ds %-3s %s", rec.At/1e9, rec.At%1e9/1e3, node, describe(rec))
}

func describe(rec *runtime.Record) string {
	tables := [][]runtime.EventInfo{
		runtime.WorldEvents, raft.Events, member.Events, transport.Events, oracle.WalEvents, sim.Events,
	}
	for _, table := range tables {
		for _, info := range table {
			if info.Kind == rec.Kind {
				return info.Render(rec.Event)
			}
		}
	}
	return fmt.Sprintf("event %#08x %d %d %d %d", uint32(rec.Kind), rec.A, rec.B, rec.C, rec.D)
}
