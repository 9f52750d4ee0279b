package faults

import (
	"errors"
	"fmt"
	"slices"
)

// Profile is a file system, by what a loss of power may leave on it. Package
// sim says what each of them allows, and on whose authority.
type Profile uint8

// The profiles. Without one, anything that POSIX allows may be left, but that the
// size of a file is the old or the new one.
const (
	NoProfile    Profile = iota
	ProfilePOSIX         // any part of the unsynced bytes, sizes and names
	ProfileExt4          // data=ordered
	ProfileXFS
	ProfileBtrfs
	ProfileLiar // a sync does nothing: over the budget
)

// profileNames are the profiles as typed.
var profileNames = []string{
	ProfilePOSIX: "posix", ProfileExt4: "ext4", ProfileXFS: "xfs", ProfileBtrfs: "btrfs", ProfileLiar: "liar",
}

// AfterSync is what a failed sync leaves behind, beside the bytes that did not
// reach the device: what reads show of them, and who hears of the failure.
type AfterSync uint8

// The states after a failed sync. Without any, reads show old or new bytes as drawn
// or as the file system does it, and one handle hears of the failure.
const (
	NoAfterSync AfterSync = iota
	AfterNewOnce
	AfterNewAll
	AfterOldOnce
	AfterOldAll
	AfterAny // one of the four, drawn
)

// afterNames are the states as typed.
var afterNames = []string{
	AfterNewOnce: "new-once", AfterNewAll: "new-all", AfterOldOnce: "old-once", AfterOldAll: "old-all", AfterAny: "any",
}

// Budget says what the ledger grants beyond what a correct cluster survives.
type Budget uint8

// The budgets. The zero Budget grants nothing beyond.
const (
	BudgetKept Budget = iota
	BudgetTail        // the newest claims of a log may be struck, too
	BudgetOver        // as many disks as there are may be struck
)

// budgetNames are the budgets as typed.
var budgetNames = []string{BudgetTail: "tail", BudgetOver: "over"}

// profile, afterSync and budget are how these are typed.
type (
	profile   Profile
	afterSync AfterSync
	budget    Budget
)

func (b *budget) parse(text string) error {
	i, err := parseName(text, budgetNames)
	*b = budget(i)
	return err
}

func (b *budget) String() string { return budgetNames[*b] }

func (p *profile) parse(text string) error {
	i, err := parseName(text, profileNames)
	*p = profile(i)
	return err
}

func (p *profile) String() string { return profileNames[*p] }

func (a *afterSync) parse(text string) error {
	i, err := parseName(text, afterNames)
	*a = afterSync(i)
	return err
}

func (a *afterSync) String() string { return afterNames[*a] }

// noPSOW is the absence of powersafe overwrite, as typed.
type noPSOW bool

func (n *noPSOW) parse(text string) error {
	if *n = text == "0"; !*n {
		return fmt.Errorf("%q is not 0; with powersafe overwrite the key is left out", text)
	}
	return nil
}

func (n *noPSOW) String() string {
	if !*n {
		return ""
	}
	return "0"
}

// parseName finds a name in a table whose row zero is empty and stands for off.
func parseName(text string, names []string) (int, error) {
	i := slices.Index(names, text)
	if i <= 0 {
		return 0, fmt.Errorf("unknown name %q", text)
	}
	return i, nil
}

// Conflict reports the first two keys of the spec that do not go together, or
// one that does nothing without another.
func (s Spec) Conflict() error {
	power := s.Crash.Target != NoTarget && s.Crash.Power
	switch {
	case s.Torn > 0 && !power:
		return errors.New("torn sectors come with a loss of power only: add crash=any to the faults, or leave torn out")
	case s.NoPSOW && s.Torn == 0:
		return errors.New("what becomes of older bytes shows in torn sectors only: add torn=0.5 to the faults, or leave psow out")
	case s.FS != NoProfile && s.FS != ProfileLiar && !power:
		return errors.New("a file system shows at a loss of power only: add crash=any to the faults, or leave fs out")
	case s.FS == ProfileBtrfs && s.Torn > 0:
		return errors.New("btrfs never writes in place, so no sector is torn: leave torn out, or choose another fs")
	case s.After != NoAfterSync && s.Sync == 0:
		return errors.New("there is something after a failed sync if syncs fail: add sync=0.01 to the faults, or leave after out")
	}
	return s.conflictOfDamage()
}

func (s Spec) conflictOfDamage() error {
	switch {
	case s.Budget != BudgetKept && !s.Damages():
		return errors.New("nothing here is bound by the budget: add rot=5s or the like to the faults, or leave budget out")
	case s.Restore > 0 && s.Budget != BudgetOver:
		return errors.New("no cluster survives an old image of a disk: add budget=over to the faults, or leave restore out")
	case s.Swap > 0 && s.Budget != BudgetOver:
		return errors.New("no cluster survives the disk of another machine: add budget=over to the faults, or leave swap out")
	}
	return nil
}

func (s Spec) damagesAtRest() bool {
	return s.Rot > 0 || s.Latent > 0 || s.Phantom > 0 || s.Misdirect > 0 || s.Wipe > 0 || s.Restore > 0 || s.Swap > 0
}

// Damages reports whether the faults take bytes that claims cover, or show others in
// their place: then the claims must be declared to the ledger.
func (s Spec) Damages() bool {
	return s.damagesAtRest() || s.Stale > 0 || s.Astray > 0
}

// OverBudget reports whether the faults may take more than a correct cluster can
// do without: then safety is demanded, and no progress.
func (s Spec) OverBudget() bool { return s.Budget != BudgetKept || s.FS == ProfileLiar || s.NoPSOW }
