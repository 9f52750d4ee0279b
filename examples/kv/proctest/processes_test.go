package proctest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/transport/quic"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// process is a server of which there is at most one process at a time.
type process struct {
	args    []string
	log     *os.File
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the present process has ended
	err     error         // how; settled when exited is closed
	stopped bool
}

// processes are the servers of a cluster, and the network between them.
type processes struct {
	*testing.T
	binary  string
	https   [size]string
	network *network
	members [size]process
	count   struct{ starts, kills, stops int }
}

// startProcesses starts the servers. They are killed at the end of the test.
func startProcesses(t *testing.T, binary string, engine cluster.Engine) *processes {
	t.Helper()
	p := &processes{T: t, binary: binary}
	dir := t.TempDir()
	authority, err := quic.CreateAuthority(filepath.Join(dir, "authority"), "kv")
	if err != nil {
		t.Fatal(err)
	}
	var addrs [size]netip.AddrPort
	for i := range size {
		addrs[i] = freePort(t)
		p.https[i] = freePort(t).String()
	}
	p.network = newNetwork(t, addrs)
	var peers []string
	for i := range size {
		peers = append(peers, fmt.Sprintf("%d=%s/%s", i+1, p.network.addr(i), p.https[i]))
	}
	for i := range size {
		id := fmt.Sprint(i + 1)
		tls := filepath.Join(dir, "tls", id)
		if err := authority.Issue(tls, runtime.NodeID(i+1), quic.Validity{}); err != nil {
			t.Fatal(err)
		}
		m := &p.members[i]
		if m.log, err = os.Create(filepath.Join(dir, "log"+id)); err != nil {
			t.Fatal(err)
		}
		m.args = []string{
			"--id", id, "--dir", filepath.Join(dir, id), "--tls-dir", tls, "--http", p.https[i], "--listen", addrs[i].String(),
			"--peers", strings.Join(peers, ","), "--engine", string(engine), "--timeout", serverTimeout.String(),
			"--election-timeout", "400ms", "--snapshot-every", "200",
		}
		p.start(i)
	}
	t.Cleanup(p.bury)
	return p
}

// freePort returns an address that nobody has, outside of the range from which the system gives out ports: the
// server must find it free again after it was killed.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 1000 {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(10_000+rand.IntN(20_000)))
		tcp, err := net.Listen("tcp", addr.String())
		if err != nil {
			continue
		}
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
		tcp.Close()
		if err == nil {
			udp.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return netip.AddrPort{}
}

// start starts a server that is not running.
func (p *processes) start(i int) {
	p.Helper()
	m := &p.members[i]
	m.cmd = exec.Command(p.binary, m.args...)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	if err := m.cmd.Start(); err != nil {
		p.Fatal(err)
	}
	p.count.starts++
	exited, cmd := make(chan struct{}), m.cmd
	m.exited, m.stopped = exited, false
	go func() {
		m.err = cmd.Wait()
		close(exited)
	}()
}

// running reports whether there is a process.
func (p *processes) running(i int) bool {
	select {
	case <-p.members[i].exited:
		return false
	default:
		return true
	}
}

// kill ends a server as kill -9 does, and waits for its end.
func (p *processes) kill(i int) {
	p.Helper()
	p.alive(i)
	if err := p.members[i].cmd.Process.Kill(); err != nil {
		p.Fatal(err)
	}
	p.await(i)
	p.count.kills++
}

// alive fails the test if a server has ended by itself.
func (p *processes) alive(i int) {
	p.Helper()
	if !p.running(i) {
		p.Fatalf("server %d has ended: %v\n%s", i+1, p.members[i].err, p.logOf(i))
	}
}

// await waits for the end of a server's process.
func (p *processes) await(i int) {
	p.Helper()
	select {
	case <-p.members[i].exited:
	case <-time.After(patience):
		p.Fatalf("server %d does not end\n%s", i+1, p.logOf(i))
	}
}

// bury kills what is left.
func (p *processes) bury() {
	for i := range size {
		if p.members[i].cmd != nil && p.running(i) {
			p.members[i].cmd.Process.Kill() // an error means that it has just ended
			<-p.members[i].exited
		}
		p.members[i].log.Close()
	}
}

// logMax is how much of a log is shown, in bytes.
const logMax = 8 << 10

func (p *processes) logOf(i int) string {
	text, err := os.ReadFile(p.members[i].log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logMax):])
}

// inspect fails the test if a server had a race, or a panic.
func (p *processes) inspect() {
	p.Helper()
	for i := range size {
		text, err := os.ReadFile(p.members[i].log.Name())
		if err != nil {
			p.Fatal(err)
		}
		for _, bad := range []string{"WARNING: DATA RACE", "panic", "fatal error"} {
			if at := bytes.Index(text, []byte(bad)); at >= 0 {
				p.Errorf("server %d:\n%s", i+1, text[at:min(len(text), at+logMax)])
			}
		}
	}
}

// leader returns who leads, as far as one of the servers knows; any server if nobody says.
func (p *processes) leader() int {
	for _, i := range rand.Perm(size) {
		if leader, err := askLeader(p.https[i]); err == nil && leader > 0 {
			return leader - 1
		}
	}
	return rand.IntN(size)
}

func askLeader(server string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server+"/status", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var status struct{ Leader int }
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &status)
	}
	return status.Leader, err
}
