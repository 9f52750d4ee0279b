package group

import (
	goruntime "runtime"
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

// Hand-offs of the lead, of room and of outcomes in every mixture, on a disk that costs
// nothing, so that little else happens. A wake-up that is lost leaves somebody waiting
// for ever.
func TestNoWakeUpIsLost(t *testing.T) {
	const goroutines, each = 12, 1500
	big := make([]byte, roomBytes/3)
	l := open(t, voidFS{}, walrus.Options{Dir: "log", SegmentBytes: 1 << 20})
	done := inBackground(goroutines, func(g int) {
		topic := walrus.Topic(g + 1)
		var b walrus.Batch
		var last Ticket
		random := uint64(g)*0x9e3779b97f4a7c15 + 1
		for i := uint64(1); i <= each; i++ {
			random ^= random << 13
			random ^= random >> 7
			random ^= random << 17
			var p []byte
			if random%64 == 0 {
				p = big
			}
			b.Reset()
			b.Entry(topic, i, 1, 0, p)
			var err error
			switch random >> 20 % 8 {
			case 0, 1:
				last, err = l.Submit(&b)
			case 2:
				if last, err = l.Submit(&b); err == nil {
					err = last.Wait(t.Context())
				}
			case 3:
				if last, err = l.Submit(&b); err == nil {
					<-last.Done()
				}
			case 4:
				goruntime.Gosched()
				fallthrough
			default:
				err = l.Append(&b)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
		if last != (Ticket{}) {
			if err := last.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	await(t, done, "all of them")
	check(t, l.Close())
	for g := range goroutines {
		if _, next := l.Bounds(walrus.Topic(g + 1)); next != each+1 {
			t.Errorf("topic %d ends at %d", g+1, next)
		}
	}
	if s := l.Stats(); s.Batches != goroutines*each {
		t.Errorf("%+v", s)
	}
}

// An append allocates nothing in the steady state, alone and in a crowd. (The index of a
// topic grows in chunks, which the log uses again once they have been truncated away.)
func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, writers := range []int{1, 6} {
		l := open(t, voidFS{}, walrus.Options{Dir: "log"})
		run := func(from, to uint64) {
			await(t, inBackground(writers, func(w int) {
				var b walrus.Batch
				topic := walrus.Topic(w + 1)
				p := make([]byte, 100)
				for i := from; i < to; i++ {
					b.Reset()
					b.Entry(topic, i, 1, 0, p)
					if i%1000 == 0 {
						b.TruncateFront(topic, i-500)
					}
					if err := l.Append(&b); err != nil {
						t.Error(err)
					}
				}
			}), "the writers")
		}
		const warm, measured = 5_000, 10_000
		run(1, warm)
		var before, after goruntime.MemStats
		goruntime.ReadMemStats(&before)
		run(warm, warm+measured)
		goruntime.ReadMemStats(&after)
		// Starting the goroutines allocates, and so does putting a new segment to use.
		n := after.Mallocs - before.Mallocs
		if limit := uint64(writers*measured) / 100; n > limit {
			t.Errorf("%d writers: %d allocations in %d appends", writers, n, writers*measured)
		}
		check(t, l.Close())
	}
}
