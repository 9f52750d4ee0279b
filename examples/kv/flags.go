package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
)

// errHelp means that help was asked for, and given.
var errHelp = flag.ErrHelp

// usageError says that the arguments are wrong. Nothing has been done.
type usageError struct{ error }

// overview is what the help begins with.
const overview = `usage:
  kv certs --dir DIR [--cluster NAME] [--ids 1,2,3]
        makes the authority of a cluster in DIR/authority, and the certificate of member I in DIR/nI
  kv --id I --dir DIR --tls-dir DIR/nI --http HOST:PORT --peers 1=HOST:PORT/HTTP-HOST:PORT,... [...]
        runs a member, until an interrupt drains it
Exit status: 0 after a drain, 2 if the arguments are wrong, 1 if anything else is.

The flags of kv %s:
`

// parseFlags reads flags, and nothing else. Help that is asked for goes to stderr; of what is wrong only the error speaks.
func parseFlags(f *flag.FlagSet, args []string, stderr io.Writer) error {
	f.SetOutput(io.Discard)
	switch err := f.Parse(args); {
	case errors.Is(err, errHelp):
		fmt.Fprintf(stderr, overview, f.Name())
		f.SetOutput(stderr)
		f.PrintDefaults()
		return err
	case err != nil:
		return usageError{fmt.Errorf("%w; --help lists the flags", err)}
	case f.NArg() > 0:
		return usageError{fmt.Errorf("unexpected argument %q", f.Arg(0))}
	}
	return nil
}

// options are what the flags of a server say.
type options struct {
	cluster cluster.Config
	http    string
	timeout time.Duration
}

// parse reads the flags of a server.
func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var id uint64
	var peers, engine string
	forward := true
	f := flag.NewFlagSet("without a command", flag.ContinueOnError)
	c := &o.cluster
	f.StringVar(&c.Cluster, "cluster", "kv", "name of the cluster, as in the certificates")
	f.Uint64Var(&id, "id", 0, "this member, among --peers")
	f.StringVar(&c.Dir, "dir", "", "folder of this member's data")
	f.StringVar(&c.Listen, "listen", "", "UDP address for the other members (default: its own of --peers)")
	f.StringVar(&o.http, "http", "", "TCP address for clients")
	f.StringVar(&peers, "peers", "", "all members, ID=HOST:PORT/HTTP-HOST:PORT,..., this one included")
	f.StringVar(&engine, "engine", string(cluster.Octopii), "octopii or hashicorp")
	f.StringVar(&c.TLSDir, "tls-dir", "", "folder of this member's certificate")
	f.BoolVar(&forward, "forward", true, "hand requests to the leader, instead of naming it")
	f.DurationVar(&o.timeout, "timeout", 5*time.Second, "how long a request may take")
	f.DurationVar(&c.ElectionTimeout, "election-timeout", time.Second, "time without a leader after which a member stands for election, at least")
	f.Uint64Var(&c.SnapshotEvery, "snapshot-every", 0, "entries between two snapshots (default 10000)")
	if err := parseFlags(f, args, stderr); err != nil {
		return options{}, err
	}
	for _, need := range []struct {
		name    string
		missing bool
	}{{"--http", o.http == ""}, {"--id", id == 0}, {"--peers", peers == ""}, {"--dir", c.Dir == ""}, {"--tls-dir", c.TLSDir == ""}} {
		if need.missing {
			return options{}, usageError{fmt.Errorf("%s is missing; --help lists the flags", need.name)}
		}
	}
	if _, _, err := net.SplitHostPort(o.http); err != nil {
		return options{}, usageError{fmt.Errorf("--http: %w", err)}
	}
	if o.timeout <= 0 {
		return options{}, usageError{fmt.Errorf("--timeout: %v is no time for a request", o.timeout)}
	}
	var err error
	if c.Peers, err = parsePeers(peers); err != nil {
		return options{}, usageError{err}
	}
	// Where nobody leads a client hears that in time, and so that nothing was done: past its timeout nobody could tell.
	c.Patience = min(5*c.ElectionTimeout, o.timeout*3/4)
	c.ID, c.Engine, c.NoForward = runtime.NodeID(id), cluster.Engine(engine), !forward
	c.HeartbeatInterval = c.ElectionTimeout / 10
	c.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	if err := c.Validate(); err != nil {
		return options{}, usageError{err}
	}
	return o, nil
}

// parsePeers reads a list like 1=host:7001/host:8001,2=host:7002/host:8002. The HTTP address may be left out.
func parsePeers(text string) ([]cluster.Peer, error) {
	var peers []cluster.Peer
	for part := range strings.SplitSeq(text, ",") {
		id, addrs, found := strings.Cut(part, "=")
		n, err := strconv.ParseUint(id, 10, 64)
		if !found || err != nil {
			return nil, fmt.Errorf("--peers: %q is not ID=HOST:PORT/HTTP-HOST:PORT", part)
		}
		addr, service, _ := strings.Cut(addrs, "/")
		peers = append(peers, cluster.Peer{ID: runtime.NodeID(n), Addr: addr, Service: service})
	}
	return peers, nil
}

// parseIDs reads a list like 1,2,3.
func parseIDs(text string) ([]runtime.NodeID, error) {
	var ids []runtime.NodeID
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil || n == 0 || slices.Contains(ids, runtime.NodeID(n)) {
			return nil, fmt.Errorf("--ids: %q in %q is no id, or one that was given already", part, text)
		}
		ids = append(ids, runtime.NodeID(n))
	}
	return ids, nil
}
