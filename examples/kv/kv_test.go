package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/octopii-go/octopii/raft"
	rkv "github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime/cluster"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// freePort returns an address that nobody has at the moment.
func freePort(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// trio is three servers in this process.
type trio struct {
	*testing.T
	https []string
	stop  []context.CancelFunc
	ended []chan error
	log   lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func startTrio(t *testing.T, flags ...string) *trio {
	tr := &trio{T: t}
	dir := t.TempDir()
	if err := run(t.Context(), []string{"certs", "--dir", filepath.Join(dir, "tls")}, io.Discard, &tr.log); err != nil {
		t.Fatal(err)
	}
	var peers []string
	for i := range 3 {
		tr.https = append(tr.https, freePort(t, "tcp"))
		peers = append(peers, fmt.Sprintf("%d=%s/%s", i+1, freePort(t, "udp"), tr.https[i]))
	}
	for i := range 3 {
		id := fmt.Sprint(i + 1)
		args := append([]string{
			"--id", id, "--dir", filepath.Join(dir, id), "--tls-dir", filepath.Join(dir, "tls", "n"+id),
			"--http", tr.https[i], "--peers", strings.Join(peers, ","), "--election-timeout", "1s",
		}, flags...)
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, args, io.Discard, &tr.log) }()
		tr.stop, tr.ended = append(tr.stop, stop), append(tr.ended, ended)
	}
	t.Cleanup(func() {
		for i, stop := range tr.stop {
			stop()
			if err := <-tr.ended[i]; err != nil {
				t.Errorf("server %d ended with %v", i+1, err)
			}
		}
		if t.Failed() {
			t.Log(tr.log.String())
		}
	})
	return tr
}

// do makes a request of server i, counted from 0, again as long as that is not there or was refused.
func (tr *trio) do(i int, method, path, body string) (int, string, http.Header) {
	tr.Helper()
	ctx, cancel := context.WithTimeout(tr.Context(), patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, method, "http://"+tr.https[i]+path, strings.NewReader(body))
		if err != nil {
			tr.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil && resp.StatusCode != http.StatusServiceUnavailable {
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				tr.Fatal(err)
			}
			return resp.StatusCode, string(text), resp.Header
		}
		if err == nil {
			resp.Body.Close()
		}
		select {
		case err := <-tr.ended[i]:
			tr.ended[i] <- err
			tr.Fatalf("server %d has ended: %v\n%s", i+1, err, tr.log.String())
		case <-ctx.Done():
			tr.Fatalf("%s %s in vain: %v\n%s", method, path, err, tr.log.String())
		case <-time.After(20 * time.Millisecond): // the server may not listen yet, and nothing tells when it does
		}
	}
}

func (tr *trio) want(i int, method, path, body string, code int, answer string) {
	tr.Helper()
	got, text, _ := tr.do(i, method, path, body)
	if got != code || !strings.Contains(text, answer) {
		tr.Errorf("%s %s at %d: %d %q, want %d %q", method, path, i+1, got, text, code, answer)
	}
}

func TestEveryServerServes(t *testing.T) {
	for _, engine := range []string{"octopii", "hashicorp"} {
		t.Run(engine, func(t *testing.T) { everyServerServes(t, engine) })
	}
}

func everyServerServes(t *testing.T, engine string) {
	tr := startTrio(t, "--engine", engine)
	tr.want(0, "PUT", "/kv/a", "one", 200, "")
	tr.want(1, "GET", "/kv/a", "", 200, "one")
	tr.want(2, "POST", "/kv/a/cas", `{"old":"one","new":"two"}`, 200, "")
	tr.want(0, "POST", "/kv/a/cas", `{"old":"one","new":"three"}`, 409, "something else")
	tr.want(1, "POST", "/kv/b/cas", `{"old":"one","new":"three"}`, 404, "no such key")
	tr.want(1, "POST", "/kv/b/cas", `{"old":null,"new":"three"}`, 200, "")
	tr.want(1, "POST", "/kv/b/cas", `{"new":"four"}`, 409, "something else")
	tr.want(2, "GET", "/kv/a", "", 200, "two")
	tr.want(2, "DELETE", "/kv/a", "", 200, "")
	tr.want(0, "GET", "/kv/a", "", 404, "no such key")
	tr.want(0, "DELETE", "/kv/a", "", 404, "no such key")
	tr.want(0, "GET", "/kv/%2Fslash%00", "", 404, "no such key")
	tr.want(0, "PUT", "/kv/large", strings.Repeat("x", 1<<20), 413, "too large")
	tr.want(0, "PUT", "/kv/"+strings.Repeat("k", 2000), "x", 400, "key of 2000")
	tr.want(0, "POST", "/kv/a/cas", `{`, 400, "EOF")
	tr.want(0, "POST", "/kv/a/cas", `{"old":"x"}`, 400, "new is missing")
	tr.want(0, "POST", "/kv/a/cas", `{"odl":"x","new":"y"}`, 400, `unknown field \"odl\"`)
	tr.want(0, "POST", "/kv/a/cas", `{"new":"y"}{"new":"z"}`, 400, "more than one object")
	tr.want(0, "GET", "/nothing", "", 404, "not found")
	tr.want(1, "GET", "/metrics", "", 200, `octopii_peer_connected{peer="n1"}`)
	tr.want(1, "GET", "/metrics", "", 200, `octopii_member_running 1`)
	tr.want(1, "GET", "/metrics", "", 200, `octopii_file_sync_seconds_count`)
	_, text, _ := tr.do(0, "GET", "/status", "")
	var status struct {
		Role   string
		Leader uint64
		Peers  []struct{ HTTP string }
	}
	if err := json.Unmarshal([]byte(text), &status); err != nil || status.Leader == 0 || len(status.Peers) != 3 || status.Peers[2].HTTP != tr.https[2] {
		t.Errorf("status %s: %v", text, err)
	}
}

func TestFollowersNameTheLeader(t *testing.T) {
	tr := startTrio(t, "--forward=false")
	asked := 0
	for done := false; !done; { // goes on if the lead changes
		code, text, header := tr.do(asked, "PUT", "/kv/a", "x")
		switch leader := header.Get("Leader"); {
		case code == http.StatusOK:
			done = true
		case code == http.StatusGatewayTimeout: // it led, and lost the lead with this
		case code != http.StatusMisdirectedRequest:
			t.Fatalf("server %d answers %d, %s", asked+1, code, text)
		case leader != "":
			named := slices.Index(tr.https, leader)
			if named < 0 || named == asked || !strings.Contains(text, leader) {
				t.Fatalf("server %d says %q, %s", asked+1, leader, text)
			}
			asked = named
		}
	}
}

// A member that knows of no leader has done nothing, and says so before the request's time is over, when it could not tell.
func TestNobodyLeadsIsARefusal(t *testing.T) {
	for _, engine := range []string{"octopii", "hashicorp"} {
		dir := t.TempDir()
		o, err := parse([]string{
			"--id", "1", "--dir", filepath.Join(dir, "data"), "--tls-dir", filepath.Join(dir, "tls", "n1"), "--http", "127.0.0.1:0", "--engine", engine,
			"--peers", "1=127.0.0.1:0,2=127.0.0.1:9,3=127.0.0.1:9", "--timeout", "1s",
		}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), []string{"certs", "--dir", filepath.Join(dir, "tls")}, io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
		member, err := cluster.Start(t.Context(), o.cluster, func() raft.StateMachine { return rkv.NewMachine() })
		if err != nil {
			t.Fatal(err)
		}
		routes := newServer(member, o.timeout).routes()
		for _, why := range []string{"refused", "none is known"} { // the first may come while the folder is read
			answer := httptest.NewRecorder()
			routes.ServeHTTP(answer, httptest.NewRequest("PUT", "/kv/a", strings.NewReader("x")))
			if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), why) {
				t.Errorf("%s: %d %s, want 503 and %q", engine, answer.Code, answer.Body, why)
			}
		}
		member.Kill(nil)
		<-member.Done()
	}
}

func TestMistakesAreOneLine(t *testing.T) {
	good := []string{"--id", "1", "--dir", t.TempDir(), "--tls-dir", t.TempDir(), "--http", "127.0.0.1:0", "--peers", "1=127.0.0.1:0"}
	for words, args := range map[string][]string{
		"--http is missing":    {"--id", "1"},
		"--id is missing":      {"--http", "x", "--peers", "1=a:1"},
		"--peers is missing":   {"--id", "1", "--http", "x"},
		"--tls-dir is missing": {"--id", "1", "--dir", "d", "--http", "x", "--peers", "1=a:1"},
		"not ID=HOST":          append(good, "--peers", "one"),
		"unexpected argument":  append([]string{"extra"}, good...),
		"is not known":         append(good, "--engine", "steam"),
		"node.pem":             good,
		"--dir is missing":     {"certs"},
		"--ids":                {"certs", "--dir", t.TempDir(), "--ids", "1,1"},
		"cluster name":         {"certs", "--dir", t.TempDir(), "--cluster", "Ä"},
		"flag provided but":    {"--nonsense"},
		"--http: address":      append(good, "--http", "8001"),
		"no time for a":        append(good, "--timeout", "0s"),
		"n2 is given twice":    append(good, "--peers", "1=a:1,2=a:2,2=a:3"),
		"is none":              append(good, "--peers", "1=a:1,2=a:99999"),
		"is the authority of ": {"certs", "--dir", authorityOf(t, "other")},
	} {
		var said bytes.Buffer
		err := run(t.Context(), args, io.Discard, &said)
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") || said.Len() > 0 {
			t.Errorf("%q: %v, %s", words, err, &said)
			continue
		}
		want := 2
		if words == "node.pem" || words == "cluster name" || words == "is the authority of " { // found out while at it
			want = 1
		}
		if got := status(err); got != want {
			t.Errorf("%v: status %d, want %d", err, got, want)
		}
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, io.Discard, &help); err != nil || !strings.Contains(help.String(), "-tls-dir") || !strings.Contains(help.String(), "kv certs --dir") {
		t.Errorf("help: %v, %s", err, &help)
	}
}

func authorityOf(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := run(t.Context(), []string{"certs", "--dir", dir, "--cluster", name}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	return dir
}

func FuzzPeers(f *testing.F) {
	f.Add("1=127.0.0.1:7001/127.0.0.1:8001,2=127.0.0.1:7002")
	f.Add("=,")
	f.Fuzz(func(t *testing.T, text string) {
		peers, err := parsePeers(text)
		if err == nil && len(peers) != strings.Count(text, ",")+1 {
			t.Errorf("%q: %v", text, peers)
		}
	})
}

// A full disk is not that too much is under way: the client is told which, and that nothing was done.
func TestFullDiskIsSaid(t *testing.T) {
	answer := httptest.NewRecorder()
	(&server{}).fail(answer, fmt.Errorf("%w: %w", cluster.ErrRefused, cluster.ErrNoSpace))
	if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "disk is full") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}
