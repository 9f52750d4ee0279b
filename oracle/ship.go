package oracle

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// The rules that ShipSuite judges by.
const (
	shipMalformed = iota
	shipClaim
	shipMemory
	shipFound
	shipLost
	shipLimits
	shipStuck
	shipPanic
	shipNothing
	shipRuleCount
)

// shipRules is read-only.
var shipRules = [shipRuleCount]Rule{
	shipMalformed: {"ship", "malformed", "X3", Safety, "records make sense: what is said to be shipped was asked for"},
	shipClaim:     {"ship", "claim", "P1", Safety, "a file said to be shipped is durable, byte for byte, and not longer"},
	shipMemory:    {"ship", "memory", "P1", Safety, "bytes said to be shipped are those of the object"},
	shipFound:     {"ship", "found-wrong", "P2", Safety, "a file under a final name is the object, also after a crash in the midst of it"},
	shipLost:      {"ship", "lost", "P3", Safety, "a file that was shipped is there after every restart"},
	shipLimits:    {"ship", "limits", "P4", Safety, "what a node holds for its fetches and for peers stays within its limits"},
	shipStuck:     {"ship", "stuck", "V1", Liveness, "after the heal objects arrive, and what was held is let go"},
	shipPanic:     {"ship", "panic", "X3", Panic, "no node panics"},
	shipNothing:   {"ship", "nothing-seen", "V0", Vacuous, "files were shipped"},
}

// ShipRules returns the rules that ShipSuite judges by.
func ShipRules() []Rule { return append([]Rule(nil), shipRules[:]...) }

// ShipConfig says what a run of the shipping lane is made of.
type ShipConfig struct {
	// Image answers what is durable; nil: nothing can.
	Image Image
	// Content returns the bytes that a file with that final name must have, nil if no
	// file may have it.
	Content func(name string) []byte
	// Limit is the most that a node may hold.
	Limit transport.ShipperLoad
}

// shippedFile names a file of a node.
type shippedFile struct {
	node runtime.NodeID
	name string
}

// ShipSuite judges a run of nodes that fetch objects from each other, by the records of
// package runtime and of the drivers of transport.Shipper. It keeps about 100 bytes
// for each file shipped.
type ShipSuite struct {
	cfg      ShipConfig
	reporter *reporter
	order    uint64
	shipped  map[shippedFile]bool // true: found in the listing under way
	fetches  map[runtime.NodeID]uint64
	done     uint64
	buf      []byte
}

// NewShip returns a suite that has seen nothing.
func NewShip(cfg ShipConfig) *ShipSuite {
	return &ShipSuite{cfg: cfg, reporter: newReporter(), shipped: map[shippedFile]bool{}, fetches: map[runtime.NodeID]uint64{}}
}

// Violation returns the first violation, or nil.
func (s *ShipSuite) Violation() *Violation { return s.reporter.found }

// Leader returns nobody: no node is more than another.
func (s *ShipSuite) Leader() runtime.NodeID { return 0 }

// Converged reports whether no node of the core fetches anything any more.
func (s *ShipSuite) Converged(core []runtime.NodeID) bool {
	return !slices.ContainsFunc(core, func(id runtime.NodeID) bool { return s.fetches[id] > 0 })
}

// Stuck says that what had to happen did not happen in time: a violation.
func (s *ShipSuite) Stuck(text string) { s.fail(&s.reporter.last, shipStuck, "%s", text) }

// Finish judges the run as a whole, once, after the last record.
func (s *ShipSuite) Finish() *Violation {
	if s.done == 0 {
		s.fail(&s.reporter.last, shipNothing, "nothing was shipped")
	}
	return s.reporter.found
}

func (s *ShipSuite) fail(r *runtime.Record, id int, format string, args ...any) {
	s.reporter.failRule(r, shipRules[id], about{}, fmt.Sprintf(format, args...))
}

// Observe judges the record, which comes after all those observed before. The
// record and its note are used during the call only. After the first violation
// it does nothing.
func (s *ShipSuite) Observe(r *runtime.Record) {
	if s.reporter.found != nil {
		return
	}
	switch r.Kind {
	case transport.FileShipped:
		s.claimed(r)
	case transport.FileFound:
		s.found(r)
	case transport.FilesListed:
		s.listed(r)
	case transport.ShipLoadSeen:
		s.held(r)
		return
	case runtime.WorldPanic:
		s.fail(r, shipPanic, "%v panics: %s", r.Node, clip(r.Note))
	case runtime.WorldKill, runtime.WorldPowerLoss, runtime.WorldHalt:
		s.fetches[r.Node] = 0
	case runtime.WorldBoot, runtime.WorldHeal, transport.FetchBegun, transport.FetchEnded, transport.FetchFaltered,
		transport.FetchResumed, transport.ChunkRefused, transport.OfferDamaged:
	default:
		return
	}
	s.order++
	s.reporter.landmarks.add(r, s.order)
	s.reporter.last.At, s.reporter.last.Step = r.At, r.Step
}

// claimed judges what is said to be complete, in memory or durable.
func (s *ShipSuite) claimed(r *runtime.Record) {
	want := s.cfg.Content(string(r.Note))
	switch {
	case want == nil || uint64(len(want)) != r.D:
		s.fail(r, shipMalformed, "%v has %d bytes shipped as %s, where %d belong", r.Node, r.D, clip(r.Note), len(want))
		return
	case r.B != 0:
		if got := runtime.HashBytes(0, want); got != r.B {
			s.fail(r, shipMemory, "%v has bytes of hash %x as %s, want %x", r.Node, r.B, clip(r.Note), got)
		}
		s.done++
		return
	}
	s.done++
	s.shipped[shippedFile{r.Node, string(r.Note)}] = false
	if s.cfg.Image == nil {
		return
	}
	s.buf = append(s.buf[:0], make([]byte, len(want))...)
	var more [1]byte
	switch name := string(r.Note); {
	case !s.cfg.Image.Durable(r.Node, name, 0, s.buf):
		s.fail(r, shipClaim, "%s of %v is not durable in full", clip(r.Note), r.Node)
	case !bytes.Equal(s.buf, want):
		s.fail(r, shipClaim, "%s of %v is durable with other bytes", clip(r.Note), r.Node)
	case s.cfg.Image.Durable(r.Node, name, int64(len(want)), more[:]):
		s.fail(r, shipClaim, "%s of %v is longer than %d bytes", clip(r.Note), r.Node, len(want))
	}
}

// found judges a file that a node has when it boots.
func (s *ShipSuite) found(r *runtime.Record) {
	want := s.cfg.Content(string(r.Note))
	if want == nil || r.A != uint64(len(want)) || r.C != runtime.HashBytes(0, want) {
		s.fail(r, shipFound, "%s of %v has %d bytes of hash %x, want %d bytes of hash %x",
			clip(r.Note), r.Node, r.A, r.C, len(want), runtime.HashBytes(0, want))
		return
	}
	key := shippedFile{r.Node, string(r.Note)}
	if _, shipped := s.shipped[key]; shipped {
		s.shipped[key] = true
	}
}

// listed judges which files a node has not found.
func (s *ShipSuite) listed(r *runtime.Record) {
	for _, key := range slices.SortedFunc(maps.Keys(s.shipped), compareFiles) {
		if key.node != r.Node {
			continue
		}
		if !s.shipped[key] {
			s.fail(r, shipLost, "%s of %v was shipped, and is gone", key.name, key.node)
			return
		}
		s.shipped[key] = false
	}
}

func compareFiles(a, b shippedFile) int {
	return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.name, b.name))
}

func (s *ShipSuite) held(r *runtime.Record) {
	s.fetches[r.Node] = r.A
	got := transport.ShipperLoad{Fetches: int(r.A), Bytes: int64(r.B), Queue: int(r.C)}
	if got.Fetches > s.cfg.Limit.Fetches || got.Bytes > s.cfg.Limit.Bytes || got.Queue > s.cfg.Limit.Queue {
		s.fail(r, shipLimits, "%v holds %+v, at most %+v is allowed", r.Node, got, s.cfg.Limit)
	}
}
