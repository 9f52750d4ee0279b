package faults

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// Group names a thing of which several nodes hold a copy: an entry, a
// snapshot. Its numbers are the declarer's own.
type Group struct{ Kind, ID, Version uint64 }

// Claim is what a node says about its own disk: a copy of the group's thing
// is durable in that range of that file.
type Claim struct {
	Node  runtime.NodeID
	Group Group
	File  string
	Off   int64
	Len   int64
	// Log says that the range is part of a log. Of a log's newest claims nobody can
	// tell, without asking others, whether what is wrong there is damage or a write
	// that was under way when power was lost ("Protocol-aware recovery", FAST '18).
	Log bool
	// Step tells claims of one sync, which have the same, from those of others.
	Step uint64
}

// fragileMargin is how far before the newest claims of a log nothing may be
// damaged, in bytes: their own headers lie there.
const fragileMargin = 4096

// tail is where the newest claims of a node's log begin.
type tail struct {
	step uint64
	file string
	off  int64
}

// holdings is what a voter has claimed, and what has become of it.
type holdings struct {
	claims  []Claim
	tail    tail
	damaged bool // an act took claimed bytes, or all of the disk
}

// Declare books a claim. Only the claims of voters are of account.
func (l *Ledger) Declare(c Claim) {
	i, voter := slices.BinarySearch(l.voters, c.Node)
	if !voter {
		return
	}
	h := &l.holdings[i]
	h.claims = append(h.claims, c)
	if c.Log && (h.tail.step != c.Step || h.tail.file == c.File && c.Off < h.tail.off) {
		h.tail = tail{step: c.Step, file: c.File, off: c.Off}
	}
	if l.copies == nil {
		l.copies = map[Group]uint64{}
	}
	l.copies[c.Group] |= 1 << i
}

// Forget drops the claims of a node that it needs no more, such as those of
// entries that it has truncated.
func (l *Ledger) Forget(node runtime.NodeID, unneeded func(Group) bool) {
	if i, voter := slices.BinarySearch(l.voters, node); voter {
		h := &l.holdings[i]
		h.claims = slices.DeleteFunc(h.claims, func(c Claim) bool { return unneeded(c.Group) })
	}
}

// Target draws a claim of the node that may be damaged; false if the one drawn
// may not be, or there is none. Nothing within the node's newest claims or just
// before them ever may.
func (l *Ledger) Target(node runtime.NodeID, x *Site) (Claim, bool) {
	i, voter := slices.BinarySearch(l.voters, node)
	if !voter || len(l.holdings[i].claims) == 0 {
		return Claim{}, false
	}
	h := &l.holdings[i]
	c := h.claims[x.Below(uint64(len(h.claims)))]
	return c, !l.fragile(h, &c)
}

// TargetIn is Target among the claims that lie in a range of a file.
func (l *Ledger) TargetIn(node runtime.NodeID, file string, lo, hi int64, x *Site) (Claim, bool) {
	i, voter := slices.BinarySearch(l.voters, node)
	if !voter {
		return Claim{}, false
	}
	h := &l.holdings[i]
	var within []int
	for k := range h.claims {
		c := &h.claims[k]
		if c.File == file && c.Off >= lo && c.Off+c.Len <= hi && !l.fragile(h, c) {
			within = append(within, k)
		}
	}
	if len(within) == 0 {
		return Claim{}, false
	}
	return h.claims[within[x.Below(uint64(len(within)))]], true
}

// fragile reports whether the claim may not be damaged.
func (l *Ledger) fragile(h *holdings, c *Claim) bool {
	if l.budget == BudgetTail {
		return c.Len == 0
	}
	if c.Len == 0 || c.Log && c.Step == h.tail.step {
		return true
	}
	return c.File == h.tail.file && c.Off+c.Len+fragileMargin > h.tail.off
}

// decideDamage decides an act that takes claimed bytes, or a whole disk. As no
// node can be given back what it lost, one that lost anything counts as
// lost for good, and the balance allows N-Q of these.
func (l *Ledger) decideDamage(act Act) Verdict {
	if len(act.Nodes) != 1 {
		panic(fmt.Sprintf("faults: %v of nodes %v, want one", act.Kind, act.Nodes))
	}
	i, voter := slices.BinarySearch(l.voters, act.Nodes[0])
	spare := len(l.voters) - l.Quorum() - l.damagedBut(i)
	v := Verdict{Decision: Granted, Nodes: slices.Clone(act.Nodes)}
	switch {
	case !voter || l.budget == BudgetOver:
	case act.Kind == KindRestore:
		v = Verdict{Decision: Refused, Reason: "a node on an old disk votes and acknowledges anew, and nobody can know"}
	case act.Kind == KindSwap:
		v = Verdict{Decision: Refused, Reason: "a node on the disk of another speaks for it, and nobody can know"}
	case spare <= 0:
		v = Verdict{Decision: Refused, Reason: fmt.Sprintf("%d of %d disks have lost bytes already", len(l.voters)-l.Quorum(), len(l.voters))}
	case act.Kind == KindWipe:
		v.Decision, v.Reason = Downgraded, "a node on an empty disk cannot rejoin: it stays down"
	}
	if voter && v.Decision != Refused {
		l.holdings[i].damaged = true
	}
	return v
}

// damagedBut counts the voters other than i that have lost claimed bytes.
func (l *Ledger) damagedBut(i int) (n int) {
	for k := range l.holdings {
		if k != i && l.holdings[k].damaged {
			n++
		}
	}
	return n
}

// Damaged reports whether the node has lost claimed bytes.
func (l *Ledger) Damaged(node runtime.NodeID) bool {
	i, voter := slices.BinarySearch(l.voters, node)
	return voter && l.holdings[i].damaged
}

// fewestCopies returns how many intact copies are left of the thing that has
// the fewest, among those that a quorum has claimed.
func (l *Ledger) fewestCopies() int {
	var damaged uint64
	for i := range l.holdings {
		if l.holdings[i].damaged {
			damaged |= 1 << i
		}
	}
	fewest := l.Quorum() - bits.OnesCount64(damaged)
	if len(l.copies) > 0 {
		fewest = len(l.voters)
	}
	for _, holders := range l.copies { //lint:sorted a minimum
		if bits.OnesCount64(holders) >= l.Quorum() {
			fewest = min(fewest, bits.OnesCount64(holders&^damaged))
		}
	}
	return max(fewest, 0)
}
