// Wal is a service in small that keeps its work in a log of package walrus/group, on a
// real disk. Orders come in, singly and in batches; a consumer makes an invoice of each, and
// a tail prints what happens. Run it, stop it at any point, and run it again:
//
//	go run ./examples/wal --dir /tmp/orders --orders 5
//	go run ./examples/wal --dir /tmp/orders --orders 5 --die-after 3
//	go run ./examples/wal --dir /tmp/orders --orders 0
//
// The second run ends as a process does that is killed: without closing anything, with
// orders in the log that have no invoice yet. The third finds the log as it was
// acknowledged, says in one line what its recovery found, and goes on with the first order
// that has no invoice. However often it dies, there is one invoice for each order: the
// invoice, the running number in a stable key and the consumer's cursor are one batch, so
// that they are durable together, with one sync, or not at all.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
	"github.com/octopii-go/octopii/walrus/group"
)

// What the log holds: two topics and a key.
const (
	orders   walrus.Topic = 1
	invoices walrus.Topic = 2
	keyTotal uint16       = 1 // how many orders there ever were
)

func main() {
	dir := flag.String("dir", "orders", "folder of the service")
	count := flag.Int("orders", 5, "how many orders come in")
	dieAfter := flag.Int("die-after", 0, "end without warning after that many invoices; 0: never")
	flag.Parse()
	s := &service{out: os.Stdout, dieAfter: *dieAfter}
	if err := s.run(*dir, *count); err != nil {
		fmt.Fprintln(os.Stderr, "wal:", err)
		os.Exit(1)
	}
}

// service is a run of the program.
type service struct {
	log      *group.Log
	dieAfter int

	mu  sync.Mutex // guards out: the tail prints, too
	out io.Writer
}

func (s *service) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// run opens the log, takes orders in, and writes the invoices that are due.
func (s *service) run(dir string, count int) (err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	folder, err := host.OpenFolder(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	log, report, err := group.Open(folder, walrus.Options{Dir: "log", SegmentBytes: 1 << 20})
	if err != nil {
		return err // damaged, perhaps: a log never opens with less than it had and says nothing
	}
	s.log = log
	defer func() { err = errors.Join(err, log.Close()) }()
	s.printf("recovery: %v, %d records, %d written again", report.Verdict, report.Records, report.Reappended)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var tail sync.WaitGroup
	_, next := log.Bounds(orders)
	tail.Go(func() { s.watch(ctx, next) })
	if err := s.takeIn(count); err != nil {
		return err
	}
	if err := s.bill(); err != nil {
		return err
	}
	cancel()
	tail.Wait()
	// What every consumer is done with may go: its segments, too, once they are behind it.
	first, err := log.Trim(orders)
	stats := log.TopicStats(invoices)
	s.printf("orders before %d are done with; %d invoices of %d bytes", first, stats.Entries, stats.Bytes)
	return err
}

// takeIn appends orders: the first alone, the others as one batch, with how many
// there are now.
func (s *service) takeIn(count int) error {
	if count == 0 {
		return nil
	}
	// Add lets the log choose the index, and returns when the entry is durable.
	if _, err := s.log.Add(orders, 0, 0, []byte("a single order")); err != nil {
		return err
	}
	_, next := s.log.Bounds(orders)
	var b walrus.Batch
	for i := range uint64(count - 1) {
		b.Entry(orders, next+i, 0, 0, fmt.Appendf(nil, "order %d of a batch", i+1))
	}
	b.Set(keyTotal, binary.LittleEndian.AppendUint64(nil, next+uint64(count)-2))
	return s.log.Append(&b) // all of it, or nothing
}

// bill makes an invoice of each order that has none.
func (s *service) bill() error {
	c, err := s.log.Consumer("billing", orders)
	if err != nil {
		return err
	}
	for made := 0; ; made++ {
		if _, pending := c.Cursor(); pending == 0 {
			return nil
		}
		if s.dieAfter > 0 && made == s.dieAfter {
			s.printf("dies with invoices to write")
			os.Exit(3)
		}
		order, err := c.Next(context.Background())
		if err != nil {
			return err
		}
		_, next := s.log.Bounds(invoices)
		var b walrus.Batch
		b.Entry(invoices, next, 0, 0, fmt.Appendf(nil, "invoice %d for %q", next, order.Payload))
		if err := c.AckWith(&b, order.Index); err != nil {
			return err
		}
		s.printf("order %d has invoice %d", order.Index, next)
	}
}

// watch prints the orders that come in while the program runs, from next on.
func (s *service) watch(ctx context.Context, next uint64) {
	for e, err := range s.log.Tail(ctx, orders, next) {
		switch {
		case errors.Is(err, context.Canceled), errors.Is(err, group.ErrClosed):
		case err != nil:
			s.printf("tail: %v", err)
		default:
			s.printf("order %d came in: %s", e.Index, e.Payload)
		}
	}
}
