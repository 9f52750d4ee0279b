package scenarios

import (
	"cmp"
	"fmt"
	"time"

	"github.com/octopii-go/octopii/faults"
)

// seedsDefault and stressOps are the suite's defaults.
const (
	seedsDefault = 50
	stressOps    = 5000
)

// shipOps is how many fetches a run has, each of many chunks.
const shipOps = 200

// Runs in which snapshots travel have a state of many chunks, and nodes that miss more than the log keeps.
const (
	snapKeys = 1000
	snapOps  = 3000
)

// Scenario is a row of the suite: a setup to be run with many seeds.
type Scenario struct {
	Name  string
	Doc   string // one line
	Setup Setup  // with seed zero
	Seeds int    // how many the suite runs by default, from 1
}

// row is a scenario as it is written down below. Zeros stand for the defaults.
type row struct {
	name, doc string
	service   Service
	faults    string
	nodes     int
	ops       int
	pace      time.Duration
	keys      int
	snapshots uint64 // SnapshotEvery
}

// rows is the suite. A crash of the power kind comes with torn sectors, since
// that is what a loss of power is. Only what is being written at that moment can be torn: where
// damage takes nodes out for good, power is lost often, before they are gone.
var rows = []row{
	{name: "basic-3", doc: "three nodes, no faults", faults: "none"},
	{name: "basic-5", doc: "five nodes, no faults", faults: "none", nodes: 5},
	{name: "basic-7", doc: "seven nodes, no faults", faults: "none", nodes: 7},

	{name: "io-05", doc: "5 % of file calls fail", faults: "io=0.05"},
	{name: "io-10", doc: "10 % of file calls fail", faults: "io=0.10"},
	{name: "io-15", doc: "15 % of file calls fail", faults: "io=0.15"},
	{name: "io-20", doc: "20 % of file calls fail", faults: "io=0.20"},
	{name: "io-25", doc: "25 % of file calls fail", faults: "io=0.25"},
	{name: "sync", doc: "1 % of syncs fail", faults: "sync=0.01"},
	{name: "sync-after", doc: "syncs fail and leave any of four states, and power goes", faults: "sync=0.01,after=any,torn=0.5,crash=any/6s"},
	{name: "close", doc: "10 % of Close and Lock calls fail", faults: "close=0.1,crash=any:kill/5s"},

	{name: "fs-posix", doc: "loss of power on a disk that promises nothing", faults: "io=0.02,sync=0.005,torn=0.5,fs=posix,crash=any/4s"},
	{name: "fs-ext4", doc: "loss of power on ext4, data=ordered", faults: "io=0.02,sync=0.005,torn=0.5,fs=ext4,crash=any/4s"},
	{name: "fs-xfs", doc: "loss of power on xfs", faults: "io=0.02,sync=0.005,torn=0.5,fs=xfs,crash=any/4s"},
	{name: "fs-btrfs", doc: "loss of power on btrfs", faults: "io=0.02,sync=0.005,fs=btrfs,crash=any/4s"},

	{name: "space", doc: "disks fill up and empty again", faults: "space=64KiB/2s"},
	{name: "space-crash", doc: "they fill up during recovery, too", faults: "space=16KiB/1s,torn=0.5,crash=any/2s"},
	{name: "slow-one", doc: "one disk is 200 times slower than the others", faults: "slow=200"},
	{name: "slow-bursts", doc: "disks are slow in bursts", faults: "slow=100/2s,crash=any:kill/6s"},
	{name: "stall", doc: "disks stand still for up to 3 s", faults: "stall=3s/3s,torn=0.5,crash=any/6s"},
	{name: "stall-long", doc: "a disk stands still for up to 30 s", faults: "stall=30s/10s"},

	{name: "dead", doc: "disks refuse every call for up to 2 s", faults: "dead=2s/2s,torn=0.5,crash=any/6s"},

	{name: "rot", doc: "synced bytes rot on a minority of the disks", faults: "rot=2s,crash=any:kill/6s"},
	{name: "rot-5", doc: "the same on five nodes that lose power", faults: "rot=1s,torn=0.9,crash=any/2s", nodes: 5},
	{name: "latent", doc: "synced bytes become unreadable on a minority of the disks", faults: "latent=2s,crash=any/6s"},
	{name: "phantom", doc: "synced writes turn out never to have been made", faults: "phantom=2s,crash=any/6s"},
	{name: "misdirect", doc: "synced writes turn out to lie elsewhere", faults: "misdirect=2s,crash=any/6s"},
	{name: "misread", doc: "reads show older bytes, or those of another place", faults: "stale=0.1,astray=0.1,crash=any/2s"},
	{name: "wipe", doc: "a disk is lost whole, and its node with it", faults: "wipe=5s,torn=0.9,crash=any/1s", nodes: 7},
	{name: "rot-over", doc: "bytes rot on every disk: nobody may answer wrongly", nodes: 5,
		faults: "rot=1s,latent=3s,phantom=3s,misdirect=3s,budget=over,torn=0.9,crash=any/1s"},

	{name: "disk-chaos", doc: "everything that a disk does, on five nodes", nodes: 5,
		faults: "io=0.03,sync=0.003,after=any,close=0.02,torn=0.9,fs=posix,space=32KiB/3s,slow=50/5s,stall=1s,rot=2s," +
			"latent=3s,phantom=3s,misdirect=3s,stale=0.05,astray=0.05,wipe=10s,crash=any/500ms"},

	{name: "net-loss", doc: "frames are lost, repeated, damaged and late", faults: "drop=0.05,dup=0.02,corrupt=0.01,delay=10ms"},
	{name: "net-single", doc: "one node cut off now and then", faults: "partition=single/4s"},
	{name: "net-halves", doc: "the cluster cut in half", faults: "partition=halves/6s", nodes: 5},
	{name: "net-leader", doc: "the leader cut off", faults: "partition=leader/5s"},
	{name: "net-oneway", doc: "one node hears nobody, or is heard by nobody", faults: "partition=oneway/4s"},
	{name: "net-flap", doc: "links that come and go", faults: "partition=flap/3s,drop=0.02"},

	{name: "net-clog", doc: "links hold frames for up to 4 s, and let them go at once", faults: "clog=4s/2s,drop=0.02", nodes: 5},

	{name: "io-net", doc: "a bad disk and a bad network", faults: "io=0.10,drop=0.05,dup=0.02,partition=flap"},
	{name: "io-net-5", doc: "the same on five nodes", faults: "io=0.10,drop=0.05,dup=0.02,partition=halves", nodes: 5},

	{name: "crash-3", doc: "about three crashes with loss of power", faults: "torn=0.5,crash=any/10s"},
	{name: "crash-5", doc: "about five", faults: "torn=0.5,crash=any/6s"},
	{name: "crash-8", doc: "about eight", faults: "torn=0.5,crash=any/3750ms"},
	{name: "crash-10", doc: "about ten", faults: "torn=0.5,crash=any/3s"},
	{name: "kill-leader", doc: "the leader's process dies, again and again", faults: "crash=leader:kill/3s"},
	{name: "crash-leader", doc: "the leader loses power, on a bad disk", faults: "io=0.05,torn=0.5,crash=leader/4s"},
	{name: "crash-majority", doc: "a majority loses power at once", faults: "torn=0.5,crash=majority/5s"},
	{name: "crash-all", doc: "everybody loses power at once", faults: "torn=0.5,crash=all/6s"},

	{name: "pause", doc: "processes stand still for up to 3 s", faults: "pause=3s/3s,drop=0.02"},
	{name: "pause-long", doc: "processes stand still for up to a minute, and lose power", faults: "pause=1m/15s,torn=0.5,crash=any/6s", nodes: 5},
	{name: "lag", doc: "jobs wait for a processor, and processes die", faults: "lag=50ms,crash=any:kill/4s"},

	{name: "snap-cut", doc: "snapshots for nodes that are cut off", snapshots: 20, keys: snapKeys, ops: snapOps,
		faults: "partition=single/1500ms,drop=0.05,dup=0.10,delay=20ms"},
	{name: "snap-leader", doc: "the leader goes while it sends one", snapshots: 20, keys: snapKeys, ops: snapOps, nodes: 5,
		faults: "partition=leader/2s,crash=leader:kill/3s,delay=20ms"},
	{name: "snap-io", doc: "snapshots from bad disks, to bad disks", snapshots: 20, keys: snapKeys, ops: snapOps,
		faults: "io=0.10,sync=0.01,partition=single/2s"},
	{name: "snap-kill", doc: "processes die in the midst of snapshots", snapshots: 20, keys: snapKeys, ops: snapOps,
		faults: "crash=any:kill/1s,delay=20ms"},
	{name: "snap-crash", doc: "machines lose power in the midst of them", snapshots: 20, keys: snapKeys, ops: snapOps,
		faults: "sync=0.005,torn=0.5,crash=any/1500ms,partition=single/4s"},
	{name: "snap-chaos", doc: "all of that on five nodes", snapshots: 20, keys: snapKeys, ops: snapOps, nodes: 5,
		faults: "io=0.05,sync=0.01,torn=0.5,crash=any/2s,partition=flap/3s,drop=0.05,dup=0.02,corrupt=0.005,delay=2ms"},

	{name: "chaos", doc: "everything at once", faults: "io=0.10,torn=0.5,sync=0.01,crash=any,partition=flap,drop=0.05,dup=0.02,corrupt=0.005,delay=2ms"},
	{name: "chaos-majority", doc: "everything, and majorities lose power", faults: "io=0.05,torn=0.5,sync=0.005,crash=majority/6s,partition=flap,drop=0.05,dup=0.02"},
	{name: "stress-chaos", doc: "everything at once, five times as long, five nodes", nodes: 5, ops: stressOps, pace: 150 * time.Second,
		faults: "io=0.10,torn=0.5,sync=0.01,crash=any,partition=flap,drop=0.05,dup=0.02"},

	{name: "rpc-basic", doc: "nodes call each other, no faults", service: RPC, faults: "none"},
	{name: "rpc-loss", doc: "the same over a bad network", service: RPC, faults: "drop=0.10,dup=0.10,corrupt=0.02,delay=50ms"},
	{name: "rpc-cut", doc: "links that come and go", service: RPC, faults: "partition=flap/3s,dup=0.05,delay=10ms"},
	{name: "rpc-kill", doc: "processes die in the midst of calls", service: RPC, faults: "crash=any:kill/1s,dup=0.10,delay=500ms"},
	{name: "rpc-chaos", doc: "all of that on five nodes", service: RPC, nodes: 5,
		faults: "crash=any:kill/2s,partition=halves/4s,drop=0.05,dup=0.10,corrupt=0.02,delay=50ms"},

	{name: "ship-basic", doc: "nodes fetch files from each other, no faults", service: Ship, ops: shipOps, faults: "none"},
	{name: "ship-loss", doc: "the same over a bad network", service: Ship, ops: shipOps, faults: "drop=0.05,dup=0.05,corrupt=0.02,delay=20ms"},
	{name: "ship-cut", doc: "links that come and go", service: Ship, ops: shipOps, faults: "partition=flap/2s,drop=0.02"},
	{name: "ship-io", doc: "the disk fails calls and syncs", service: Ship, ops: shipOps, faults: "io=0.10,sync=0.05"},
	{name: "ship-kill", doc: "processes die in the midst of it", service: Ship, ops: shipOps, faults: "crash=any:kill/1s,sync=0.02"},
	{name: "ship-crash", doc: "machines lose power in the midst of it", service: Ship, ops: shipOps, faults: "torn=0.5,crash=any/1500ms"},
	{name: "ship-chaos", doc: "all of that on five nodes", service: Ship, ops: shipOps, nodes: 5,
		faults: "io=0.05,torn=0.5,sync=0.02,crash=any/3s,partition=flap/4s,drop=0.05,dup=0.02,corrupt=0.01,delay=2ms"},

	{name: "wal-basic", doc: "a log alone, no faults", service: Wal, faults: "none"},
	{name: "wal-io", doc: "file calls fail", service: Wal, faults: "io=0.15"},
	{name: "wal-io-crash", doc: "they fail while logs recover, too", service: Wal, faults: "io=0.10,torn=0.5,crash=all/2s"},
	{name: "wal-sync", doc: "syncs fail", service: Wal, faults: "sync=0.02"},
	{name: "wal-after", doc: "syncs fail and leave any of four states, and power goes", service: Wal, faults: "sync=0.02,after=any,torn=0.5,crash=all/5s"},
	{name: "wal-close", doc: "Close and Lock calls fail", service: Wal, faults: "close=0.1,crash=all:kill/5s"},
	{name: "wal-kill", doc: "processes die, in the midst of recovery, too", service: Wal, faults: "crash=all:kill/500ms"},
	{name: "wal-posix", doc: "loss of power on a disk that promises nothing", service: Wal, faults: "io=0.02,sync=0.005,torn=0.5,fs=posix,crash=all/3s"},
	{name: "wal-ext4", doc: "loss of power on ext4, data=ordered", service: Wal, faults: "io=0.02,sync=0.005,torn=0.5,fs=ext4,crash=all/3s"},
	{name: "wal-xfs", doc: "loss of power on xfs", service: Wal, faults: "io=0.02,sync=0.005,torn=0.5,fs=xfs,crash=all/3s"},
	{name: "wal-btrfs", doc: "loss of power on btrfs", service: Wal, faults: "io=0.02,sync=0.005,fs=btrfs,crash=all/3s"},
	{name: "wal-space", doc: "disks fill up and empty again, during recovery, too", service: Wal, faults: "space=16KiB/1s,torn=0.5,crash=all/2s"},
	{name: "wal-slow", doc: "disks are slow in bursts", service: Wal, faults: "slow=100/2s,torn=0.5,crash=all/4s"},
	{name: "wal-stall", doc: "disks stand still for up to 3 s", service: Wal, faults: "stall=3s/3s,torn=0.5,crash=all/6s"},
	{name: "wal-dead", doc: "disks refuse every call for up to 2 s", service: Wal, faults: "dead=2s/2s,torn=0.5,crash=all/6s"},
	{name: "wal-lag", doc: "jobs wait before they begin, and processes die", service: Wal, faults: "lag=100ms,crash=all:kill/4s"},
	{name: "wal-rot", doc: "synced bytes rot on a minority of the disks", service: Wal, faults: "rot=2s,torn=0.5,crash=all/4s"},
	{name: "wal-mend", doc: "they rot often, and entries are taken from peers", service: Wal, faults: "rot=200ms,torn=0.5,crash=all/4s"},
	{name: "wal-reopen", doc: "many syncs fail, and logs go on in other segments", service: Wal, faults: "sync=0.1,after=any,torn=0.5,crash=all/3s"},
	{name: "wal-latent", doc: "synced bytes become unreadable", service: Wal, faults: "latent=2s,torn=0.5,crash=all/4s"},
	{name: "wal-phantom", doc: "synced writes turn out never to have been made", service: Wal, faults: "phantom=2s,torn=0.5,crash=all/4s"},
	{name: "wal-misdirect", doc: "synced writes turn out to lie elsewhere", service: Wal, faults: "misdirect=2s,torn=0.5,crash=all/4s"},
	{name: "wal-misread", doc: "reads show older bytes, or those of another place", service: Wal, faults: "stale=0.02,astray=0.02,torn=0.5,crash=all/2s"},
	{name: "wal-wipe", doc: "disks are lost whole, and their logs with them", service: Wal, nodes: 5, faults: "wipe=5s,torn=0.5,crash=all/4s"},
	{name: "wal-over", doc: "bytes rot on every disk: no log may show a wrong one", service: Wal, nodes: 5,
		faults: "rot=4s,latent=10s,phantom=10s,misdirect=10s,budget=over,torn=0.5,crash=all/4s"},
	{name: "wal-crash-3", doc: "about three losses of power", service: Wal, faults: "torn=0.5,crash=all/10s"},
	{name: "wal-crash-5", doc: "about five", service: Wal, faults: "torn=0.5,crash=all/6s"},
	{name: "wal-crash-8", doc: "about eight", service: Wal, faults: "torn=0.5,crash=all/3750ms"},
	{name: "wal-crash-10", doc: "about ten", service: Wal, faults: "torn=0.5,crash=all/3s"},
	{name: "wal-crash-often", doc: "power goes again while logs recover", service: Wal, faults: "torn=0.5,crash=all/200ms"},
	{name: "wal-chaos", doc: "everything that a disk does, at once", service: Wal, nodes: 5, ops: 300, pace: 6 * time.Second,
		faults: "io=0.03,sync=0.01,after=any,close=0.02,torn=0.5,fs=posix,space=32KiB/1s,slow=50/1s,stall=100ms/1s,dead=100ms/1s,rot=150ms," +
			"latent=150ms,phantom=150ms,misdirect=150ms,stale=0.03,astray=0.03,wipe=5s,crash=all/600ms"},

	{name: "member-basic", doc: "any node takes any call, no faults", service: Member, faults: "none"},
	{name: "member-loss", doc: "the same over a bad network", service: Member, faults: "drop=0.05,dup=0.10,corrupt=0.02,delay=20ms"},
	{name: "member-cut", doc: "the leader cut off", service: Member, faults: "partition=leader/5s,drop=0.02"},
	{name: "member-kill", doc: "processes die in the midst of it", service: Member, faults: "crash=any:kill/2s,dup=0.10,delay=20ms"},
	{name: "member-leader", doc: "the leader's process dies, again and again", service: Member, faults: "crash=leader:kill/3s"},
	{name: "member-chaos", doc: "all of that, on bad disks, on five nodes", service: Member, nodes: 5,
		faults: "io=0.05,torn=0.5,sync=0.003,crash=any/4s,partition=flap/4s,drop=0.05,dup=0.05,corrupt=0.01,delay=5ms"},
}

// List returns the suite, in the order in which it runs.
func List() []Scenario {
	list := make([]Scenario, 0, len(rows))
	for _, r := range rows {
		spec, err := faults.Parse(r.faults)
		if err != nil {
			panic(fmt.Sprintf("scenarios: %s: %v", r.name, err))
		}
		s := Default()
		s.Scenario, s.Service, s.Faults = r.name, r.service, spec
		if r.nodes > 0 {
			s.Nodes = r.nodes
		}
		if r.ops > 0 {
			s.Ops = r.ops
		}
		if r.pace > 0 {
			s.Pace = r.pace
		}
		s.Keys = cmp.Or(r.keys, s.Keys)
		s.SnapshotEvery = cmp.Or(r.snapshots, s.SnapshotEvery)
		list = append(list, Scenario{Name: r.name, Doc: r.doc, Setup: s, Seeds: seedsDefault})
	}
	return list
}

// Lookup returns the scenario with that name.
func Lookup(name string) (Scenario, bool) {
	for _, s := range List() {
		if s.Name == name {
			return s, true
		}
	}
	return Scenario{}, false
}
