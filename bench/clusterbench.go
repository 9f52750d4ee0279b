package main

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"
)

// clusterBench measures replicated writes: three processes on this machine, on real disks and loopback. The
// clients are goroutines of the process that leads, and call the library as a service does. Both clusters stand all the
// time, and take turns; what one does not use is left to the other. It needs Linux.
type clusterBench struct {
	quick   bool
	dir     string
	profile string // folder for CPU profiles of our processes
	only    string
	clients int    // only so many, if not zero
	other   string // another build of this program
	show    func(row)

	root     string
	clusters []*trio
}

// The bars: the ratio to the peer with so many clients must be greater.
const (
	oneClientBar  = 2.0
	anyClientsBar = 1.0
)

// clientCounts are how many clients there are, in turn.
func (b *clusterBench) clientCounts() []int {
	if b.clients > 0 {
		return []int{b.clients}
	}
	return []int{1, 16, 64, 256}
}

func (b *clusterBench) run() (err error) {
	root, remove, err := makeRoot(b.dir)
	if err != nil {
		return err
	}
	defer remove()
	b.root = root
	defer func() {
		for _, c := range b.clusters {
			err = errors.Join(err, c.stop())
		}
	}()
	// The peer comes first: ratios are to it.
	for _, s := range b.systems() {
		c, err := startTrio(filepath.Join(root, s), s, b.binary(s), false)
		if c != nil {
			b.clusters = append(b.clusters, c)
		}
		if err != nil {
			return err
		}
	}
	if b.profile != "" {
		if err := b.clusters[1].profile(b.profile); err != nil {
			return err
		}
	}
	for name, part := range b.parts() {
		if b.only == "" || b.only == name {
			if err := part(); err != nil {
				return err
			}
		}
	}
	return nil
}

// parts yields what is measured, in order.
func (b *clusterBench) parts() iter.Seq2[string, func() error] {
	return func(yield func(string, func() error) bool) {
		_ = yield("throughput", b.throughput) && yield("failover", b.failover) && yield("syncs", b.countSyncs)
	}
}

// systems returns those that take turns.
func (b *clusterBench) systems() []string {
	all := []string{hashiSystem, oursSystem}
	if b.other != "" {
		all = append(all, otherSystem)
	}
	return all
}

// binary returns the program that a system's members run; empty: this one.
func (b *clusterBench) binary(system string) string {
	if system == otherSystem {
		return b.other
	}
	return ""
}

// throughput measures all client counts.
func (b *clusterBench) throughput() error {
	rounds, each := 25, 400*time.Millisecond
	if b.quick {
		rounds, each = 9, 150*time.Millisecond
	}
	order := rand.New(rand.NewPCG(1, 1))
	for _, clients := range b.clientCounts() {
		results := make([][]loadResult, len(b.clusters))
		for round := range rounds + 1 { // the first warms up
			for _, i := range order.Perm(len(b.clusters)) {
				got, err := b.clusters[i].load(clients, each)
				if err != nil {
					return err
				}
				if round > 0 {
					results[i] = append(results[i], got)
				}
			}
		}
		for i, c := range b.clusters {
			b.show(throughputRow(c.system, clients, results[i], results[0]))
		}
	}
	return nil
}

// throughputRow is the result of a system, beside those of the peer in the same rounds.
func throughputRow(system string, clients int, results, peers []loadResult) row {
	var rates, p50, p99, ratios, cpu []float64
	for i, r := range results {
		rates, p50, p99 = append(rates, r.rate()), append(p50, r.P50), append(p99, r.P99)
		ratios = append(ratios, r.rate()/peers[i].rate())
		cpu = append(cpu, microseconds(r.CPU)/float64(r.Ops))
	}
	r := row{
		Bench: "cluster", Workload: fmt.Sprintf("write 128 B, %d clients", clients), System: system,
		OpsPerSec: median(rates), P50: median(p50), P99: median(p99), Ratio: median(ratios),
		Costs: &costs{CPU: median(cpu)},
	}
	if system == oursSystem {
		bar := anyClientsBar
		if clients == 1 {
			bar = oneClientBar
		}
		r.Note = fmt.Sprintf("bar %.2f", bar)
		if r.Ratio < bar {
			r.Note += fmt.Sprintf(", missed by %.0f%%", 100*(bar-r.Ratio)/bar)
		}
	}
	return r
}

// failover kills leaders, and measures how long it takes until another has acknowledged a write.
func (b *clusterBench) failover() error {
	rounds := 9
	if b.quick {
		rounds = 3
	}
	took := make([][]float64, len(b.clusters))
	for range rounds {
		for i, c := range b.clusters {
			d, err := c.killLeader()
			if err != nil {
				return err
			}
			took[i] = append(took[i], microseconds(d))
		}
	}
	for i, c := range b.clusters {
		slices.Sort(took[i])
		r := row{
			Bench: "cluster", Workload: "leader killed, to next write", System: c.system,
			OpsPerSec: 1e6 / median(took[i]), P50: median(took[i]), P99: took[i][len(took[i])-1],
			Ratio: median(took[0]) / median(took[i]), Note: fmt.Sprintf("the second time is the longest of %d", rounds),
		}
		b.show(r)
	}
	return nil
}

// countSyncs counts syncs an operation, of all three processes, in clusters that run under strace and are not timed.
func (b *clusterBench) countSyncs() error {
	each := time.Second
	if b.quick {
		each = 300 * time.Millisecond
	}
	for _, s := range b.systems() {
		c, err := startTrio(filepath.Join(b.root, s+"-counted"), s, b.binary(s), true)
		if err == nil && c.counted() {
			err = b.countLoads(c, each)
		}
		if c != nil {
			err = errors.Join(err, c.stop())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *clusterBench) countLoads(c *trio, each time.Duration) error {
	for _, clients := range b.clientCounts() {
		if _, err := c.load(clients, each/4); err != nil {
			return err
		}
		before, err := c.syncs()
		if err != nil {
			return err
		}
		got, err := c.load(clients, each)
		if err != nil {
			return err
		}
		after, err := c.syncs()
		if err != nil {
			return err
		}
		perOp := float64(after-before) / float64(got.Ops)
		b.show(row{
			Bench: "cluster", Workload: fmt.Sprintf("syncs, %d clients", clients), System: c.system, OpsPerSec: got.rate(),
			P50: got.P50, P99: got.P99, Ratio: 1, Costs: &costs{Syncs: &perOp}, Note: "under strace; syncs of three processes, an operation",
		})
	}
	return nil
}
