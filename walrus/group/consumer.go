package group

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/octopii-go/octopii/walrus"
)

// Errors of consumers, matched with errors.Is.
var (
	// ErrConsumer means that a consumer cannot be: its name is empty or too long, or it reads
	// another topic.
	ErrConsumer = errors.New("group: no such consumer can be")
	// ErrRemoved means that the consumer has been removed.
	ErrRemoved = errors.New("group: consumer was removed")
)

// Consumer reads a topic from where it has acknowledged, under a name, in this life and
// the next: every entry comes at least once. What was delivered and not acknowledged comes
// again after a restart, or a Rewind. A Consumer is for any number of goroutines, which share
// what it delivers.
//
// Its cursor, the index of the first entry not acknowledged, is a stable key of the log. So it is
// durable as a batch is, with a sync of its own or with somebody else's.
type Consumer struct {
	log  *Log
	name string
	t    walrus.Topic
	key  uint16

	next sync.Mutex // held by who reads the next entry; taken before the log's

	// These are guarded by the log's lock.
	at      uint64 // the entry to deliver next
	acked   uint64 // the cursor with all that was staged
	removed bool
}

// ConsumerInfo is a durable cursor.
type ConsumerInfo struct {
	Name  string
	Topic walrus.Topic
	Next  uint64 // the first entry not acknowledged
}

// Consumer returns the consumer with that name, which reads that topic. If there is none, it
// is made, durably, at the topic's first entry. Whoever asks for the same name shares it. It blocks for
// a flush if it makes one. Errors match
//   - ErrRemoved: it is being removed at this moment;
//   - ErrConsumer: the name is empty, longer than ConsumerNameMax bytes, or that of a consumer of
//     another topic;
//   - walrus.ErrTooLarge: there are ConsumersMax consumers;
//   - those of Append.
func (l *Log) Consumer(name string, t walrus.Topic) (*Consumer, error) {
	if name == "" || len(name) > ConsumerNameMax {
		return nil, fmt.Errorf("%w: name of %d bytes", ErrConsumer, len(name))
	}
	l.mu.Lock()
	c, durable := l.findConsumer(name)
	switch {
	case c == nil:
		key, ok := l.freeKey()
		if !ok {
			l.mu.Unlock()
			return nil, fmt.Errorf("group: more than %d consumers: %w", ConsumersMax, walrus.ErrTooLarge)
		}
		c = &Consumer{log: l, name: name, t: t, key: key}
		c.at, _ = l.log.Bounds(t)
		c.acked = c.at
		l.consumers[name] = c
	case c.removed:
		l.mu.Unlock()
		return nil, fmt.Errorf("group: %q: %w", name, ErrRemoved) // as of this moment
	case c.t != t:
		l.mu.Unlock()
		return nil, fmt.Errorf("%w: %q reads topic %d, not %d", ErrConsumer, name, c.t, t)
	}
	if durable {
		l.mu.Unlock()
		return c, nil
	}
	err := c.stage(&walrus.Batch{}, func() (uint64, error) { return c.acked, nil })
	if err != nil {
		c.forget()
		return nil, err
	}
	return c, nil
}

// findConsumer returns the consumer, or nil, and whether its cursor is durable. The caller holds mu.
func (l *Log) findConsumer(name string) (c *Consumer, durable bool) {
	if l.consumers == nil {
		l.consumers = map[string]*Consumer{}
	}
	c = l.consumers[name]
	l.cursors(func(key uint16, at cursor) {
		if at.name != name {
			return
		}
		durable = c == nil || c.key == key
		if c == nil {
			c = &Consumer{log: l, name: name, t: at.topic, key: key, at: at.next, acked: at.next}
			l.consumers[name] = c
		}
	})
	return c, durable
}

// forget takes a consumer out that could not be made.
func (c *Consumer) forget() {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.removed = true
	if c.log.consumers[c.name] == c {
		delete(c.log.consumers, c.name)
	}
}

// Consumers returns the durable cursors of all consumers, whether somebody uses them or not.
func (l *Log) Consumers() []ConsumerInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	var infos []ConsumerInfo
	l.cursors(func(_ uint16, c cursor) {
		infos = append(infos, ConsumerInfo{Name: c.name, Topic: c.topic, Next: c.next})
	})
	return infos
}

// Next delivers the next entry, and waits for it if there is none yet. Errors match those of
// Tail, and
//   - walrus.ErrCompacted: the entries up to the topic's first are gone, undelivered: Seek there to go on;
//   - walrus.ErrGap: the topic was cut below what was delivered: Seek;
//   - ErrRemoved.
//
// After an error nothing was delivered.
func (c *Consumer) Next(ctx context.Context) (Entry, error) { return c.read(ctx, true) }

// Peek is Next without the delivery: the entry comes again.
func (c *Consumer) Peek(ctx context.Context) (Entry, error) { return c.read(ctx, false) }

func (c *Consumer) read(ctx context.Context, deliver bool) (e Entry, err error) {
	c.next.Lock()
	defer c.next.Unlock()
	where := func() (uint64, error) {
		if c.removed {
			return 0, ErrRemoved
		}
		return c.at, nil
	}
	next, err := c.log.follow(ctx, c.t, where, oneEntry, func(found Entry) error {
		e = found
		return nil
	})
	if err != nil {
		return Entry{}, err
	}
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if deliver && c.at == e.Index { // nobody has moved it meanwhile
		c.at = next
	}
	return e, nil
}

// Cursor returns the index of the first entry that is not acknowledged durably, and how many
// entries the topic has from there on.
func (c *Consumer) Cursor() (next, pending uint64) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	value, _ := l.log.Get(c.key)
	at, _ := getCursor(value)
	if _, end := l.log.Bounds(c.t); end > at.next {
		pending = end - at.next
	}
	return at.next, pending
}

// Rewind has all come again that was delivered and not acknowledged.
func (c *Consumer) Rewind() {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.at = c.acked
	c.log.announce()
}

// Ack acknowledges a delivered entry and all before it. When it returns nil, that is durable. It
// blocks for a flush. An entry acknowledged before changes nothing. The errors are those of Append;
// walrus.ErrGap also means that the entry was not delivered.
func (c *Consumer) Ack(index uint64) error { return c.AckWith(&walrus.Batch{}, index) }

// AckWith is Ack together with a batch of the caller's: both are durable, or neither, with one
// sync. This is how what a consumer makes of an entry goes into the same log exactly once. The
// batch has the acknowledgement in it from then on.
func (c *Consumer) AckWith(b *walrus.Batch, index uint64) error {
	c.log.mu.Lock()
	return c.stage(b, func() (uint64, error) {
		if index >= c.at {
			return 0, fmt.Errorf("group: %q acknowledges entry %d before it was delivered: %w", c.name, index, walrus.ErrGap)
		}
		return max(c.acked, index+1), nil
	})
}

// Seek moves the cursor, and with it what is delivered next, to an entry of the topic or to its end,
// forward or back. When it returns nil, that is durable. It blocks for a flush. The error
// matches walrus.ErrCompacted or ErrGap if the index is not in the topic, or is one of Append.
func (c *Consumer) Seek(index uint64) error {
	c.log.mu.Lock()
	before := c.at
	err := c.stage(&walrus.Batch{}, func() (uint64, error) {
		first, next := c.log.log.Bounds(c.t)
		switch {
		case index < first:
			return 0, fmt.Errorf("group: %q seeks entry %d, first is %d: %w", c.name, index, first, walrus.ErrCompacted)
		case index > next:
			return 0, fmt.Errorf("group: %q seeks entry %d, next is %d: %w", c.name, index, next, walrus.ErrGap)
		}
		before, c.at = c.at, index
		return index, nil
	})
	if errors.Is(err, walrus.ErrNoSpace) {
		c.log.mu.Lock()
		defer c.log.mu.Unlock()
		if c.at == index { // nobody has moved it meanwhile
			c.at = before
		}
	}
	return err
}

// stage makes the cursor that to returns durable, together with the batch. The caller holds the log's
// lock, and does not any more when stage returns. The value is filled in under the lock, in the
// order in which batches are staged: so cursors of several goroutines do not overtake
// each other on their way to the disk.
func (c *Consumer) stage(b *walrus.Batch, to func() (uint64, error)) error {
	l := c.log
	at := cursor{topic: c.t, name: c.name}
	value := make([]byte, at.size())
	b.Set(c.key, value)
	_, err := l.enter(func() (err error) {
		if c.removed {
			return ErrRemoved
		}
		before := c.at
		if at.next, err = to(); err == nil {
			at.put(value)
			err = l.log.Stage(b)
		}
		if err != nil {
			c.at = before
			return err
		}
		c.acked = at.next
		return nil
	})
	if err != nil {
		l.mu.Unlock()
		return err
	}
	return l.await()
}

// Remove gives the consumer's name and cursor up, durably. It blocks for a flush. Whoever
// uses it gets ErrRemoved from then on. The errors are those of Append.
func (c *Consumer) Remove() error {
	l := c.log
	l.mu.Lock()
	_, err := l.enter(func() error {
		if c.removed {
			return ErrRemoved
		}
		l.scratch.Set(c.key, nil)
		err := l.log.Stage(&l.scratch)
		l.scratch.Reset()
		c.removed = err == nil
		return err
	})
	if err != nil {
		l.mu.Unlock()
		return err
	}
	if err := l.await(); err != nil {
		return err
	}
	c.forget()
	return nil
}

// Trim drops the entries of a topic that all of its consumers have acknowledged durably, and
// returns the topic's first index then. Without a consumer it drops nothing. It blocks for
// a flush if there is anything to drop. The errors are those of Append.
func (l *Log) Trim(t walrus.Topic) (first uint64, err error) {
	l.mu.Lock()
	owner, err := l.enter(func() error {
		var next uint64
		if first, next = l.log.Bounds(t); first == next {
			return nil
		}
		to, any := next, false
		l.cursors(func(_ uint16, c cursor) {
			if c.topic == t {
				to, any = min(to, c.next), true
			}
		})
		for _, c := range l.consumers {
			if c.t == t && any {
				to = min(to, c.acked) // it may be on its way back
			}
		}
		if !any || to <= first {
			return nil
		}
		l.scratch.TruncateFront(t, to)
		err := l.log.Stage(&l.scratch)
		l.scratch.Reset()
		first = to
		return err
	})
	if err != nil || !owner {
		l.mu.Unlock()
		return first, err
	}
	return first, l.await()
}
