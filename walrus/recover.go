package walrus

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/octopii-go/octopii/runtime"
)

// lsnGap is left between the end of what a recovery kept and the LSNs it goes on
// with: more than any group that was in flight can have reached, so that no
// LSN is used twice.
const lsnGap = 1 << 28

// recovery is one run of Open over a folder that exists. Nothing in it is changed
// before rebuild.
type recovery struct {
	d      disk
	o      Options
	report *Report

	files   []file // ascending
	buf     []byte // of the segment being read
	foreign bool   // the folder holds names that are not ours
	marked  bool   // it holds a mark of a close
	mark    mark
	// markHolds: the mark's checksum does.
	markHolds bool
	closed    bool // the log ends with a closing seal
	holes     []hole
	state     state
	chain     []*segment      // read so far
	sealings  []*sealing      // of segments that have no seal
	headers   []segmentHeader // of chain
	claim     uint64          // LSN below which some header says that all is durable
	end       int64           // in the last segment of the chain: where valid groups end
	left      int64           // there: after the last byte that is not zero, if it is more
	sum       uint32          // group CRC of the last group of the chain
	// held is the last group of the log, if no claim covers it; nothing of it has
	// been applied. heldOps are its records and heldBytes the bytes between its
	// header and its trailer.
	held      *found
	heldOps   []placed
	heldBytes []byte
	// heldGroup is bodyStart bytes, then the held group.
	heldGroup []byte
	anyMirror bool // the pairs are those of the log's header
}

// file is a segment file and what its first blocks are.
type file struct {
	seq  uint64
	name string
	headerBlocks
}

// list finds the segment files.
func (r *recovery) list() error {
	names, err := r.d.list(r.o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("walrus: list %s: %w", r.o.Dir, err)
	}
	for _, name := range names {
		seq, ok := segmentSeq(name)
		switch {
		case ok:
			r.files = append(r.files, file{seq: seq, name: path.Join(r.o.Dir, name)})
		case name == closedName:
			r.marked = true
		case name != spareName && name != unitName:
			r.foreign = true
		}
	}
	slices.SortFunc(r.files, func(a, b file) int { return int(min(max(int64(a.seq-b.seq), -1), 1)) })
	return nil
}

// readHeaders reads the first blocks of every file.
func (r *recovery) readHeaders() error {
	var blocks [bodyStart]byte
	for i := range r.files {
		f := &r.files[i]
		data, err := r.load(f.name, blocks[:0], bodyStart)
		if err != nil {
			return err
		}
		if len(data) < bodyStart {
			clear(blocks[len(data):])
		}
		f.headerBlocks, err = getHeader(blocks[:], f.seq)
		if errors.Is(err, ErrVersion) {
			return fmt.Errorf("walrus: %s: %w", f.name, err)
		}
		if err != nil {
			return r.corrupt(CorruptError{File: f.name, What: err.Error()})
		}
		if f.badA || f.badB {
			off := int64(0)
			if f.badB {
				off = headerBytes
			}
			what := "one of two headers"
			r.report.note(Finding{Verdict: Damaged, File: f.name, Offset: off, Bytes: headerBytes, What: what})
		}
	}
	return nil
}

// load reads a file from its start into buf, up to limit bytes.
func (r *recovery) load(name string, buf []byte, limit int64) ([]byte, error) {
	f, err := r.d.open(name)
	if err != nil {
		return nil, fmt.Errorf("walrus: open %s: %w", name, err)
	}
	defer func() { _ = f.Close() }() // only read
	data, err := loadFile(f, buf, limit)
	if err != nil {
		return nil, fmt.Errorf("walrus: read %s: %w", name, err)
	}
	return data, nil
}

// loadFile drops the cache first: after a failed sync in an earlier life it may
// show bytes that the device never got, on pages that no later sync will write.
func loadFile(f runtime.File, buf []byte, limit int64) ([]byte, error) {
	if err := dropCache(f); err != nil {
		return nil, err
	}
	size, err := sizeOf(f)
	if err != nil {
		return nil, err
	}
	size = min(size, limit)
	buf = slices.Grow(buf[:0], int(size))[:size]
	for off := int64(0); off < size; off += readSpanMax {
		want := buf[off:min(off+readSpanMax, size)]
		n, err := readUpTo(f, want, off)
		if err != nil {
			return nil, err
		}
		clear(want[n:])
	}
	return buf, nil
}

// corrupt reports damage to durable bytes and returns the error for it.
func (r *recovery) corrupt(e CorruptError) error {
	r.report.note(Finding{Verdict: Corrupt, File: e.File, Offset: e.Offset, What: e.What})
	return &e
}

// note adds a finding, and returns an error if it is that the log is corrupt.
func (r *recovery) note(f Finding) error {
	switch f.Verdict {
	case Clean:
		return nil
	case Corrupt:
		return r.corrupt(CorruptError{File: f.File, Offset: f.Offset, What: f.What})
	}
	r.report.note(f)
	return nil
}

// confirm leaves to the caller what nobody else can decide, if he wants to be asked.
func (r *recovery) confirm() error {
	for _, f := range r.report.Findings {
		if r.o.RefuseUncertain && f.Verdict == Uncertain {
			return fmt.Errorf("walrus: %w: %s: %d bytes in %s at %d", ErrUncertain, f.What, f.Bytes, f.File, f.Offset)
		}
	}
	return nil
}
