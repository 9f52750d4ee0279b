package oracle

import (
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// Violation is a broken rule: what was found, where, and the records that
// led there.
type Violation struct {
	Rule Rule
	// Text is one line: the fact, with its numbers and nodes.
	Text string
	// Record is the one that broke the rule; its note is cut at [noteMax] bytes.
	// At the end of a run it is the last record.
	Record runtime.Record
	// Excerpt are earlier records that matter, oldest first, at most
	// [excerptMax], with their notes cut.
	Excerpt []runtime.Record
}

// Signature tells violations of different rules apart.
func (v *Violation) Signature() string { return v.Rule.Signature() }

// String returns the signature and the text.
func (v *Violation) String() string { return v.Signature() + ": " + v.Text }

// Bounds of what is kept to tell a violation's story.
const (
	noteMax      = 64  // bytes of a note
	excerptMax   = 40  // records in an excerpt
	landmarksMax = 64  // of the latest records of rare kinds
	recentMax    = 256 // of the latest records of frequent kinds
)

// about says what a violation is about, so that the excerpt can be chosen.
// Zero fields are nobody and nothing.
type about struct {
	index uint64
	call  runtime.CallID
}

// reporter keeps the first violation, and the records from which its story is told.
type reporter struct {
	found     *Violation
	last      runtime.Record // of those remembered, for the end of a run
	landmarks ring
	recent    ring
}

func newReporter() *reporter {
	return &reporter{
		landmarks: ring{slots: make([]remembered, landmarksMax)},
		recent:    ring{slots: make([]remembered, recentMax)},
	}
}

// fail records the violation, unless there was one before. It returns false,
// for the judges that call it to return in turn.
func (p *reporter) fail(r *runtime.Record, id rule, what about, format string, args ...any) bool {
	if p.found == nil {
		p.failRule(r, rules[id], what, fmt.Sprintf(format, args...))
	}
	return false
}

// failRule is fail for a rule of any table.
func (p *reporter) failRule(r *runtime.Record, broken Rule, what about, text string) {
	if p.found != nil {
		return
	}
	record := *r
	record.Note = append([]byte(nil), r.Note[:min(len(r.Note), noteMax)]...)
	p.found = &Violation{Rule: broken, Text: text, Record: record, Excerpt: p.excerpt(r, what)}
}

// remembered is a record kept for a story.
type remembered struct {
	record runtime.Record // without its note
	order  uint64
	length int
	note   [noteMax]byte
}

// ring holds the latest records given to it.
type ring struct {
	slots []remembered
	next  int
}

func (g *ring) add(r *runtime.Record, order uint64) {
	s := &g.slots[g.next]
	if g.next++; g.next == len(g.slots) {
		g.next = 0
	}
	s.record.At, s.record.Step, s.record.Node, s.record.Kind = r.At, r.Step, r.Node, r.Kind
	s.record.A, s.record.B, s.record.C, s.record.D = r.A, r.B, r.C, r.D
	s.order = order
	s.length = copy(s.note[:], r.Note)
}

// at returns the i-th oldest slot.
func (g *ring) at(i int) *remembered { return &g.slots[(g.next+i)%len(g.slots)] }

// excerpt merges the landmarks with the recent records that concern the
// subject, and returns the latest.
func (p *reporter) excerpt(r *runtime.Record, what about) []runtime.Record {
	var chosen []*remembered
	i, j := 0, 0
	for i < landmarksMax || j < recentMax {
		switch {
		case j == recentMax || i < landmarksMax && p.landmarks.at(i).order < p.recent.at(j).order:
			if s := p.landmarks.at(i); s.order > 0 {
				chosen = append(chosen, s)
			}
			i++
		default:
			if s := p.recent.at(j); s.order > 0 && concerns(&s.record, what, r.Node) {
				chosen = append(chosen, s)
			}
			j++
		}
	}
	chosen = chosen[max(0, len(chosen)-excerptMax):]
	records := make([]runtime.Record, len(chosen))
	for k, s := range chosen {
		records[k] = s.record
		records[k].Note = append([]byte(nil), s.note[:s.length]...)
	}
	return records
}
