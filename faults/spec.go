package faults

import (
	"fmt"
	"strings"
	"time"
)

// Spec says which faults a run has, and how many. The zero Spec has none.
// Rates are chances in parts per million, up to a Million. Parse makes specs; one made
// by hand must keep to its ranges, a mean for each crash and partition included.
type Spec struct {
	IO        uint32        // a file call other than a sync, Close or Lock fails
	Sync      uint32        // Sync, SyncData or SyncDir fails
	After     AfterSync     // what a failed sync leaves behind
	Close     uint32        // Close, Lock or the release of a lock fails
	Torn      uint32        // at a power loss, an unsynced sector is torn or garbage
	NoPSOW    bool          // a torn sector may lose older bytes, too
	FS        Profile       // whose rules a power loss follows
	Space     Space         // disks are full
	Slow      Slow          // disks are slow
	Stall     Stall         // disks stand still
	Dead      Stall         // disks refuse every call for a while
	Rot       time.Duration // average time between two bit flips at rest; zero: none, as for those below
	Latent    time.Duration // between two ranges that become unreadable
	Phantom   time.Duration // between two synced writes that turn out never to have been made
	Misdirect time.Duration // between two writes that turn out to lie in another place
	Stale     uint32        // a read shows what a range held before it was written last
	Astray    uint32        // a read shows another range
	Wipe      time.Duration // between two disks that are lost whole
	Restore   time.Duration // between two disks that are set back to an old image
	Swap      time.Duration // between two pairs of disks that change places
	Budget    Budget        // what the ledger grants beyond it
	Crash     Crash         // processes end
	Pause     Stall         // processes stand still
	Lag       time.Duration // a job waits up to this much longer before it begins
	Partition Partition     // links go down
	Clog      Stall         // links hold what is sent, and then let it go
	Drop      uint32        // a frame vanishes
	Dup       uint32        // a frame comes twice
	Corrupt   uint32        // a frame is damaged
	Delay     time.Duration // a frame takes up to this much longer
}

// Crash says who crashes, how, and how often.
type Crash struct {
	Target Target        // NoTarget: nobody
	Power  bool          // the machine loses power, too
	Mean   time.Duration // average time from one crash to the next
}

// Target is whom a crash strikes.
type Target uint8

// The targets.
const (
	NoTarget       Target = iota
	TargetAny             // one running node
	TargetLeader          // the node that leads
	TargetMajority        // a quorum of the nodes at the same instant
	TargetAll             // every node at the same instant
)

// targetNames are the targets as typed.
var targetNames = []string{TargetAny: "any", TargetLeader: "leader", TargetMajority: "majority", TargetAll: "all"}

// Partition says which links go down, and how often.
type Partition struct {
	Shape Shape         // NoShape: none
	Mean  time.Duration // average time from the start of one to the start of the next
}

// Shape is what a partition cuts.
type Shape uint8

// The shapes.
const (
	NoShape     Shape = iota
	ShapeSingle       // one node from all others
	ShapeHalves       // half of the nodes from the other half
	ShapeLeader       // the node that leads from all others
	ShapeOneWay       // one node hears nobody, or is heard by nobody
	ShapeFlap         // one node from all others, again and again for moments
)

// shapeNames are the shapes as typed.
var shapeNames = []string{
	ShapeSingle: "single", ShapeHalves: "halves", ShapeLeader: "leader", ShapeOneWay: "oneway", ShapeFlap: "flap",
}

// MeanDefault is the mean of a crash or partition that names none.
const MeanDefault = 5 * time.Second

// String returns the canonical form: keys in the order of Help, those that are
// off and parts that are the default left out, "none" if nothing is on. Parse takes it back.
func (s Spec) String() string {
	var items []string
	for _, f := range fields {
		if text := f.of(&s).String(); text != "" {
			items = append(items, f.key+"="+text)
		}
	}
	if len(items) == 0 {
		return nothing
	}
	return strings.Join(items, ",")
}

// Enabled returns the kinds of fault that a run with this spec must have seen
// at least once to count, in the order of the canonical form.
func (s Spec) Enabled() []Kind {
	var kinds []Kind
	for _, f := range fields {
		if f.kind != KindNone && f.of(&s).String() != "" {
			kinds = append(kinds, f.kind)
		}
	}
	return kinds
}

// Keys returns the keys of specs, in the order of the canonical form.
func Keys() []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// Without returns the spec with a key off, and with it those that do nothing without it. Off is
// false if the key was off before, or is none.
func (s Spec) Without(key string) (rest Spec, off bool) {
	var items []string
	for _, f := range fields {
		text := f.of(&s).String()
		switch {
		case text == "":
		case f.key == key:
			off = true
		default:
			items = append(items, f.key+"="+text)
		}
	}
	rest, err := Parse(strings.Join(items, ","))
	if err != nil {
		panic(fmt.Sprintf("faults: %v without %s: %v", s, key, err))
	}
	rest.dropIdle()
	return rest, off
}

// dropIdle turns off what does nothing without a key that is off.
func (s *Spec) dropIdle() {
	power := s.Crash.Target != NoTarget && s.Crash.Power
	if !power {
		s.Torn = 0
	}
	if !power && s.FS != ProfileLiar {
		s.FS = NoProfile
	}
	s.NoPSOW = s.NoPSOW && s.Torn > 0
	if s.Sync == 0 {
		s.After = NoAfterSync
	}
	if s.Budget != BudgetOver {
		s.Restore, s.Swap = 0, 0
	}
	if !s.Damages() {
		s.Budget = BudgetKept
	}
}

// Help describes every key for people, in lines of at most 100 columns that end in a newline.
func Help() string {
	var b strings.Builder
	b.WriteString("Faults are KEY=VALUE items joined by commas, each key at most once, or none:\n")
	for _, f := range fields {
		fmt.Fprintf(&b, "  %s=%s\n        %s\n        for example %s=%s\n", f.key, f.form, f.doc, f.key, f.example)
	}
	fmt.Fprintf(&b, "P is a probability from 0 to 1 with at most six decimals.\n")
	fmt.Fprintf(&b, "DURATION is from 0s to %v, MEAN from %v to %v.\n", delayMax, meanLeast, meanMost)
	return b.String()
}
