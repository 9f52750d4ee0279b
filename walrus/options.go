package walrus

import (
	"fmt"
	"io/fs"
	"strings"
)

// Limits of the format and of one log.
const (
	// MaxTopics is how many topics a log may hold: their bounds share one
	// header block.
	MaxTopics = 64
	// MaxKeys is above every stable key: all keys in use are written again in
	// the first group of every segment.
	MaxKeys = 256
	// MaxValue is the largest stable value, in bytes.
	MaxValue = 64 << 10
	// MaxGroup is the largest group on disk, in bytes, whatever the options.
	MaxGroup = 128 << 20

	segmentBytesMin     = 3 * headerBytes
	segmentBytesMax     = 1 << 30
	segmentBytesDefault = 64 << 20
	groupBytesMin       = 1 << 10
	groupBytesDefault   = 64 << 20
	reserveMax          = 256 << 10
	// segmentGrowMax is where even a segment without a successor stops growing.
	segmentGrowMax = 8 << 30
)

// Topic names a sequence of entries in the log. Zero is the log itself and
// cannot be used.
type Topic uint16

// Mirror pairs a topic with its recovery topic: every entry of Main is
// accompanied, in the same group, by a link of Recovery that repeats its
// index, its term, its place and its checksum. Truncations of Main apply to both.
type Mirror struct {
	Main, Recovery Topic
}

// Options says where a log lies and how large its parts are.
type Options struct {
	// Dir is the log's folder under the root of the FS, for its use only. It is
	// made if it is missing. "." is not allowed.
	Dir string
	// Seed must be drawn anew for each Open: the salts of all checksums
	// written from then on derive from it.
	Seed uint64
	// SegmentBytes is the size of a segment file: 12 KiB to 1 GiB, zero means
	// 64 MiB. A group that does not fit makes its segment grow.
	SegmentBytes int64
	// GroupBytes limits the open group, but for what chores add: 1 KiB to MaxGroup/2, zero means 64 MiB.
	GroupBytes int
	// Mirror lists the mirrored topics. It must be the same at every Open.
	Mirror []Mirror
	// PinnedSegments is how many segments there are before small topics are copied forward, so that
	// their old entries keep none. Zero means 8.
	PinnedSegments int
	// Retain lists the topics that keep only so much.
	Retain []Retain
	// Reopen lets the log go on after a flush that failed, see Log.Reopen. Otherwise
	// the first one is final.
	Reopen bool
	// Holes makes Open go on although it finds the payloads of entries damaged, if all else
	// shows which they are. The report is not clean then and names them. To read one is an
	// error, until Batch.Repair has given the log its payload back.
	Holes bool
	// RefuseUncertain makes Open fail with ErrUncertain, before it changes anything, if the last group is
	// Uncertain. Who cannot bear to lose it looks at the report, asks others, and opens again without the
	// option. Otherwise Open leaves the group out: only the report of that one Open says so, which a crash
	// right behind it takes away.
	RefuseUncertain bool
	// VerifyOnOpen makes Open verify every checksum, and ignore the seals.
	VerifyOnOpen bool
}

// Validate reports the first thing wrong with the options. Zero sizes are valid.
func (o Options) Validate() error {
	switch {
	case !fs.ValidPath(o.Dir) || o.Dir == ".":
		return fmt.Errorf("walrus: %q is not a folder for a log", o.Dir)
	case o.SegmentBytes != 0 && (o.SegmentBytes < segmentBytesMin || o.SegmentBytes > segmentBytesMax):
		return fmt.Errorf("walrus: segments of %d bytes: not in [%d, %d]",
			o.SegmentBytes, segmentBytesMin, segmentBytesMax)
	case o.PinnedSegments < 0:
		return fmt.Errorf("walrus: %d pinned segments", o.PinnedSegments)
	case o.GroupBytes != 0 && (o.GroupBytes < groupBytesMin || o.GroupBytes > MaxGroup/2):
		return fmt.Errorf("walrus: groups of %d bytes: not in [%d, %d]", o.GroupBytes, groupBytesMin, MaxGroup/2)
	}
	for _, r := range o.Retain {
		if r.Topic == 0 || r.Bytes < 0 || r.Segments < 0 || r.Bytes == 0 && r.Segments == 0 {
			return fmt.Errorf("walrus: retention of topic %d: %d bytes, %d segments", r.Topic, r.Bytes, r.Segments)
		}
	}
	taken := map[Topic]bool{0: true}
	for _, m := range o.Mirror {
		if taken[m.Main] || taken[m.Recovery] || m.Main == m.Recovery {
			return fmt.Errorf("walrus: mirror of topic %d in %d: zero, or used twice", m.Main, m.Recovery)
		}
		taken[m.Main], taken[m.Recovery] = true, true
	}
	return nil
}

// withDefaults fills in what was left zero.
func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = segmentBytesDefault
	}
	o.SegmentBytes = roundUp(o.SegmentBytes, sectorBytes)
	if o.GroupBytes == 0 {
		o.GroupBytes = groupBytesDefault
	}
	if o.PinnedSegments == 0 {
		o.PinnedSegments = pinnedDefault
	}
	return o
}

// reserve is how much of the last segment is kept for changes other than entries
// when the device is full.
func (o Options) reserve() int64 { return min(o.SegmentBytes/8, reserveMax) }

// lockName returns the name of the lock: beside the folder, not in it, because
// a folder that was never finished is removed and made again.
func (o Options) lockName() string {
	return strings.ReplaceAll(o.Dir, "/", "-") + ".lock"
}
