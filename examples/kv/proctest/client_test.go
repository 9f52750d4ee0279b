package proctest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Limits of what is done to a key, so that porcupine can find out.
const (
	keysAtOnce  = 4
	keyOps      = 240
	keyUnknowns = 6
)

// requestTimeout is how long a client waits. Servers give up a little earlier.
const (
	requestTimeout = 2 * time.Second
	serverTimeout  = 1500 * time.Millisecond
)

// keyring says which keys are in use: a few, each for some time.
type keyring struct {
	mu       sync.Mutex
	names    [keysAtOnce]string
	ops      [keysAtOnce]int
	unknowns [keysAtOnce]int
	made     int
	old      []string
}

// draw returns a key: nearly always one in use, sometimes one that was.
func (k *keyring) draw() (slot int, key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.old) > 0 && rand.IntN(50) == 0 {
		return -1, k.old[rand.IntN(len(k.old))]
	}
	slot = rand.IntN(keysAtOnce)
	if k.names[slot] == "" || k.ops[slot] >= keyOps || k.unknowns[slot] >= keyUnknowns {
		if k.names[slot] != "" {
			k.old = append(k.old, k.names[slot])
		}
		k.made++
		k.names[slot], k.ops[slot], k.unknowns[slot] = fmt.Sprintf("key-%d", k.made), 0, 0
	}
	k.ops[slot]++
	return slot, k.names[slot]
}

// doubt notes that the outcome of a request is not known.
func (k *keyring) doubt(slot int, key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if slot >= 0 && k.names[slot] == key {
		k.unknowns[slot]++
	}
}

// client makes one request after the other.
type client struct {
	id      int
	servers [size]string // where they serve HTTP
	http    *http.Client
	history *history
	keys    *keyring
	server  int               // the one that is asked
	seen    map[string]string // by key, its value as last seen
	count   int
}

func newClient(id int, servers [size]string, h *history, k *keyring) *client {
	return &client{
		id: id, servers: servers, history: h, keys: k, server: id % size, seen: map[string]string{},
		http: &http.Client{Transport: &http.Transport{}},
	}
}

// run makes requests until ctx is done. It returns an answer that no server should give.
func (c *client) run(ctx context.Context) error {
	defer c.http.CloseIdleConnections()
	for ctx.Err() == nil {
		slot, key := c.keys.draw()
		q := c.draw(key, slot < 0)
		r, err := c.ask(c.server, q)
		if err != nil {
			return err
		}
		if r.outcome == unknown && q.method != http.MethodGet {
			c.keys.doubt(slot, key)
		}
		if r.outcome != done || rand.IntN(20) == 0 {
			c.server = rand.IntN(size)
		}
		if r.outcome == refused {
			pause(ctx, 5*time.Millisecond+rand.N(20*time.Millisecond))
		}
	}
	return nil
}

// pause waits, though not beyond the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// draw makes a request.
func (c *client) draw(key string, readOnly bool) request {
	c.count++
	q := request{method: http.MethodGet, key: key, attempt: c.count}
	last, known := c.seen[key]
	dice := rand.IntN(100)
	switch {
	case readOnly || dice < 40:
		return q
	case dice < 70:
		q.method = http.MethodPut
	case dice < 92:
		q.method, q.old, q.absent = http.MethodPost, last, !known
	default:
		q.method = http.MethodDelete
		return q
	}
	q.value = fmt.Sprintf("%d.%d", c.id, c.count)
	return q
}

// ask makes a request and notes what comes of it.
func (c *client) ask(server int, q request) (reply, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	o := operation{client: c.id, server: server, request: q, call: c.history.now()}
	r, err := c.send(ctx, c.servers[server], q)
	o.reply, o.end = r, c.history.now()
	c.history.add(o)
	if r.outcome == done {
		c.learn(q, r)
	}
	return r, err
}

// learn remembers what a key holds.
func (c *client) learn(q request, r reply) {
	switch {
	case r.code == http.StatusOK && q.method == http.MethodGet:
		c.seen[q.key] = r.value
	case r.code == http.StatusOK && q.method != http.MethodDelete:
		c.seen[q.key] = q.value
	case r.code != http.StatusConflict:
		delete(c.seen, q.key)
	}
}

// send carries a request to a server and reads the answer.
func (c *client) send(ctx context.Context, server string, q request) (reply, error) {
	url, body := "http://"+server+"/kv/"+q.key, q.value
	if q.method == http.MethodPost {
		swap := map[string]any{"old": q.old, "new": q.value}
		if q.absent {
			swap["old"] = nil
		}
		text, err := json.Marshal(swap)
		if err != nil {
			return reply{}, err
		}
		url, body = url+"/cas", string(text)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, url, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	resp, err := c.http.Do(req)
	var network *net.OpError
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return reply{outcome: refused}, nil // nothing was sent
	case err != nil:
		return reply{outcome: unknown}, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{outcome: unknown}, nil
	}
	return classify(q, resp.StatusCode, string(text))
}

// classify says what an answer means.
func classify(q request, code int, text string) (reply, error) {
	switch code {
	case http.StatusOK, http.StatusNotFound, http.StatusConflict:
		if q.method != http.MethodGet || code != http.StatusOK {
			text = ""
		}
		return reply{outcome: done, code: code, value: text}, nil
	case http.StatusMisdirectedRequest, http.StatusServiceUnavailable:
		return reply{outcome: refused, code: code}, nil
	case http.StatusGatewayTimeout:
		return reply{outcome: unknown, code: code}, nil
	}
	return reply{outcome: unknown, code: code}, fmt.Errorf("%s %s: %d %s", q.method, q.key, code, text)
}
