package sim

import (
	"github.com/octopii-go/octopii/faults"
	"github.com/octopii-go/octopii/runtime"
)

// blockSize is the unit in which file systems allocate, in bytes.
const blockSize = 4096

const blockSectors = blockSize / sectorSize

// rules are what a file system promises beyond POSIX, and so what a loss of
// power may leave. In-place writes to blocks that the file had before are promised
// nothing, unless copied is set: any subset of their sectors may arrive.
type rules struct {
	// steps: the size may be any that the file had to go through, not only
	// the durable one and the newest.
	steps bool
	// grown says what the bytes are by which a file grew, up to the size left.
	grown grownRule
	// copied: blocks are never written in place, so each is old or new as a whole.
	copied bool
	// prefix: directory operations arrive in the order done.
	prefix bool
	// journal: a sync that has metadata to write, or any SyncDir, commits all
	// directory operations there are.
	journal bool
	// ownNames: a sync makes the names of its file durable, and of the
	// directories above, whatever else is waiting.
	ownNames bool
	// keeps says whether reads after a failed sync show the new bytes.
	keeps keepRule
	// lies: a sync does nothing and reports success.
	lies bool
}

type grownRule uint8

const (
	grownAny    grownRule = iota // as any sector: old, new, torn
	grownBlocks                  // each block new, or zeros
	grownWhole                   // new
)

type keepRule uint8

const (
	keepDrawn keepRule = iota
	keepNew
	keepOld
)

// profiles gives the rules of each file system.
//
//   - posix promises nothing: "any subset, in any order" is what is left of
//     fsync(2) and of the rationale of fdatasync in POSIX.1-2017 without a sync.
//   - ext4, data=ordered: data is written before the metadata that refers to it is
//     committed, and the journal commits in order (kernel, filesystems/ext4,
//     "data=ordered"; filesystems/ext4/journal). With delayed allocation a file's growth
//     is not ordered with directory operations (ALICE, OSDI '14, table 1). A commit
//     takes all of the journal along, so a sync that needs one makes every
//     directory operation before it durable. That a rename over a file forces
//     its data out (auto_da_alloc) is a heuristic that can be mounted away; it is left out.
//   - xfs: the log is written in order, and forcing it up to one file's change
//     takes all before it along (kernel, filesystems/xfs-delayed-logging-design).
//     The size on disk follows the data's arrival, but not contiguously:
//     blocks whose write had not ended are unwritten extents, and read as zeros.
//   - btrfs: copy on write, so a block is old or new. An fsync goes to the log tree
//     and takes the file's own names along, not other operations, so these
//     reach the disk out of order (ALICE, OSDI '14, table 1; btrfs wiki, "Log tree").
//     The size on disk covers only what has arrived without a gap.
//   - What reads show after a failed sync: ext4 and xfs keep the new bytes on clean
//     pages, btrfs goes back to the old ones (Rebello and others, "Can applications
//     recover from fsync failures?", ATC '20, table 1).
//   - liar is a device that acknowledges a flush and ignores it.
var profiles = [...]rules{
	faults.NoProfile:    {},
	faults.ProfilePOSIX: {steps: true},
	faults.ProfileExt4:  {steps: true, grown: grownWhole, prefix: true, journal: true, keeps: keepNew},
	faults.ProfileXFS:   {steps: true, grown: grownBlocks, prefix: true, journal: true, keeps: keepNew},
	faults.ProfileBtrfs: {steps: true, grown: grownWhole, copied: true, ownNames: true, keeps: keepOld},
	faults.ProfileLiar:  {lies: true},
}

// syncFile makes the file's bytes durable, and what the file system writes along.
func (d *disk) syncFile(f *inode) {
	if d.rules.lies {
		return
	}
	var unnamed []*inode
	switch {
	case d.rules.journal && (f.size != f.durableSize || f.floor != f.size || d.names.waits(f)):
		unnamed = d.names.commit(func(dirOp) bool { return true })
	case d.rules.ownNames && d.names.waits(f):
		unnamed = d.names.commitNamesOf(f)
	}
	f.sync(d.pool)
	for _, old := range unnamed {
		d.collect(old)
	}
}

// syncDir makes the directory's names durable, and what the file system writes along.
func (d *disk) syncDir(dir string) {
	var unnamed []*inode
	switch {
	case d.rules.lies:
	case d.rules.journal:
		unnamed = d.names.commit(func(dirOp) bool { return true })
	case d.rules.ownNames:
		unnamed = d.names.commit(func(op dirOp) bool { return op.in(dir) })
	default:
		unnamed = d.names.syncDir(dir)
	}
	for _, f := range unnamed {
		d.collect(f)
	}
}

// failSync is a sync of the file that reports an error.
func (d *disk) failSync(f *inode, showNew bool) {
	if !d.rules.lies {
		f.failSync(showNew, d.sync, d.pool)
	}
}

// failSyncDir is a sync of the directory that reports an error.
func (d *disk) failSyncDir(dir string) {
	if !d.rules.lies {
		d.names.failSyncDir(dir, d.sync, d.rules.prefix)
	}
}

// losePower leaves what the device holds after a loss of power, torn being
// the chance of a torn or garbled sector among the unsynced ones, and counts
// those. The process must have ended. It reports whether anything was at stake.
func (d *disk) losePower(torn uint32, fired *faults.Counts) (atStake bool) {
	before := append([]*inode(nil), d.names.seen.inodes...)
	atStake = len(d.names.pending) > 0
	d.names.losePower(d.power, d.rules.prefix)
	for _, f := range d.names.seen.inodes {
		atStake = atStake || len(f.unsynced) > 0 || f.size != f.durableSize
		size, shrunk := d.sizeLeft(f)
		f.losePower(size, d.fates(f, shrunk, torn, fired), d.power, d.pool)
	}
	for _, f := range before {
		d.collect(f)
	}
	return atStake
}

// sizeLeft draws the size that a loss of power leaves, and whether a
// truncation since the last sync, if there was one, has arrived.
func (d *disk) sizeLeft(f *inode) (size int64, shrunk bool) {
	changed := f.size != f.durableSize
	if !d.rules.steps {
		if changed && d.power.Below(2) == 0 {
			return f.size, true
		}
		return f.durableSize, true
	}
	if !changed && f.floor == f.size {
		return f.size, true
	}
	switch d.power.Below(3) {
	case 0:
		return f.durableSize, false
	case 1:
		return f.size, true
	}
	first := f.floor / blockSize
	between := uint64(max((f.size-1)/blockSize-first, 0))
	if between == 0 {
		return f.floor, true
	}
	return (first + 1 + int64(d.power.Below(between))) * blockSize, true
}

// fates returns how the unsynced sectors of one file fare, as far as the file
// system leaves it open; torn is the chance of those that the power catches. Shrunk says
// that a truncation arrived.
func (d *disk) fates(f *inode, shrunk bool, torn uint32, fired *faults.Counts) func(sector int) fate {
	way, salt := d.wayOf(f), uint64(0)
	if d.rules.copied || d.rules.grown == grownBlocks {
		salt = d.power.Draw()
	}
	grown := (f.floor + blockSize - 1) / blockSize * blockSize
	return func(sector int) fate {
		off := int64(sector) * sectorSize
		if d.rules.grown != grownAny && off >= grown {
			switch {
			case !shrunk:
				return fateLost // a new block that nothing refers to
			case d.rules.grown == grownWhole:
				return fateWhole
			}
			return fate(runtime.Mix(salt, uint64(off/blockSize)) & 1)
		}
		if way.catches(sector) && d.power.Chance(torn) {
			return d.tear(fired)
		}
		switch {
		case way.mode != wayEach:
			return way.fate(sector)
		case d.rules.copied:
			return fate(runtime.Mix(salt, uint64(off/blockSize)) & 1)
		}
		return fate(d.power.Below(2))
	}
}

// way is how far the writing of one file's unsynced sectors had come.
type way struct {
	mode wayMode
	cut  int // wayHead, wayTail: the first sector behind the point
}

type wayMode uint8

const (
	wayNone wayMode = iota // not begun: all are lost
	wayAll                 // done: all arrive
	wayHead                // those before some point arrive
	wayTail                // those behind it do
	wayEach                // each fares by itself
	wayModes
)

// wayOf draws how far the writing of a file had come. A file system that copies
// blocks writes whole ones.
func (d *disk) wayOf(f *inode) way {
	w := way{mode: wayMode(d.power.Below(uint64(wayModes) + 1))}
	w.mode = min(w.mode, wayEach) // twice as often as others
	if n := len(f.unsynced); n > 0 && (w.mode == wayHead || w.mode == wayTail) {
		w.cut = f.unsynced[d.power.Below(uint64(n))].sector
		if d.rules.copied {
			w.cut -= w.cut % blockSectors
		}
	}
	return w
}

// catches reports whether the sector was just being written when power went. At a point
// that writing had come to, this is a block.
func (w way) catches(sector int) bool {
	return w.mode == wayEach || (w.mode == wayHead || w.mode == wayTail) && sector/blockSectors == w.cut/blockSectors
}

func (w way) fate(sector int) fate {
	if w.mode == wayAll || w.mode == wayHead && sector < w.cut || w.mode == wayTail && sector >= w.cut {
		return fateWhole
	}
	return fateLost
}

// tear draws how a sector comes out that the power caught.
func (d *disk) tear(fired *faults.Counts) fate {
	switch {
	case d.power.Below(2) == 0:
		fired.Add(faults.KindTorn)
		return fateTorn
	case d.unsafe:
		fired.Add(faults.KindRuined)
		return fateRuined
	}
	fired.Add(faults.KindGarbage)
	return fateGarbage
}
