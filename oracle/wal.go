package oracle

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// WalConfig says what a run of logs is made of.
type WalConfig struct {
	// Image answers what is durable; nil: nothing can.
	Image Image
	// GroupBytes is what the logs were told to take in a group.
	GroupBytes int
	// MayFill: there are disks that can get full, and a log may refuse what it has no room for.
	MayFill bool
	// MayMisread: reads may show what was not written there, or more may be damaged than what was claimed.
	MayMisread bool
	// TailRots: what was written last may be damaged, too, which one disk cannot tell from what was torn, and
	// what was on its way beside it.
	TailRots bool
	// Rots: bytes rot, and logs are expected to mend entries.
	Rots bool
	// KeepBytes is what the topic WalKept keeps, KeepSegments in how many segments WalRecent does.
	KeepBytes, KeepSegments uint64
}

// WalSuite judges a run of nodes of which each serves a log of its own, by the records of
// package runtime and the Wal events. What a log holds it reckons from what clients
// asked for and from when the driver said that it was staged, cut and published;
// nothing of what the log says of itself is believed. It keeps about 200 bytes
// for each entry that a log holds, and 50 for each one ever written.
type WalSuite struct {
	cfg      WalConfig
	reporter *reporter
	order    uint64
	logs     map[runtime.NodeID]*walLog
	calls    map[runtime.CallID]*walCall
	buf      []byte

	published, reads, crashes, recovered uint64
	deeds                                [walDeedCount]uint64
}

// walCall is what a client asked for.
type walCall struct {
	node      runtime.NodeID
	request   []byte
	decoded   bool
	batches   [][]WalChange
	ask       WalAsk
	staged    int // batches
	published int
	answer    []byte // what the client must be told when it is done
	refused   bool   // a batch was

	// What is being read: from the entry at on, these must come.
	topic, at uint64
	coming    []uint64
	sum       uint64
}

// walBatch is a batch that was staged.
type walBatch struct {
	call    *walCall // nil: nobody asked for it
	changes []WalChange
	records []walRecord // of entries and values
	keys    []walKey    // theirs; without content: of other changes
}

// walFate is what became of a record.
type walFate uint8

const (
	walWritten   walFate = iota + 1 // perhaps written; nobody was told
	walPublished                    // acknowledged; it may have been truncated since
)

// walKey names a record that was written, topic zero: the value of a key.
type walKey struct{ topic, index, content uint64 }

// walLog is what is known of a node's log.
type walLog struct {
	open   bool
	base   walState // published, without the group published last
	live   walState // published
	ahead  walState // with all that is staged
	last   []*walBatch
	wrote  []*walBatch // the same, even when it counts as settled, and what may have come after it
	flight []*walBatch
	staged []*walBatch
	fates  map[walKey]walFate
	// hidden are the contents of transactions that were prepared.
	hidden  map[uint64]bool
	newest  uint64            // segment in which something was placed
	overdue [WalTopics]uint64 // groups since the topic should have been cut

	found *walFound // what the log is said to hold; nil: nothing was said
	// named is what reports have said since the log was open last: a node may end between a report and that.
	named []walFinding
}

// NewWal returns a suite that has seen nothing.
func NewWal(cfg WalConfig) *WalSuite {
	return &WalSuite{cfg: cfg, reporter: newReporter(), logs: map[runtime.NodeID]*walLog{}, calls: map[runtime.CallID]*walCall{}}
}

func (s *WalSuite) log(id runtime.NodeID) *walLog {
	l := s.logs[id]
	if l == nil {
		l = &walLog{base: newWalState(), live: newWalState(), ahead: newWalState(), fates: map[walKey]walFate{}, hidden: map[uint64]bool{}}
		s.logs[id] = l
	}
	return l
}

// Violation returns the first violation, or nil.
func (s *WalSuite) Violation() *Violation { return s.reporter.found }

// Leader returns nobody: no node is more than another.
func (s *WalSuite) Leader() runtime.NodeID { return 0 }

// Converged reports whether the logs of the core are open, and hold durably all that
// they were given.
func (s *WalSuite) Converged(core []runtime.NodeID) bool {
	for _, id := range core {
		if l := s.log(id); !l.open || len(l.staged)+len(l.flight) > 0 {
			return false
		}
	}
	return true
}

// Stuck says that what had to happen did not happen in time: a violation.
func (s *WalSuite) Stuck(text string) { s.fail(&s.reporter.last, walStuck, "%s", text) }

// Finish judges the run as a whole, once, after the last record.
func (s *WalSuite) Finish() *Violation {
	switch {
	case s.published == 0 || s.reads == 0:
		s.fail(&s.reporter.last, walNothing, "%d groups were published, %d entries read", s.published, s.reads)
	case s.crashes > 0 && s.recovered == 0:
		s.fail(&s.reporter.last, walNothing, "after %d crashes no log came back that held anything", s.crashes)
	}
	return s.reporter.found
}

func (s *WalSuite) fail(r *runtime.Record, id int, format string, args ...any) {
	s.reporter.failRule(r, walRules[id], about{}, fmt.Sprintf(format, args...))
}

// Observe judges the record, which comes after all those observed before. The
// record and its note are used during the call only. After the first violation
// it does nothing.
func (s *WalSuite) Observe(r *runtime.Record) {
	if s.reporter.found != nil {
		return
	}
	switch r.Kind {
	case runtime.CallStart:
		s.calls[runtime.CallID(r.A)] = &walCall{node: runtime.NodeID(r.D), request: bytes.Clone(r.Note)}
		return
	case runtime.CallReply:
		s.replied(r)
	case WalEntryFound, WalValueFound:
		s.observeFound(r)
		return
	case WalTopicFound, WalFinding, WalDoubtFound, WalHoleFound:
		s.observeFound(r)
	case WalEntryRead:
		s.entryRead(r)
		return
	case runtime.WorldKill, runtime.WorldPowerLoss, runtime.WorldHalt:
		s.died(r)
		s.remember(r)
		return
	case runtime.WorldPanic:
		s.fail(r, walPanic, "%v panics: %s", r.Node, clip(r.Note))
	case runtime.WorldBoot, runtime.WorldHeal, runtime.WorldFault:
		s.remember(r)
		return
	default:
		if !s.observeDriver(r) {
			return
		}
	}
	s.remember(r)
}

// remember keeps the record for a story.
func (s *WalSuite) remember(r *runtime.Record) {
	s.order++
	s.reporter.landmarks.add(r, s.order)
	s.reporter.last.At, s.reporter.last.Step = r.At, r.Step
}

// observeDriver judges what a driver says it does. It returns false if the record is
// none of those.
func (s *WalSuite) observeDriver(r *runtime.Record) bool {
	l := s.log(r.Node)
	switch r.Kind {
	case WalInspected:
		s.inspected(r)
		return true
	case WalOpened:
		s.opened(l, r)
		return true
	case WalClosed:
		if l.open && len(l.staged)+len(l.flight) > 0 {
			s.fail(r, walMalformed, "%v closes a log with %d batches under way", r.Node, len(l.staged)+len(l.flight))
		}
		l.open = false
		return true
	case WalStaged, WalRefused, WalCut, WalPublished, WalBounds, WalPlaced, WalLocated, WalReadEnded, WalValueRead,
		WalMended, WalWithdrawn, WalReopened:
	default:
		return false
	}
	if !l.open {
		s.fail(r, walMalformed, "%v speaks of a log that it has not opened", r.Node)
		return true
	}
	switch r.Kind {
	case WalStaged:
		s.stagedBatch(l, r)
	case WalRefused:
		s.refusedBatch(r)
	case WalCut:
		s.cut(l, r)
	case WalPublished:
		s.publishedGroup(l, r)
	case WalBounds:
		s.bounds(l, r)
	case WalPlaced:
		s.placed(l, r)
	case WalLocated:
		s.located(l, r)
	case WalReadEnded:
		s.readEnded(l, r)
	case WalMended:
		s.mended(l, r)
	case WalWithdrawn:
		s.withdrawn(l, r)
	case WalReopened:
		s.deeds[WalElsewhere]++
	case WalValueRead:
		s.valueRead(l, r)
	}
	return true
}

// died drops what was staged and never cut: it was not written. What was on its way
// may be there or not.
func (s *WalSuite) died(r *runtime.Record) {
	l := s.log(r.Node)
	l.open, l.staged, l.found = false, nil, nil
	s.crashes++
}

// call returns the call that the record's A names, decoded, or nil after a violation.
func (s *WalSuite) call(r *runtime.Record) *walCall {
	c := s.calls[runtime.CallID(r.A)]
	if c == nil || c.node != r.Node {
		s.fail(r, walMalformed, "%v serves call %d, which is not under way there", r.Node, r.A)
		return nil
	}
	if !c.decoded {
		q, err := DecodeWalRequest(c.request)
		if err != nil {
			s.fail(r, walMalformed, "%v serves call %d: %v", r.Node, r.A, err)
			return nil
		}
		c.decoded, c.ask, c.batches = true, q.Ask, q.Batches
	}
	return c
}

// replied judges what a client is told.
func (s *WalSuite) replied(r *runtime.Record) {
	id := runtime.CallID(r.A)
	c := s.calls[id]
	switch outcome := runtime.Outcome(r.C); {
	case c == nil || outcome == runtime.Unknown:
		return
	case outcome == runtime.Refused && c.staged > 0:
		s.fail(r, walRefusedStaged, "client %d is told that call %d is refused, of which %d batches were staged", r.B, r.A, c.staged)
	case outcome == runtime.Refused:
	case c.refused || c.published < len(c.batches):
		s.fail(r, walEarly, "client %d is told that call %d is done, of which %d of %d batches are durable", r.B, r.A, c.published, len(c.batches))
	case c.ask == WalRead || c.ask == WalScan:
		if len(r.Note) != 8 || binary.LittleEndian.Uint64(r.Note) != c.sum {
			s.fail(r, walWrongAnswer, "client %d is told that call %d has read %x, and it was %x", r.B, r.A, clip(r.Note), c.sum)
		}
	case !bytes.Equal(r.Note, c.answer):
		s.fail(r, walWrongAnswer, "client %d is told %x of call %d, and it was %x", r.B, clip(r.Note), r.A, clip(c.answer))
	}
	delete(s.calls, id)
}
