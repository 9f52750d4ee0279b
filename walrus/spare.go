package walrus

import (
	"errors"
	"path"

	"github.com/octopii-go/octopii/runtime"
)

// making is a spare segment being made. Its fields belong to the job while one
// runs, and to the loop otherwise.
type making struct {
	spare
	dir      string
	want     int64 // size to be reached
	named    bool  // has its final name, not yet durably
	finished bool
	replaces runtime.File // the one that held the name, or nil
	// recycled is a file of the log that nothing needs any more, to be used instead
	// of a new one; empty: there is none, or it has been taken.
	recycled string
	old      int64  // size of the file that was taken
	zeros    []byte // for it

	run  func(runtime.FS) error // a step, as a job
	done func(error)            // what goes with it
}

// step does one more part. The zeros are synced part by part: otherwise the first group
// of the segment would have to carry them all along, and under a file that is taken
// again the old segment could come out of a power loss, by the name of the new one.
//
// The name needs a sync because whatever is acknowledged in this segment
// hangs on it. If that sync fails, the name may be missing after a power loss for
// ever, and no later sync of the folder would prove otherwise. So the file is
// given up, and the next attempt renames another one over it, which is a change of
// the folder of its own, made durable by a sync of its own. Until then the segment
// before it is not put to use, so that nothing hangs on the doubtful name.
func (m *making) step(d disk) error {
	err := m.grow(d)
	if err == nil && m.named {
		err = d.syncDir(m.dir)
		m.finished = err == nil
	}
	if m.finished && m.replaces != nil {
		_ = m.replaces.Close() // nothing is in it
	}
	if err != nil && !outOfSpace(err) {
		m.giveUp()
	}
	return err
}

// outOfSpace reports whether a chore failed for the lack of space, and can go on when there is some.
func outOfSpace(err error) bool {
	return errors.Is(err, runtime.ErrNoSpace) && !errors.Is(err, ErrFailed)
}

// grow zeroes the next part of the file, and gives it its name after the last.
func (m *making) grow(d disk) (err error) {
	tmp := path.Join(m.dir, spareName)
	if m.recycled != "" {
		return m.recycle(d, tmp)
	}
	if m.file == nil {
		if m.file, err = d.create(tmp); err != nil {
			return err
		}
	}
	if n := min(allocateStep, m.want-m.size); n > 0 {
		if err := m.zero(n); err != nil {
			return err
		}
		if err := m.file.SyncData(); err != nil {
			return failed("sync "+tmp, err)
		}
		m.size += n
	}
	if m.size < m.want {
		return nil
	}
	m.named = true
	return d.rename(tmp, m.name)
}

// recycle takes a file of the log that nothing needs. It is not written to before its
// old name is gone for good: else the name could come back with other bytes behind it,
// and recovery take them for a damaged segment.
func (m *making) recycle(d disk, tmp string) (err error) {
	if m.file != nil { // one that has not got all its blocks
		_ = m.file.Close()
		m.file, m.size = nil, 0
	}
	if err := d.rename(m.recycled, tmp); err != nil {
		return err
	}
	if err := d.syncDir(m.dir); err != nil {
		return err
	}
	m.recycled = ""
	if m.file, err = d.open(tmp); err != nil {
		return err
	}
	m.old, err = sizeOf(m.file)
	m.want = max(m.want, m.old)
	return err
}

// zeroBytes is how much one call zeroes of a file that is taken again.
const zeroBytes = 256 << 10

// zero writes zeros to the next n bytes.
func (m *making) zero(n int64) error {
	at, end := m.size, m.size+n
	for at < min(end, m.old) {
		if m.zeros == nil {
			m.zeros = make([]byte, min(zeroBytes, m.old))
		}
		part := min(int64(len(m.zeros)), min(end, m.old)-at)
		if err := writeAll(m.file, m.zeros[:part], at); err != nil {
			return err
		}
		at += part
	}
	if at == end {
		return nil
	}
	return allocate(m.file, at, end-at)
}

// giveUp closes the file: nothing was promised about it.
func (m *making) giveUp() {
	if m.file != nil {
		_ = m.file.Close()
	}
}
