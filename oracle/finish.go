package oracle

import "github.com/octopii-go/octopii/runtime"

// Counts is what a suite has seen.
type Counts struct {
	Records                uint64 // observed
	Leaders                uint64 // elected
	Commits                uint64 // raises of some node's commit index
	Applied                uint64 // entries, over all nodes
	Done, Refused, Unknown uint64 // answers
	Certified              uint64 // done answers with a certificate
	Examined               uint64 // done answers that porcupine was asked about while the run went on
	Claims                 uint64 // asked of the image
	Unjudged               uint64 // claims that there was no image to ask about
	Panics                 uint64
	EntryBytes             int // what the history of entries takes now
}

// Counts returns what the suite has seen so far.
func (s *Suite) Counts() Counts {
	return Counts{
		Records:    s.history.order,
		Leaders:    s.election.seen,
		Commits:    s.log.seen,
		Applied:    s.state.seen,
		Done:       s.durability.done,
		Refused:    s.durability.refused,
		Unknown:    s.durability.unknown,
		Certified:  s.linear.certified,
		Examined:   s.linear.examined,
		Claims:     s.disk.judged,
		Unjudged:   s.disk.unjudged,
		Panics:     s.progress.panics,
		EntryBytes: s.history.entries.bytes(),
	}
}

// Deeds returns how often leaders have begun to spare a peer, and fed everybody after all. Not every run has
// leaders who do.
func (s *Suite) Deeds() []Deed {
	return []Deed{{Name: "spared", Count: s.spared}, {Name: "hedged", Count: s.hedged}}
}

// Finish judges the run as a whole, once, after the last record: the invariants
// over everything the history still has, as a check on the incremental checks;
// the operations kept, if any; and that there was something to judge. It
// returns the first violation, of the end or before, or nil.
func (s *Suite) Finish() *Violation {
	r := &runtime.Record{At: s.reporter.last.At, Step: s.reporter.last.Step}
	if s.reporter.found == nil && s.log.whole(r) && s.linear.finished(r) {
		s.vacuous(r)
	}
	return s.reporter.found
}

// vacuous fails a run that proves nothing (V0).
func (s *Suite) vacuous(r *runtime.Record) bool {
	c := s.Counts()
	if c.Done == 0 {
		return s.reporter.fail(r, progressNothing, about{},
			"no client was told that anything is done (%d refused, %d unknown)",
			c.Refused, c.Unknown)
	}
	if len(s.history.members) == 0 {
		return true
	}
	for _, seen := range []struct {
		what string
		n    uint64
	}{
		{"elections", c.Leaders},
		{"commits", c.Commits},
		{"applied entries", c.Applied},
		{"answers with a certificate", c.Certified},
		{"claims", c.Claims + c.Unjudged},
	} {
		if seen.n == 0 {
			return s.reporter.fail(r, progressUnseen, about{}, "the trace has no %s to judge", seen.what)
		}
	}
	return true
}
