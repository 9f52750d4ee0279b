// Package local runs a small cluster in one process, on loopback: for examples, demonstrations and tests of services. What it
// does by itself, a real cluster is given by its people: certificates, folders and addresses.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/transport/quic"
)

// name is the cluster's.
const name = "local"

// unknownAddr stands for the address of a member that has not been started. Nobody is there.
const unknownAddr = "127.0.0.1:9"

// Cluster is members in one process. It belongs to one goroutine; the members do not.
type Cluster struct {
	dir     string
	machine func() raft.StateMachine
	peers   []cluster.Peer
	members map[runtime.NodeID]*cluster.Member
}

// New makes certificates for n members, with ids from 1, below dir. It starts nobody. A dir that was used before is used again.
func New(dir string, n int, machine func() raft.StateMachine) (*Cluster, error) {
	c := &Cluster{dir: dir, machine: machine, members: map[runtime.NodeID]*cluster.Member{}}
	authority, err := quic.OpenAuthority(c.path("authority"))
	if err != nil {
		authority, err = quic.CreateAuthority(c.path("authority"), name)
	}
	if err != nil {
		return nil, err
	}
	for i := range n {
		id := runtime.NodeID(i + 1)
		if err := authority.Issue(c.path("tls", id.String()), id, quic.Validity{}); err != nil {
			return nil, err
		}
		c.peers = append(c.peers, cluster.Peer{ID: id, Addr: unknownAddr})
	}
	return c, nil
}

func (c *Cluster) path(parts ...string) string {
	return filepath.Join(append([]string{c.dir}, parts...)...)
}

// Start runs a member, and tells it and the others where they are. change, if not nil, may change its config.
func (c *Cluster) Start(ctx context.Context, id runtime.NodeID, change func(*cluster.Config)) (*cluster.Member, error) {
	cfg := cluster.Config{
		Cluster: name, ID: id, Dir: c.path(id.String()), TLSDir: c.path("tls", id.String()), Peers: c.peers,
		Listen: "127.0.0.1:0", Patience: 30 * time.Second, // a machine may be slow
	}
	if change != nil {
		change(&cfg)
	}
	m, err := cluster.Start(ctx, cfg, c.machine)
	if err != nil {
		return nil, err
	}
	for other, there := range c.members {
		there.Route(id, m.Addr())
		m.Route(other, there.Addr())
	}
	c.members[id] = m
	return m, nil
}

// StartAll runs all members, by id from 1 on.
func (c *Cluster) StartAll(ctx context.Context) ([]*cluster.Member, error) {
	var members []*cluster.Member
	for _, p := range c.peers {
		m, err := c.Start(ctx, p.ID, nil)
		if err != nil {
			return nil, errors.Join(err, c.Stop(ctx))
		}
		members = append(members, m)
	}
	return members, nil
}

// Stop drains all members that run.
func (c *Cluster) Stop(ctx context.Context) error {
	var all error
	for _, p := range c.peers {
		if m := c.members[p.ID]; m != nil {
			delete(c.members, p.ID)
			if err := m.Drain(ctx); err != nil {
				all = errors.Join(all, fmt.Errorf("local: %v: %w", p.ID, err))
			}
		}
	}
	return all
}

// Main is the main function of an example that takes no arguments: it runs it on a folder of its own, which is removed
// afterwards, and until an interrupt at the most. The exit status is 2 if there are arguments, and 1 if run fails.
func Main(name string, run func(ctx context.Context, dir string, out io.Writer) error) {
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "%s: unexpected argument %q: there are none\n", name, os.Args[1])
		os.Exit(2)
	}
	if err := inFolder(name, run); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func inFolder(name string, run func(ctx context.Context, dir string, out io.Writer) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return run(ctx, dir, os.Stdout)
}
