package cluster_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime/cluster"
)

// BenchmarkPropose has clients write 128 bytes each, one after the other, by the leader of three members in this process: with real
// syncs, over loopback QUIC.
func BenchmarkPropose(b *testing.B) {
	for _, engine := range []cluster.Engine{cluster.Octopii, cluster.Hashicorp} {
		for _, clients := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/%d", engine, clients), func(b *testing.B) { benchmarkPropose(b, engine, clients) })
		}
	}
}

func benchmarkPropose(b *testing.B, engine cluster.Engine, clients int) {
	r := newRig(b, 3)
	r.startAll(func(c *cluster.Config) {
		c.Engine, c.ElectionTimeout, c.HeartbeatInterval = engine, 2*time.Second, 200*time.Millisecond
	})
	leader := r.members[r.leader(r.members[1])]
	b.ResetTimer()
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for i := c; i < b.N; i += clients {
				cmd := kv.Command{Op: kv.Put, Client: uint64(c + 1), Seq: uint64(i + 1), Key: fmt.Appendf(nil, "key-%d", i%1000), Value: make([]byte, 128)}
				if _, err := leader.Propose(b.Context(), cmd.Append(nil)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
