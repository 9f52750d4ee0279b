package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/transport/quic"
)

// A mistake in who the members are, and where, is named in the words of the config, before anything is touched.
func TestPeersAreValidated(t *testing.T) {
	good := cluster.Config{Cluster: "orders", ID: 1, Dir: "nowhere", TLSDir: "nowhere", Peers: []cluster.Peer{
		{ID: 1, Addr: "10.0.0.1:7000"}, {ID: 2, Addr: "[fe80::1]:7000"}, {ID: 3, Addr: "node.example:octopii"}}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	second := func(addr string) []cluster.Peer {
		return []cluster.Peer{good.Peers[0], {ID: 2, Addr: addr}}
	}
	for want, change := range map[string]func(*cluster.Config){
		`cluster: peer at "10.0.0.9:7000" has no ID`: func(c *cluster.Config) {
			c.Peers = append(second("10.0.0.2:7000"), cluster.Peer{Addr: "10.0.0.9:7000"})
		},
		`cluster: peer n1 is given twice, at "10.0.0.1:7000" and "10.0.0.9:7000"`: func(c *cluster.Config) {
			c.Peers = append(second("10.0.0.2:7000"), cluster.Peer{ID: 1, Addr: "10.0.0.9:7000"})
		},
		"cluster: peer n2: address 10.0.0.2: missing port in address": func(c *cluster.Config) { c.Peers = second("10.0.0.2") },
		`cluster: peer n2: address 10.0.0.2:: port "" is none`:        func(c *cluster.Config) { c.Peers = second("10.0.0.2:") },
		`cluster: peer n2: address a:99999: port "99999" is none`:     func(c *cluster.Config) { c.Peers = second("a:99999") },
		"cluster: Listen: address 7000: missing port in address":      func(c *cluster.Config) { c.Listen = "7000" },
		"cluster: ElectionTimeout is -1s and HeartbeatInterval 0s: neither may be negative": func(c *cluster.Config) {
			c.ElectionTimeout = -time.Second
		},
		"cluster: config: transport: RPC with CallsMax -1": func(c *cluster.Config) { c.RPC.CallsMax, c.Shipper.ChunkBytes = -1, 1 },
	} {
		bad := good
		change(&bad)
		if err := bad.Validate(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	fast := good
	fast.ElectionTimeout, fast.HeartbeatInterval = 20*time.Millisecond, 5*time.Millisecond
	if err := fast.Validate(); err != nil {
		t.Errorf("the default engine is held to a bound of the other: %v", err)
	}
	if fast.Engine = cluster.Hashicorp; fast.Validate() == nil {
		t.Error("the other engine is not held to its own bound")
	}
}

// What hinders a start is said in the words of who knows it, and nobody else's.
func TestStartSaysWhatHindersIt(t *testing.T) {
	r := newRig(t, 1)
	cfg := r.config(1)
	cfg.Cluster = "billing"
	_, err := cluster.Start(context.Background(), cfg, newMachine)
	oneLine(t, err, quic.ErrCluster, `our certificate is for "orders", the config says "billing"`)
	if err != nil && !strings.HasPrefix(err.Error(), "quic: ") {
		t.Errorf("%q begins with what was being done, not with what is wrong", err)
	}
	cfg = r.config(1)
	cfg.Wrap = func(files runtime.FS) runtime.FS { return noRoom{files} }
	_, err = cluster.Start(context.Background(), cfg, newMachine)
	oneLine(t, err, runtime.ErrNoSpace, "cluster: folder "+cfg.Dir, "no space left on device")
	if errors.Is(err, cluster.ErrForeign) {
		t.Errorf("%v is taken for a folder of somebody else", err)
	}
}

// noRoom is a disk on which no file can be made.
type noRoom struct{ runtime.FS }

func (noRoom) Create(string) (runtime.File, error) { return nil, runtime.ErrNoSpace }
