package proctest

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// size is how many servers there are. They are numbered from 0; the ids are one more.
const size = 3

// flightMax is how many datagrams of one direction may be on their way. More are dropped.
const flightMax = 2048

// rule is what happens to the datagrams from one server to another. The zero rule is a good link.
type rule struct {
	cut                      bool // none arrives
	drop, duplicate, reorder int  // of a thousand
	delay                    time.Duration
	spread                   time.Duration // added to delay, at most
}

// verdicts counts what has happened to datagrams.
type verdicts struct {
	passed, cut, dropped, duplicated, reordered, delayed atomic.Int64
}

// direction is the way from one server to another.
type direction struct {
	rule   atomic.Pointer[rule]
	flying atomic.Int64
}

// network carries the datagrams of a cluster.
type network struct {
	verdicts
	members    [size]netip.AddrPort // where the servers are, and from where they send
	directions [size][size]direction
	fronts     [size]*net.UDPConn

	mu     sync.Mutex
	socket []*net.UDPConn
	closed atomic.Bool
	loops  sync.WaitGroup
}

// newNetwork makes a proxy in front of each of the addresses. It ends with the test.
func newNetwork(t *testing.T, members [size]netip.AddrPort) *network {
	t.Helper()
	n := &network{members: members}
	n.each(func(_, _ int, d *direction) { d.rule.Store(&rule{}) })
	for to := range size {
		front, err := n.open()
		if err != nil {
			t.Fatal(err)
		}
		n.fronts[to] = front
	}
	for to := range size {
		n.loops.Go(func() { n.serve(to) })
	}
	t.Cleanup(n.close)
	return n
}

// addr returns where a server is to be reached by the others.
func (n *network) addr(i int) string { return n.fronts[i].LocalAddr().String() }

// each calls f for every direction.
func (n *network) each(f func(from, to int, d *direction)) {
	for from := range size {
		for to := range size {
			if from != to {
				f(from, to, &n.directions[from][to])
			}
		}
	}
}

// set gives the directions their rules.
func (n *network) set(r func(from, to int) rule) {
	n.each(func(from, to int, d *direction) {
		made := r(from, to)
		d.rule.Store(&made)
	})
}

// heal makes all links good.
func (n *network) heal() { n.set(func(int, int) rule { return rule{} }) }

func (n *network) open() (*net.UDPConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed.Load() {
		return nil, net.ErrClosed
	}
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err == nil {
		n.socket = append(n.socket, c)
		err = errors.Join(c.SetReadBuffer(1<<20), c.SetWriteBuffer(1<<20))
	}
	return c, err
}

func (n *network) close() {
	n.closed.Store(true)
	n.mu.Lock()
	for _, c := range n.socket {
		c.Close() // which ends the loops
	}
	n.mu.Unlock()
	n.loops.Wait()
}

// serve is a proxy: what another server sends to the front goes on to this one, from a socket by which the answers come
// back.
func (n *network) serve(to int) {
	var backs [size]*net.UDPConn
	n.read(n.fronts[to], func(source netip.AddrPort, datagram []byte) {
		from := slices.Index(n.members[:], source)
		if from < 0 || from == to {
			return
		}
		if backs[from] == nil {
			back, err := n.open()
			if err != nil {
				return // the end, or as good as lost
			}
			backs[from] = back
			n.loops.Go(func() { n.answer(from, to, back) })
		}
		n.carry(from, to, datagram, backs[from], n.members[to])
	})
}

// answer carries what a server sends back to one that has reached it by its front.
func (n *network) answer(from, to int, back *net.UDPConn) {
	n.read(back, func(source netip.AddrPort, datagram []byte) {
		if source == n.members[to] {
			n.carry(to, from, datagram, n.fronts[to], n.members[from])
		}
	})
}

// read calls f for each datagram until the socket is closed.
func (n *network) read(c *net.UDPConn, f func(netip.AddrPort, []byte)) {
	buffer := make([]byte, 64<<10)
	for {
		got, source, err := c.ReadFromUDPAddrPort(buffer)
		if n.closed.Load() {
			return
		}
		if err == nil {
			f(netip.AddrPortFrom(source.Addr().Unmap(), source.Port()), buffer[:got])
		}
	}
}

// carry does to a datagram what the rule of its direction says.
func (n *network) carry(from, to int, datagram []byte, by *net.UDPConn, dest netip.AddrPort) {
	d := &n.directions[from][to]
	r := d.rule.Load()
	switch {
	case r.cut:
		n.cut.Add(1)
		return
	case rand.IntN(1000) < r.drop || d.flying.Load() >= flightMax:
		n.dropped.Add(1)
		return
	}
	copies := 1
	if rand.IntN(1000) < r.duplicate {
		n.duplicated.Add(1)
		copies = 2
	}
	for range copies {
		delay := r.delay
		if r.spread > 0 {
			delay += rand.N(r.spread)
		}
		if rand.IntN(1000) < r.reorder { // those sent after it overtake it
			n.reordered.Add(1)
			delay += time.Millisecond + rand.N(20*time.Millisecond)
		}
		n.passed.Add(1)
		if delay == 0 {
			by.WriteToUDPAddrPort(datagram, dest) // an error is a loss
			continue
		}
		n.delayed.Add(1)
		d.flying.Add(1)
		held := slices.Clone(datagram)
		time.AfterFunc(delay, func() {
			d.flying.Add(-1)
			if d.rule.Load().cut {
				n.cut.Add(1)
				return
			}
			by.WriteToUDPAddrPort(held, dest) // an error is a loss, or the end
		})
	}
}
