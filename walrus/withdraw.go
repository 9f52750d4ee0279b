package walrus

import (
	"errors"
	"fmt"

	"github.com/octopii-go/octopii/runtime"
)

// reserve makes room for the part of a group that lies behind what was prepared of its file, before
// anything of the group is written: so a full device is met while nothing has happened yet.
func (g *Group) reserve() error {
	end := g.at + int64(len(g.write))
	if end <= g.prepared {
		return nil
	}
	err := retry(func() error { return g.file.Allocate(g.prepared, end-g.prepared, false) })
	if errors.Is(err, runtime.ErrNoSpace) {
		return fmt.Errorf("walrus: reserve %d bytes of %s: %w", end-g.prepared, g.seg.name, ErrNoSpace)
	}
	if err == nil {
		g.prepared = end
	} // else the write will say whether there is room
	return nil
}

// Withdraw takes back the group in flight, whose Flush has found the device full, and all that has
// been staged meanwhile. It reports whether it has: then none of that has happened, and none ever
// will, and the log is as it was published. If a part of the group may have been written,
// which takes a file system that has no room where it has given some before, nothing is
// taken back: a crash could show the group. It can only be flushed again, or be given up by Fail.
func (l *Log) Withdraw(g *Group) bool {
	if g == nil || g != l.flight || l.failed != nil {
		panic("walrus: Withdraw of a group that is not in flight, or of a log that failed")
	}
	if g.begun {
		return false
	}
	l.end = g.off
	l.unstage()
	l.flight, l.free = nil, g
	return true
}
