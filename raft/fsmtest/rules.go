package fsmtest

import (
	"bytes"
	"fmt"

	"github.com/octopii-go/octopii/raft"
)

// changes sees that the trial shows anything at all.
func changes(t *trial) error {
	if bytes.Equal(t.initial, t.final) {
		return fmt.Errorf("%d commands leave the empty state of %d bytes as it was: nothing can be seen of them", len(t.entries), len(t.initial))
	}
	return nil
}

// again executes the same in the same way: what differs then comes from elsewhere, as the order of a map does.
func again(t *trial) error {
	for range 3 {
		m, err := t.machine()
		if err != nil {
			return err
		}
		results, err := t.apply(m, t.entries, one)
		if err != nil {
			return err
		}
		if err := t.ends(m, results); err != nil {
			return err
		}
		first, err := image(m)
		if err != nil {
			return err
		}
		second, err := image(m)
		if err == nil {
			err = same("the same state once more", second, first)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// batches cuts the commands in other places.
func batches(t *trial) error {
	all := func() int { return len(t.entries) }
	for _, size := range []func() int{all, t.some(3), t.some(50)} {
		m, err := t.machine()
		if err != nil {
			return err
		}
		results, err := t.apply(m, t.entries, size)
		if err == nil {
			err = t.ends(m, results)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nonsense has two machines execute what no client should send: it is in the log, and every replica must go on alike.
func nonsense(t *trial) error {
	entries := append([]raft.Entry(nil), t.entries...)
	for i := range entries {
		if t.dice.Below(2) == 0 {
			entries[i].Data = t.damage(entries[i].Data)
		}
	}
	var results [2][][]byte
	var images [2][]byte
	for i := range results {
		m, err := t.machine()
		if err != nil {
			return err
		}
		if results[i], err = t.apply(m, entries, t.some(1+20*i)); err != nil {
			return err
		}
		if images[i], err = image(m); err != nil {
			return err
		}
	}
	for i := range entries {
		if a, b := results[0][i], results[1][i]; !bytes.Equal(a, b) {
			return fmt.Errorf("command %q: one machine responds %q, another %q", clip(entries[i].Data), clip(a), clip(b))
		}
	}
	return same("the state after nonsense", images[1], images[0])
}

// damage returns bytes that were a command.
func (t *trial) damage(command []byte) []byte {
	d := &t.dice
	b := bytes.Clone(command)
	switch d.Below(4) {
	case 0:
		return nil
	case 1:
		return b[:d.Below(len(b)+1)]
	case 2:
		return append(b, d.Bytes(1+d.Below(20))...)
	}
	for range 1 + d.Below(3) {
		if len(b) > 0 {
			b[d.Below(len(b))] = byte(d.Uint64())
		}
	}
	return b
}

// owned keeps some responses and writes over others: neither may have to do with the state, nor with each other.
func owned(t *trial) error {
	m, err := t.machine()
	if err != nil {
		return err
	}
	var kept [][]byte
	for rest := t.entries; len(rest) > 0; {
		n := min(1+t.dice.Below(5), len(rest))
		results, err := t.batch(m, rest[:n])
		if err != nil {
			return err
		}
		for _, r := range results {
			at := len(kept)
			if !bytes.Equal(r, t.results[at]) {
				return fmt.Errorf("response %d is %q, want %q: it changed with one that was written over", at, clip(r), clip(t.results[at]))
			}
			if at%2 == 1 {
				scribble(r)
			}
			kept = append(kept, r)
		}
		rest = rest[n:]
	}
	for i := 0; i < len(kept); i += 2 {
		if !bytes.Equal(kept[i], t.results[i]) {
			return fmt.Errorf("response %d was %q, and is %q now", i, clip(t.results[i]), clip(kept[i]))
		}
	}
	return t.ends(m, nil)
}

// scribble writes over bytes.
func scribble(b []byte) {
	for i := range b {
		b[i] ^= 0xa5
	}
}

// queries asks one machine much, and compares it with those that are asked nothing, or only that.
func queries(t *trial) error {
	if t.cfg.Query == nil {
		return nil
	}
	m, err := t.machine()
	if err != nil {
		return err
	}
	var results [][]byte
	for i := range t.entries {
		if err := t.ask(m, i); err != nil {
			return err
		}
		r, err := t.apply(m, t.entries[i:i+1], one)
		if err != nil {
			return err
		}
		results = append(results, r...)
	}
	if err := t.ends(m, results); err != nil {
		return err
	}
	return t.compareAnswers()
}

// ask asks a machine a question twice, and writes over the first answer.
func (t *trial) ask(m raft.StateMachine, place int) error {
	question := t.cfg.Query(&t.dice)
	request := bytes.Clone(question)
	first := m.Query(request)
	kept := bytes.Clone(first)
	scribble(first)
	second := m.Query(request)
	switch {
	case !bytes.Equal(request, question):
		return fmt.Errorf("query %q was changed to %q", clip(question), clip(request))
	case !bytes.Equal(kept, second):
		return fmt.Errorf("query %q after %d commands: %q, and asked again %q", clip(question), place, clip(kept), clip(second))
	}
	return nil
}

// compareAnswers asks a machine, and one restored from its snapshot, the same.
func (t *trial) compareAnswers() error {
	m, snapshot, err := t.at(t.dice.Below(len(t.entries)))
	if err != nil {
		return err
	}
	other, err := t.machine()
	if err == nil {
		err = other.Restore(bytes.NewReader(snapshot))
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	for range 20 {
		question := t.cfg.Query(&t.dice)
		if a, b := m.Query(question), other.Query(question); !bytes.Equal(a, b) {
			return fmt.Errorf("query %q: %q, and of the restored machine %q", clip(question), clip(a), clip(b))
		}
	}
	return nil
}
