package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"sync"
	"syscall"
	"time"
)

// memberConfig says who a member is.
type memberConfig struct {
	System string
	ID     int // from 1
	Dir    string
	TLS    string   // folder of the credentials, for those who use any
	Addrs  []string // of all members
}

// order is what a member is told.
type order struct {
	Do      string // hello, status, load, attempt, first, cease, profile
	Clients int
	For     time.Duration
	Path    string
}

// answer is what it says.
type answer struct {
	Err   string
	Leads bool
	Load  *loadResult
	CPU   time.Duration // of the process, so far
	First int64         // when the write was acknowledged: ns since 1970
}

// loadResult is what clients have achieved.
type loadResult struct {
	Ops, Failed int
	Seconds     float64
	P50, P99    float64       // microseconds
	CPU         time.Duration // of all members
}

func (r loadResult) rate() float64 { return float64(r.Ops) / r.Seconds }

// replica is a member of either system. Both replicate a map: see table.
type replica interface {
	// propose has a command executed, and returns when it is.
	propose(ctx context.Context, command []byte) error
	leads() bool
	close() error
}

// The systems.
const (
	oursSystem  = "octopii"
	otherSystem = "octopii-other" // as another build has it: to compare two commits
	hashiSystem = "hashicorp-raft"
)

// runMember is the main program of a member. It ends when its standard input does.
func runMember(text string) (err error) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // which the one who started it takes care of
	var cfg memberConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	open := openOurs
	if cfg.System == hashiSystem {
		open = openHashi
	}
	r, err := open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	w := &worker{replica: r}
	defer w.endProfile()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		a, err := w.do(o)
		if err != nil {
			a.Err = err.Error()
		}
		if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
			return err
		}
	}
	return lines.Err()
}

// worker does what a member is told.
type worker struct {
	replica replica
	profile *os.File

	background   sync.WaitGroup // attempts
	cease        func()
	acknowledged chan int64
}

func (w *worker) do(o order) (a answer, err error) {
	switch o.Do {
	case "hello":
	case "status":
		a.Leads = w.replica.leads()
		a.CPU, err = processorTime()
	case "load":
		a.Load, err = w.load(o.Clients, o.For)
	case "attempt":
		w.attempt()
	case "first":
		a.First = w.first()
	case "cease":
		w.cease()
		w.background.Wait()
	case "profile":
		if w.profile, err = os.Create(o.Path); err == nil {
			err = pprof.StartCPUProfile(w.profile)
		}
	default:
		err = fmt.Errorf("a member does not %q", o.Do)
	}
	return a, err
}

func processorTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

func (w *worker) endProfile() {
	if w.profile != nil {
		pprof.StopCPUProfile()
		w.profile.Close()
	}
}

// valueBytes is the size of a value, keyBytes that of a key.
const (
	keyBytes   = 8
	valueBytes = 128
	keyCount   = 4096
)

func command(key uint64) []byte {
	c := make([]byte, keyBytes+valueBytes)
	binary.LittleEndian.PutUint64(c, key%keyCount)
	return c
}

// load has clients write one value after the other.
func (w *worker) load(clients int, d time.Duration) (*loadResult, error) {
	took := make([][]time.Duration, clients)
	failed := make([]int, clients)
	ctx, cancel := context.WithTimeout(context.Background(), d+30*time.Second)
	defer cancel()
	began := time.Now()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for n := 0; time.Since(began) < d && failed[i] == 0; n++ {
				at := time.Now()
				if err := w.replica.propose(ctx, command(uint64(i*7919+n))); err != nil {
					failed[i]++
					continue
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	all.Wait()
	r := &loadResult{Seconds: time.Since(began).Seconds()}
	var together []time.Duration
	for i := range clients {
		together = append(together, took[i]...)
		r.Failed += failed[i]
	}
	if r.Ops = len(together); r.Ops > 0 {
		slices.SortFunc(together, cmp.Compare[time.Duration])
		r.P50, r.P99 = microseconds(together[r.Ops/2]), microseconds(together[r.Ops*99/100])
	}
	return r, nil
}

// attempt writes again and again, in the background, until a write is acknowledged by this member, or it is told to cease.
func (w *worker) attempt() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cease, w.acknowledged = cancel, make(chan int64, 1)
	w.background.Go(func() {
		for ctx.Err() == nil {
			if w.replica.propose(ctx, command(0)) == nil {
				w.acknowledged <- time.Now().UnixNano()
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// first returns when a write was acknowledged, zero if none has been yet.
func (w *worker) first() int64 {
	select {
	case at := <-w.acknowledged:
		return at
	default:
		return 0
	}
}
