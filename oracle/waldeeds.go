package oracle

// WalDeed is something that logs do rarely, and that a run counts: who never saw it has
// shown nothing of it.
type WalDeed uint8

// The deeds.
const (
	WalPrepared  WalDeed = iota // transactions that became durable, in doubt
	WalCommitted                // of them
	WalAborted                  // of them
	WalDoubted                  // that were found in doubt when a log was opened
	WalDropped                  // truncations of topics that keep only so much
	WalHoles                    // entries that could not be read when a log was opened
	WalRepaired                 // entries written again with what a peer had
	WalTakenBack                // groups that found no room
	WalElsewhere                // groups written in another segment after a failed flush
	walDeedCount
)

// Deed is how often something was done.
type Deed struct {
	Name   string
	Count  uint64
	Wanted bool // a run without is vacuous
}

var walDeedNames = [walDeedCount]string{
	"prepared", "committed", "aborted", "in doubt", "dropped", "holes", "repaired", "taken back", "reopened",
}

// Deeds returns what the logs have done so far.
func (s *WalSuite) Deeds() []Deed {
	wanted := [walDeedCount]bool{
		WalPrepared: true, WalCommitted: true, WalAborted: true, WalDropped: true,
		WalRepaired: s.cfg.Rots,
	}
	deeds := make([]Deed, walDeedCount)
	for d := range deeds {
		deeds[d] = Deed{walDeedNames[d], s.deeds[d], wanted[d]}
	}
	return deeds
}
