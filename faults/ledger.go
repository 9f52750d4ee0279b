package faults

import (
	"fmt"
	"slices"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

// Act is something a nemesis would like to do to nodes.
type Act struct {
	Kind   Kind             // KindKill, KindPowerLoss, KindPause or KindPartition
	Target Target           // of a crash: who was meant
	Nodes  []runtime.NodeID // whom it strikes; of a partition, the nodes of one side
}

// Decision is what the ledger says to an act.
type Decision uint8

// The decisions.
const (
	Granted    Decision = iota + 1 // do it
	Downgraded                     // do it to fewer nodes
	Refused                        // do not
)

// String returns granted, downgraded or refused.
func (d Decision) String() string {
	switch d {
	case Granted:
		return "granted"
	case Downgraded:
		return "downgraded"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("decision(%d)", uint8(d))
}

// Verdict is the ledger's answer.
type Verdict struct {
	Decision Decision
	Nodes    []runtime.NodeID // whom the act may strike; owned by the caller
	Reason   string           // why not all of it; empty if granted
}

// standing is where a voter stands in the ledger.
type standing uint8

const (
	standingDown standing = iota // no process runs
	standingUp
	standingDoomed // up, but a granted crash is on its way
)

// Ledger keeps the budget of one world: every act that takes something from
// a node is put to Grant first. No kind of fault that exists takes claimed bytes
// (see the package comment), so none is refused for safety's sake, not even
// power losses of every node at once. What the ledger holds nemeses to:
//
//   - Who is down cannot be struck: an act that strikes nobody shows nothing.
//   - crash=any and crash=leader leave a quorum running, or all but one node
//     where that is no quorum anyway. These runs look into what a cluster does
//     while it serves; one that has lost its quorum to crashes that happen to overlap
//     does nothing, and all that a nemesis breaks meanwhile goes to waste.
//     Majority and all are there for the other states.
//   - A partition is no crash: the nodes behind it go on, campaign, write
//     and refuse, and it ends by itself. It may leave no quorum connected,
//     together with crashes, too: there the bugs of elections live.
//   - After the heal nothing is granted.
//
// It is not safe for concurrent use.
type Ledger struct {
	voters   []runtime.NodeID // sorted
	standing []standing       // by position in voters
	holdings []holdings       // by position in voters
	copies   map[Group]uint64 // who has claimed each thing, as bits by position in voters
	healed   bool
	budget   Budget

	decisions   [KindCount][Refused + 1]uint64
	mostDown    int
	lastRefused string
}

// NewLedger returns the ledger of a cluster of these voters, none of which is
// up yet. It panics if there is none, or one twice.
func NewLedger(voters []runtime.NodeID) *Ledger {
	l := &Ledger{voters: slices.Sorted(slices.Values(voters)), standing: make([]standing, len(voters)),
		holdings: make([]holdings, len(voters))}
	if len(voters) == 0 || len(slices.Compact(slices.Clone(l.voters))) != len(voters) {
		panic(fmt.Sprintf("faults: a ledger of voters %v", voters))
	}
	return l
}

// Up books that the node's process runs. Nodes that are not voters are of no account.
func (l *Ledger) Up(id runtime.NodeID) {
	if i, voter := slices.BinarySearch(l.voters, id); voter {
		l.standing[i] = standingUp
	}
}

// Down books that the node's process has ended, for whatever reason.
func (l *Ledger) Down(id runtime.NodeID) {
	if i, voter := slices.BinarySearch(l.voters, id); voter {
		l.standing[i] = standingDown
		l.mostDown = max(l.mostDown, l.count(standingDown))
	}
}

// Lift widens the budget: what no cluster can survive is granted, too.
func (l *Ledger) Lift(to Budget) { l.budget = to }

// Heal books that the faults have ended: every act is refused from here on.
func (l *Ledger) Heal() { l.healed = true }

// Quorum returns how many voters decide.
func (l *Ledger) Quorum() int { return len(l.voters)/2 + 1 }

// Grant decides an act. A crash that is granted or downgraded may strike later:
// its nodes count as down from now on until Up, and striking one of them again costs nothing.
func (l *Ledger) Grant(act Act) Verdict {
	v := l.decide(act)
	l.decisions[act.Kind][v.Decision]++
	if v.Decision == Refused {
		l.lastRefused = act.Kind.String() + ": " + v.Reason
	}
	if act.Kind.Parent() == KindCrash {
		for _, id := range v.Nodes {
			if i, voter := slices.BinarySearch(l.voters, id); voter {
				l.standing[i] = standingDoomed
			}
		}
	}
	return v
}

func (l *Ledger) decide(act Act) Verdict {
	crash := act.Kind.Parent() == KindCrash
	switch {
	case !crash && act.Kind != KindPause && act.Kind != KindPartition && !act.Kind.damages():
		panic(fmt.Sprintf("faults: the ledger was asked for %v", act.Kind))
	case l.healed:
		return Verdict{Decision: Refused, Reason: "the faults have ended"}
	case len(act.Nodes) == 0:
		return Verdict{Decision: Refused, Reason: "there is nobody to strike"}
	case act.Kind.damages():
		return l.decideDamage(act)
	case act.Kind == KindPartition && len(l.voters) == 1:
		return Verdict{Decision: Refused, Reason: "one node has no links"}
	case act.Kind == KindPartition:
		return Verdict{Decision: Granted, Nodes: slices.Clone(act.Nodes)}
	}
	v := Verdict{Decision: Granted}
	sparing := crash && (act.Target == TargetAny || act.Target == TargetLeader)
	room := max(1, len(l.voters)-l.Quorum()) - l.count(standingDown) - l.count(standingDoomed)
	for _, id := range act.Nodes {
		i, voter := slices.BinarySearch(l.voters, id)
		switch {
		case !voter:
		case l.standing[i] == standingDown:
			v.Reason = fmt.Sprintf("%v is down", id)
			continue
		case sparing && l.standing[i] == standingUp:
			if room <= 0 {
				v.Reason = fmt.Sprintf("without %v fewer than %d of %d nodes run", id, l.Quorum(), len(l.voters))
				continue
			}
			room--
		}
		v.Nodes = append(v.Nodes, id)
	}
	switch {
	case len(v.Nodes) == 0:
		v.Decision = Refused
	case len(v.Nodes) < len(act.Nodes):
		v.Decision = Downgraded
	}
	return v
}

func (l *Ledger) count(s standing) (n int) {
	for _, have := range l.standing {
		if have == s {
			n++
		}
	}
	return n
}

// Balance returns how many intact copies an acknowledged entry has at
// least, and how many it needs for every quorum to hold one.
func (l *Ledger) Balance() (copies, needed int) {
	return l.Quorum(), len(l.voters) - l.Quorum() + 1
}

// Core draws the nodes that are healed in the end: a quorum or more, but
// not everybody unless it takes all. Any quorum will do, as each holds a
// copy of every acknowledged entry, but for nodes that lost claimed bytes: these are
// beyond healing, and left out as long as there is a quorum without them.
func (l *Ledger) Core(x *Site) []runtime.NodeID {
	size := l.Quorum()
	core := slices.DeleteFunc(slices.Clone(l.voters), l.Damaged)
	if len(core) < size {
		core = slices.Clone(l.voters)
	}
	if most := min(len(l.voters)-1, len(core)); most > size {
		size += int(x.Below(uint64(most-size) + 1))
	}
	for i := range size {
		j := i + int(x.Below(uint64(len(core)-i)))
		core[i], core[j] = core[j], core[i]
	}
	core = core[:size]
	slices.Sort(core)
	return core
}

// Proof says, in a few lines for people, what was asked for and why a
// correct cluster survives what was granted.
func (l *Ledger) Proof() string {
	var b strings.Builder
	copies, needed := l.Balance()
	fmt.Fprintf(&b, "an acknowledged entry is synced on at least %d of %d disks and needs %d of them, so that every quorum of %d holds it\n",
		copies, len(l.voters), needed, l.Quorum())
	asked := false
	for k := range l.decisions {
		d := &l.decisions[k]
		if d[Granted]+d[Downgraded]+d[Refused] > 0 {
			asked = true
			takes := "none takes synced bytes"
			if Kind(k).damages() {
				takes = "each takes synced bytes of one node, which counts as lost"
			}
			fmt.Fprintf(&b, "%v: %d granted, %d downgraded, %d refused; %s\n", Kind(k), d[Granted], d[Downgraded], d[Refused], takes)
		}
	}
	if !asked {
		b.WriteString("nothing was asked for\n")
	}
	fmt.Fprintf(&b, "most nodes down at once: %d of %d; intact copies left: %d\n", l.mostDown, len(l.voters), l.fewestCopies())
	if l.lastRefused != "" {
		fmt.Fprintf(&b, "last refused: %s\n", l.lastRefused)
	}
	return b.String()
}
