package walrus

import "strconv"

// Verdict is what recovery found of a log, or of a part of it. Larger is worse.
type Verdict uint8

// The verdicts.
const (
	// Clean: the log ends where bytes never written begin.
	Clean Verdict = iota
	// Damaged: bytes that were written twice are bad in one place; the other
	// served. Nothing is lost.
	Damaged
	// Torn: the last write did not arrive as a whole. Nothing that was
	// acknowledged is lost.
	Torn
	// Uncertain: the last group does not verify, no later write vouches for it,
	// and whether it was torn or rotted cannot be decided on this disk alone. It was
	// left out, or the log did not open, see Options.RefuseUncertain. If the disk does not rot, it was torn.
	Uncertain
	// Corrupt: bytes that were durable are damaged or missing. The log did not
	// open, and nothing was changed.
	Corrupt
)

// String returns the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Clean:
		return "clean"
	case Damaged:
		return "damaged"
	case Torn:
		return "torn"
	case Uncertain:
		return "uncertain"
	case Corrupt:
		return "corrupt"
	}
	return "verdict(" + strconv.Itoa(int(v)) + ")"
}

// Finding is one thing that recovery has to say about a file.
type Finding struct {
	Verdict Verdict
	File    string // path under the FS root; empty: a file that is missing
	Offset  int64  // where it begins
	Bytes   int64  // how far it reaches; what of it was left out of the log stays in its file
	What    string // for people
}

// Hole is an entry whose payload is damaged.
type Hole struct {
	Topic  Topic
	Index  uint64
	Term   uint64
	Flags  uint8
	Length int // of the payload in bytes
}

// Report is what Open found and did.
type Report struct {
	Verdict  Verdict   // the worst of the findings; Clean if there are none
	Findings []Finding // in the order found
	Fresh    bool      // there was no log, and a new one was made
	Segments int       // in the log
	Sealed   int       // of them taken from their seals
	Closed   bool      // its end is the seal of a close
	Groups   int       // found valid
	Records  int       // in those groups
	Holes    []Hole    // entries in the log that cannot be read; only with Options.Holes
	InDoubt  []uint64  // transactions that are prepared and not decided
	// Reappended is how many records were written again because no durable claim
	// covered them, and Placed where the payloads written again lie now. The older
	// copies stay where they are as long as their file does.
	Reappended int
	Placed     []Placed
}

// note adds a finding.
func (r *Report) note(f Finding) {
	r.Findings = append(r.Findings, f)
	r.Verdict = max(r.Verdict, f.Verdict)
}
