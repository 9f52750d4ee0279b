package fsmtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/octopii-go/octopii/raft"
)

// errFull is why a write of an image fails, and a read of a snapshot.
var errFull = errors.New("fsmtest: no further")

// snapshots has one machine take many, and be told that some are there to stay.
func snapshots(t *trial) error {
	m, err := t.machine()
	if err != nil {
		return err
	}
	var results [][]byte
	for len(results) < len(t.entries) {
		at := len(results)
		n := min(1+t.dice.Below(30), len(t.entries)-at)
		r, err := t.apply(m, t.entries[at:at+n], t.some(n))
		if err != nil {
			return err
		}
		results = append(results, r...)
		captured, err := m.Snapshot()
		if err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		if t.dice.Below(3) > 0 { // some are never written
			if _, err := captured.WriteTo(io.Discard); err != nil {
				return fmt.Errorf("write of an image: %w", err)
			}
		}
		captured.Release()
		if compactor, ok := m.(raft.Compactor); ok && t.dice.Below(2) == 0 {
			if err := compactor.Compact(raft.Index(at + n)); err != nil {
				return fmt.Errorf("compact to %d: %w", at+n, err)
			}
		}
	}
	return t.ends(m, results)
}

// isolated captures images, and writes them after everything else has happened.
func isolated(t *trial) error {
	m, err := t.machine()
	if err != nil {
		return err
	}
	places := t.cuts()
	slices.Sort(places)
	captured := make([]raft.Image, len(places))
	at := 0
	for i, place := range places {
		if _, err := t.apply(m, t.entries[at:place], t.some(20)); err != nil {
			return err
		}
		at = place
		if captured[i], err = m.Snapshot(); err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
	}
	if err := m.Restore(bytes.NewReader(t.initial)); err != nil {
		return fmt.Errorf("restore of the empty state: %w", err)
	}
	if _, err := t.apply(m, t.entries[:len(t.entries)/2], one); err != nil {
		return err
	}
	for i, place := range places {
		_, want, err := t.at(place)
		if err != nil {
			return err
		}
		got, err := write(captured[i])
		if err == nil {
			err = same(fmt.Sprintf("an image taken after %d commands and written later", place), got, want)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// failedWrite lets writes of images fail.
func failedWrite(t *trial) error {
	m, snapshot, err := t.at(len(t.entries))
	if err != nil {
		return err
	}
	for _, room := range t.prefixes(len(snapshot)) {
		captured, err := m.Snapshot()
		if err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		_, err = captured.WriteTo(&narrow{room: room})
		captured.Release()
		if !errors.Is(err, errFull) {
			return fmt.Errorf("an image of %d bytes, of which %d could be written, says %v", len(snapshot), room, err)
		}
	}
	return t.ends(m, nil)
}

// narrow is a writer with room for a few bytes.
type narrow struct{ room int }

func (w *narrow) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// restored begins with a snapshot, on a machine that is new and on one that was in use.
func restored(t *trial) error {
	for _, place := range t.cuts() {
		_, snapshot, err := t.at(place)
		if err != nil {
			return err
		}
		for _, used := range []bool{false, true} {
			m, err := t.machine()
			if err != nil {
				return err
			}
			if used {
				if _, err := t.apply(m, t.entries[:t.dice.Below(len(t.entries))+1], t.some(20)); err != nil {
					return err
				}
			}
			if err := t.resume(m, snapshot, place); err != nil {
				return fmt.Errorf("a machine (in use before: %v) restored to %d commands: %w", used, place, err)
			}
		}
	}
	return nil
}

// resume restores a machine and executes the rest.
func (t *trial) resume(m raft.StateMachine, snapshot []byte, place int) error {
	if err := m.Restore(&pieces{dice: &t.dice, rest: snapshot, end: io.EOF}); err != nil {
		return err
	}
	got, err := image(m)
	if err == nil {
		err = same("its state", got, snapshot)
	}
	if err != nil {
		return err
	}
	results, err := t.apply(m, t.entries[place:], t.some(20))
	if err == nil {
		err = t.ends(m, results)
	}
	return err
}

// pieces is a reader that gives a few bytes at a time, and sometimes none.
type pieces struct {
	dice *Dice
	rest []byte
	end  error
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, r.end
	}
	n := min(len(p), len(r.rest), 1+r.dice.Below(8))
	copy(p, r.rest[:n])
	r.rest = r.rest[n:]
	return n, nil
}

// truncated restores from snapshots that end too early, or cannot be read to their end.
func truncated(t *trial) error {
	for _, n := range t.prefixes(len(t.final)) {
		for _, end := range []error{io.EOF, errFull} {
			if end == io.EOF && bytes.Equal(t.final[:n], t.initial) {
				continue // that is all there is of the empty state
			}
			m, err := t.machine()
			if err != nil {
				return err
			}
			if m.Restore(&pieces{dice: &t.dice, rest: t.final[:n], end: end}) == nil {
				return fmt.Errorf("the first %d of %d bytes, and then %v, pass for a snapshot", n, len(t.final), end)
			}
		}
	}
	return nil
}

// prefixes returns lengths less than all: those at both ends, and some between.
func (t *trial) prefixes(all int) []int {
	const ends, between = 10, 20
	var lengths []int
	for n := range all {
		if n < ends || n >= all-ends {
			lengths = append(lengths, n)
		}
	}
	for range between {
		if all > 0 {
			lengths = append(lengths, t.dice.Below(all))
		}
	}
	return lengths
}
