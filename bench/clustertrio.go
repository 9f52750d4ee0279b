package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

const trioSize = 3

// electionTimeout is that of both systems, and a heartbeat of ours is a tenth of it.
const electionTimeout = time.Second

// trioPatience is how long a cluster may take to have a leader.
const trioPatience = time.Minute

// trio is a cluster of three processes of this program.
type trio struct {
	system  string
	binary  string
	dir     string
	traced  bool
	configs [trioSize]memberConfig
	members [trioSize]*memberProcess
	leader  int // as last known
}

// memberProcess is a member, which does what it is told on its standard input, a line at a time, and answers likewise.
type memberProcess struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	trace string // strace's output
}

// startTrio starts a cluster and waits until somebody leads. If it is not nil it must be stopped, whatever the error.
// binary is the program of its members, this one if it is empty.
func startTrio(dir, system, binary string, traced bool) (*trio, error) {
	c := &trio{system: system, binary: binary, dir: dir, traced: traced}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	authority, err := quic.CreateAuthority(filepath.Join(dir, "authority"), "bench")
	if err != nil {
		return nil, err
	}
	var addrs []string
	for range trioSize {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	for i := range trioSize {
		tls := filepath.Join(dir, fmt.Sprint("tls", i))
		if err := authority.Issue(tls, runtime.NodeID(i+1), quic.Validity{}); err != nil {
			return nil, err
		}
		c.configs[i] = memberConfig{System: system, ID: i + 1, Dir: filepath.Join(dir, fmt.Sprint(i)), TLS: tls, Addrs: addrs}
		if err := c.start(i); err != nil {
			return c, err
		}
	}
	return c, c.findLeader()
}

// freeAddr returns a loopback address whose port nobody has, neither for UDP nor for TCP.
func freeAddr() (string, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr := l.Addr().String()
		p, err := net.ListenPacket("udp", addr)
		l.Close()
		if err == nil {
			p.Close()
			return addr, nil
		}
	}
}

// start starts a member, under strace if syncs are to be counted and strace is there.
func (c *trio) start(i int) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	path = cmp.Or(c.binary, path)
	text, err := json.Marshal(c.configs[i])
	if err != nil {
		return err
	}
	m := &memberProcess{cmd: exec.Command(path, "cluster-member", string(text))}
	if strace, err := exec.LookPath("strace"); err == nil && c.traced {
		m.trace = filepath.Join(c.dir, fmt.Sprintf("strace%d", i))
		args := []string{"-f", "--seccomp-bpf", "-e", "trace=fsync,fdatasync,msync", "-e", "signal=none", "-o", m.trace}
		m.cmd = exec.Command(strace, append(args, m.cmd.Args...)...)
	}
	m.cmd.Stderr = os.Stderr
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	m.out = bufio.NewScanner(out)
	if err := m.cmd.Start(); err != nil {
		return err
	}
	c.members[i] = m
	_, err = m.ask(order{Do: "hello"})
	return err
}

// ask has the member do something and returns what it says.
func (m *memberProcess) ask(o order) (answer, error) {
	if err := m.tell(o); err != nil {
		return answer{}, err
	}
	return m.hear()
}

func (m *memberProcess) tell(o order) error {
	return json.NewEncoder(m.in).Encode(o)
}

func (m *memberProcess) hear() (answer, error) {
	if !m.out.Scan() {
		return answer{}, fmt.Errorf("a member has ended: %w", errors.Join(m.out.Err(), m.cmd.Wait()))
	}
	var a answer
	if err := json.Unmarshal(m.out.Bytes(), &a); err != nil {
		return answer{}, err
	}
	if a.Err != "" {
		return a, errors.New(a.Err)
	}
	return a, nil
}

// findLeader asks the members until one leads, and has it write something.
func (c *trio) findLeader() error {
	for deadline := time.Now().Add(trioPatience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for i, m := range c.members {
			a, err := m.ask(order{Do: "status"})
			if err != nil {
				return err
			}
			if a.Leads {
				if a, err := m.ask(order{Do: "load", Clients: 1, For: time.Millisecond}); err == nil && a.Load.Failed == 0 {
					c.leader = i
					return nil
				}
			}
		}
	}
	return fmt.Errorf("%s: nobody leads", c.system)
}

// load has clients of the leader write for some time.
func (c *trio) load(clients int, d time.Duration) (loadResult, error) {
	before, err := c.processorTime()
	if err != nil {
		return loadResult{}, err
	}
	a, err := c.members[c.leader].ask(order{Do: "load", Clients: clients, For: d})
	if err == nil && a.Load.Failed > 0 { // it leads no longer: begin anew
		if err := c.findLeader(); err != nil {
			return loadResult{}, err
		}
		a, err = c.members[c.leader].ask(order{Do: "load", Clients: clients, For: d})
	}
	if err != nil {
		return loadResult{}, fmt.Errorf("%s: %w", c.system, err)
	}
	if a.Load.Failed > 0 || a.Load.Ops == 0 {
		return loadResult{}, fmt.Errorf("%s: %d writes failed, %d succeeded", c.system, a.Load.Failed, a.Load.Ops)
	}
	after, err := c.processorTime()
	a.Load.CPU = after - before
	return *a.Load, err
}

// processorTime returns what all members have used so far.
func (c *trio) processorTime() (sum time.Duration, err error) {
	for _, m := range c.members {
		a, err := m.ask(order{Do: "status"})
		if err != nil {
			return 0, err
		}
		sum += a.CPU
	}
	return sum, nil
}

// killLeader kills the leader while the others try to write, and returns how long it took from then until one had been
// told that it has written. The killed one is started again.
func (c *trio) killLeader() (time.Duration, error) {
	if err := c.findLeader(); err != nil {
		return 0, err
	}
	dead := c.members[c.leader]
	if err := dead.cmd.Process.Kill(); err != nil {
		return 0, err
	}
	killed := time.Now()
	_ = dead.cmd.Wait() // it was killed
	first, err := c.firstWrite()
	if err != nil {
		return 0, err
	}
	if err := c.start(c.leader); err != nil {
		return 0, err
	}
	return first.Sub(killed), c.findLeader()
}

// firstWrite has all members but the leader of before try to write, and returns when one had succeeded.
func (c *trio) firstWrite() (first time.Time, err error) {
	var others []*memberProcess
	for i, m := range c.members {
		if i != c.leader {
			others = append(others, m)
		}
	}
	for _, m := range others {
		if _, err := m.ask(order{Do: "attempt"}); err != nil {
			return first, err
		}
	}
	for deadline := time.Now().Add(trioPatience); first.IsZero() && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, m := range others {
			a, err := m.ask(order{Do: "first"})
			if err != nil {
				return first, err
			}
			if a.First > 0 {
				first = time.Unix(0, a.First)
			}
		}
	}
	for _, m := range others {
		if _, err := m.ask(order{Do: "cease"}); err != nil {
			return first, err
		}
	}
	if first.IsZero() {
		return first, fmt.Errorf("%s: no write was acknowledged after the leader was killed", c.system)
	}
	return first, nil
}

// profile has every member write a CPU profile into a folder when it ends.
func (c *trio) profile(dir string) error {
	for i, m := range c.members {
		name := fmt.Sprintf("member%d.pprof", i+1)
		if i == c.leader {
			name = "leader.pprof"
		}
		if _, err := m.ask(order{Do: "profile", Path: filepath.Join(dir, name)}); err != nil {
			return err
		}
	}
	return nil
}

// counted reports whether syncs are counted.
func (c *trio) counted() bool { return c.members[0].trace != "" }

// syncs returns how many there were so far.
func (c *trio) syncs() (n int, err error) {
	for _, m := range c.members {
		text, err := os.ReadFile(m.trace)
		if err != nil {
			return 0, err
		}
		// The second line of a call that others interrupt has no parenthesis there: it says that it is resumed.
		n += bytes.Count(text, []byte("sync("))
	}
	return n, nil
}

// stop ends all members.
func (c *trio) stop() error {
	var all error
	for _, m := range c.members {
		if m != nil {
			all = errors.Join(all, m.in.Close(), m.cmd.Wait())
		}
	}
	return all
}
