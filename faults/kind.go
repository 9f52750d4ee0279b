package faults

import "fmt"

// Kind is a kind of fault. What it may take away is in the package comment.
type Kind uint8

// The kinds, in the order of reports.
const (
	KindNone       Kind = iota // no fault; never counted
	KindIO                     // a file call other than a sync failed
	KindShortWrite             // of KindIO: a write that left part of its bytes
	KindShortRead              // of KindIO: a read that gave part of its bytes
	KindSync                   // Sync, SyncData or SyncDir failed
	KindAfter                  // a failed sync left what the after dial says
	KindNewOnce                // of KindAfter: reads show the new bytes, one handle hears of it
	KindNewAll                 // of KindAfter: reads show the new bytes, every open handle hears of it
	KindOldOnce                // of KindAfter: reads show the old bytes, one handle hears of it
	KindOldAll                 // of KindAfter: reads show the old bytes, every open handle hears of it
	KindToldLate               // a sync succeeded, and reported the failure of an earlier one of another handle
	KindClose                  // Close, Lock or the release of a lock failed
	KindTorn                   // an unsynced sector came out of a power loss neither old nor new
	KindGarbage                // of KindTorn: with bytes nobody wrote
	KindRuined                 // of KindTorn: with noise in place of older bytes, too
	KindProfile                // the fs dial decided what a power loss left
	KindLie                    // of KindProfile: a sync did nothing and said that it had
	KindFull                   // a disk was filled by somebody else
	KindNoSpace                // a file call failed, or did a part, for want of room
	KindSlow                   // a disk became slow
	KindStall                  // a disk stood still
	KindDead                   // a disk refused every call for a while
	KindDeadCall               // a file call met a dead disk
	KindRot                    // synced bytes changed at rest
	KindLatent                 // synced bytes became unreadable
	KindPhantom                // a synced write turned out not to have been made
	KindMisdirect              // a synced write turned out to lie elsewhere
	KindStale                  // a read showed older bytes
	KindAstray                 // a read showed bytes of another place
	KindUnreadable             // a read met bytes that had become unreadable
	KindWipe                   // a disk was lost whole
	KindRestore                // a disk was set back to an old image
	KindSwap                   // two machines got each other's disks
	KindCrash                  // a process ended without its doing
	KindKill                   // of KindCrash: the page cache lived on
	KindPowerLoss              // of KindCrash: unsynced bytes and names may be gone
	KindPause                  // a process stood still
	KindLag                    // a job had to wait before it began
	KindPartition              // a set of links went down
	KindClog                   // links of a node held frames for a while
	KindDrop                   // a frame vanished
	KindDup                    // a frame came twice
	KindCorrupt                // a frame was damaged
	KindDelay                  // a frame was held back
	KindCount                  // how many there are, KindNone included
)

// kindTable describes each kind: its name in reports, and the kind it is part of.
var kindTable = [KindCount]struct {
	name   string
	parent Kind
}{
	KindNone:       {name: "none"},
	KindIO:         {name: "io"},
	KindShortWrite: {name: "short-write", parent: KindIO},
	KindShortRead:  {name: "short-read", parent: KindIO},
	KindSync:       {name: "sync"},
	KindAfter:      {name: "after"},
	KindNewOnce:    {name: "new-once", parent: KindAfter},
	KindNewAll:     {name: "new-all", parent: KindAfter},
	KindOldOnce:    {name: "old-once", parent: KindAfter},
	KindOldAll:     {name: "old-all", parent: KindAfter},
	KindToldLate:   {name: "told-late"},
	KindClose:      {name: "close"},
	KindTorn:       {name: "torn"},
	KindGarbage:    {name: "garbage", parent: KindTorn},
	KindRuined:     {name: "ruined", parent: KindTorn},
	KindProfile:    {name: "fs"},
	KindLie:        {name: "lie", parent: KindProfile},
	KindFull:       {name: "full"},
	KindNoSpace:    {name: "no-space"},
	KindSlow:       {name: "slow"},
	KindStall:      {name: "stall"},
	KindDead:       {name: "dead"},
	KindDeadCall:   {name: "dead-call"},
	KindRot:        {name: "rot"},
	KindLatent:     {name: "latent"},
	KindPhantom:    {name: "phantom"},
	KindMisdirect:  {name: "misdirect"},
	KindStale:      {name: "stale"},
	KindAstray:     {name: "astray"},
	KindUnreadable: {name: "unreadable"},
	KindWipe:       {name: "wipe"},
	KindRestore:    {name: "restore"},
	KindSwap:       {name: "swap"},
	KindCrash:      {name: "crash"},
	KindKill:       {name: "kill", parent: KindCrash},
	KindPowerLoss:  {name: "power-loss", parent: KindCrash},
	KindPause:      {name: "pause"},
	KindLag:        {name: "lag"},
	KindPartition:  {name: "partition"},
	KindClog:       {name: "clog"},
	KindDrop:       {name: "drop"},
	KindDup:        {name: "dup"},
	KindCorrupt:    {name: "corrupt"},
	KindDelay:      {name: "delay"},
}

// String returns the kind's name in reports, such as power-loss.
func (k Kind) String() string {
	if k >= KindCount {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindTable[k].name
}

// damages reports whether the kind takes bytes that a claim may cover.
func (k Kind) damages() bool {
	switch k {
	case KindRot, KindLatent, KindPhantom, KindMisdirect, KindWipe, KindRestore, KindSwap:
		return true
	}
	return false
}

// Parent returns the kind that k is a part of, or KindNone.
func (k Kind) Parent() Kind { return kindTable[k].parent }

// Counts says how often each kind of fault fired. The zero value is ready.
type Counts [KindCount]uint64

// Add counts one firing of k, and so one of its parent.
func (c *Counts) Add(k Kind) {
	if k == KindNone || k >= KindCount {
		panic(fmt.Sprintf("faults: counted %v", k))
	}
	c[k]++
	if parent := kindTable[k].parent; parent != KindNone {
		c[parent]++
	}
}

// Merge adds the firings of another run.
func (c *Counts) Merge(other Counts) {
	for k := range c {
		c[k] += other[k]
	}
}

// Each visits the kinds that fired, in the order of reports.
func (c *Counts) Each(visit func(k Kind, n uint64)) {
	for k, n := range c {
		if n > 0 {
			visit(Kind(k), n)
		}
	}
}

// Missing returns the kinds that the spec asks for and that never fired: a run
// with any has shown less than it seems to.
func (c *Counts) Missing(s Spec) []Kind {
	var missing []Kind
	for _, k := range s.Enabled() {
		if c[k] == 0 {
			missing = append(missing, k)
		}
	}
	return missing
}
