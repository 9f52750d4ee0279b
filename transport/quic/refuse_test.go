package quic_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// expired was valid until yesterday.
var expired = quic.Validity{NotBefore: time.Now().AddDate(0, 0, -2), NotAfter: time.Now().AddDate(0, 0, -1)}

// checkRefusal checks a notice's error: its reason, who refused, and that it is one line with those words.
func checkRefusal(t *testing.T, n quic.Notice, peer runtime.NodeID, reason error, remote bool, words ...string) {
	t.Helper()
	t.Log(n)
	var e *quic.HandshakeError
	if !errors.As(n.Err, &e) || !errors.Is(e, reason) || e.Remote != remote || e.Peer != peer {
		t.Fatalf("got %+v, want %v, remote %v, peer %v", n.Err, reason, remote, peer)
	}
	text := n.String()
	for _, word := range append(words, "quic: ", e.Addr) {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
	if strings.Contains(text, "\n") || len(text) > 250 {
		t.Errorf("not one line: %q", text)
	}
}

// TestDialerIsRefused has those dial a node who must not get in.
func TestDialerIsRefused(t *testing.T) {
	authority, other := newAuthority(t, "orders"), newAuthority(t, "orders")
	third := newAuthority(t, "billing")
	good := func(id runtime.NodeID) *quic.Credentials { return credentials(t, authority, id, quic.Validity{}) }
	right := hello{2, 2, 1, 77, 5, "orders"}
	with := func(change func(*hello)) []byte {
		h := right
		change(&h)
		return h.frame(t, 1)
	}
	for _, tc := range []struct {
		name   string
		show   *quic.Credentials
		first  []byte // nil: right
		peer   runtime.NodeID
		reason error
		words  string
	}{
		{"no certificate", nil, nil, 0, quic.ErrCertificate, "none was shown"},
		{"another authority's", credentials(t, other, 2, quic.Validity{}), nil, 0, quic.ErrCertificate, "signed by another authority"},
		{"expired", credentials(t, authority, 2, expired), nil, 0, quic.ErrCertificate, "expired"},
		{"another cluster's", credentials(t, third, 2, quic.Validity{}), nil, 2, quic.ErrCluster, `"billing"`},
		{"another node's", good(3), nil, 3, quic.ErrNode, "it says it is n2, its certificate is for n3"},
		{"our own", good(1), with(func(h *hello) { h.from = 1 }), 1, quic.ErrNode, "which are we"},
		{"meant for another", good(2), with(func(h *hello) { h.to = 9 }), 2, quic.ErrNode, "it looks for n9, here is n1"},
		{"another version", good(2), with(func(h *hello) { h.version = 1 }), 2, quic.ErrVersion, "1, ours is 2"},
		{"another cluster", good(2), with(func(h *hello) { h.cluster = "bills" }), 2, quic.ErrCluster, `its is "bills", ours "orders"`},
		{"the last number", good(2), with(func(h *hello) { h.connection = 1<<62 + 1 }), 2, quic.ErrProtocol, "connection 46116"},
		{"nonsense", good(2), []byte("GET / HTTP/1.1\r\n\r\n"), 2, quic.ErrProtocol, "not a frame"},
		{"another frame", good(2), seal(t, 9, nil), 2, quic.ErrProtocol, "handshake"},
		{"a short hello", good(2), seal(t, 1, []byte{2, 0, 3}), 2, quic.ErrProtocol, "3 bytes"},
		{"a long hello", good(2), seal(t, 1, make([]byte, 4000)), 2, quic.ErrProtocol, "limit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := configFor(t, authority, 1)
			own := *good(1)
			own.Authorities = pool(authority, third) // the third belongs to another cluster
			cfg.Credentials = own.Load
			s := join(t, cfg)
			first := tc.first
			if first == nil {
				first = right.frame(t, 1)
			}
			conn, err := rawDial(t, s.Addr(), tc.show)
			if err == nil { // in TLS 1.3 the dialer is the first to be content
				if stream, err := conn.OpenStreamSync(limit(t)); err == nil {
					_, _ = stream.Write(first) // the connection may be closed already
				}
				await(t, conn.Context().Done(), "the end of the connection")
				err = context.Cause(conn.Context())
			}
			if !strings.Contains(err.Error(), "remote") {
				t.Errorf("it was not closed by the node: %v", err)
			}
			checkRefusal(t, s.notice(t, quic.Failed, true), tc.peer, tc.reason, false, "refused", tc.words)
			if got := s.Stats().Refused; got != 1 {
				t.Errorf("%d refused", got)
			}
			if len(s.inbox) != 0 {
				t.Error("a frame got through")
			}
		})
	}
}

// TestAcceptorIsRefused has a node dial those that it must not talk to.
func TestAcceptorIsRefused(t *testing.T) {
	authority, other := newAuthority(t, "orders"), newAuthority(t, "orders")
	third := newAuthority(t, "billing")
	right := hello{2, 2, 1, 77, 0, "orders"}
	good := credentials(t, authority, 2, quic.Validity{})
	for _, tc := range []struct {
		name   string
		show   *quic.Credentials
		answer []byte // nil: it does not come to one
		reason error
		words  string
	}{
		{"another authority's", credentials(t, other, 2, quic.Validity{}), nil, quic.ErrCertificate, "signed by another authority"},
		{"expired", credentials(t, authority, 2, expired), nil, quic.ErrCertificate, "expired"},
		{"another node's", credentials(t, authority, 3, quic.Validity{}), right.frame(t, 2), quic.ErrNode, "its certificate is for n3, wanted is n2"},
		{"another cluster's", credentials(t, third, 2, quic.Validity{}), right.frame(t, 2), quic.ErrCluster, "billing"},
		{"another version", good, hello{3, 2, 1, 77, 0, "orders"}.frame(t, 2), quic.ErrVersion, "3, ours is 2"},
		{"another cluster", good, hello{2, 2, 1, 77, 0, "bills"}.frame(t, 2), quic.ErrCluster, "bills"},
		{"our own words", good, right.frame(t, 1), quic.ErrProtocol, "handshake"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := configFor(t, authority, 1)
			own := *credentials(t, authority, 1, quic.Validity{})
			own.Authorities = pool(authority, third)
			cfg.Credentials = own.Load
			s := join(t, cfg)
			addr, ended := rawServe(t, tc.show, tc.answer)
			s.Route(2, addr)
			s.Send(2, runtime.ChannelControl, seal(t, 1, []byte("secret")))
			checkRefusal(t, s.notice(t, quic.Failed, false), 2, tc.reason, false, "n2", "refused", tc.words)
			if tc.answer != nil {
				if err := await(t, ended, "the end of the connection"); !strings.Contains(err.Error(), "remote") {
					t.Errorf("it was not closed by the node: %v", err)
				}
			}
			if p := s.Stats().Peers[0]; p.Failed == 0 || p.Channels[0].Dropped != 1 || p.Channels[0].Sent != 0 {
				t.Errorf("counted %+v", p)
			}
		})
	}
}

// TestBothSidesSayWhy has two endpoints that do not go together: the refused one knows, too.
func TestBothSidesSayWhy(t *testing.T) {
	authority, other := newAuthority(t, "orders"), newAuthority(t, "orders")
	strange := credentials(t, other, 2, quic.Validity{})
	strange.Authorities = pool(authority, other) // believes, but is not believed
	strangeCfg := configFor(t, authority, 2)
	strangeCfg.Credentials = strange.Load
	t.Run("both refuse", func(t *testing.T) {
		a, b := join(t, configFor(t, authority, 1)), join(t, configFor(t, authority, 2))
		a.Route(3, b.Addr())
		a.Send(3, 0, seal(t, 1, nil))
		checkRefusal(t, a.notice(t, quic.Failed, false), 3, quic.ErrNode, false, "n3", "refused", "certificate is for n2, wanted is n3")
		checkRefusal(t, b.notice(t, quic.Failed, true), 1, quic.ErrNode, false, "n1", "refused", "it looks for n3, here is n2")
	})
	t.Run("the dialed does not expect the other", func(t *testing.T) {
		cfg := configFor(t, authority, 2)
		cfg.Allow = func(id runtime.NodeID) bool { return id == 3 }
		a, b := join(t, configFor(t, authority, 1)), join(t, cfg)
		a.Route(2, b.Addr())
		a.Send(2, 0, seal(t, 1, nil))
		checkRefusal(t, b.notice(t, quic.Failed, true), 1, quic.ErrNode, false, "n1", "refused", "n1 is not expected here")
		checkRefusal(t, a.notice(t, quic.Failed, false), 2, quic.ErrNode, true, "n2", "refuses us", "n1 is not expected here")
		c := join(t, configFor(t, authority, 3))
		c.Route(2, b.Addr())
		reaches(t, c, b, 3, 2, "expected")
	})
	t.Run("the dialed refuses", func(t *testing.T) {
		cfg := configFor(t, authority, 1)
		a, b := join(t, cfg), join(t, configFor(t, authority, 2))
		cfg.Incarnation = 1
		old := join(t, cfg) // a second process with the same identity, from long ago
		a.Route(2, b.Addr())
		reaches(t, a, b, 1, 2, "the newer one")
		old.Route(2, b.Addr())
		old.Send(2, 0, seal(t, 1, nil))
		checkRefusal(t, b.notice(t, quic.Failed, true), 1, quic.ErrStale, false, "n1", "refused", "an earlier incarnation")
		checkRefusal(t, old.notice(t, quic.Failed, false), 2, quic.ErrStale, true, "n2", "refuses us", "an earlier incarnation: 1/1, known is")
	})
	t.Run("the dialer refuses the certificate", func(t *testing.T) {
		a, b := join(t, configFor(t, authority, 1)), join(t, strangeCfg)
		a.Route(2, b.Addr())
		a.Send(2, 0, seal(t, 1, nil))
		checkRefusal(t, a.notice(t, quic.Failed, false), 2, quic.ErrCertificate, false, "n2", "signed by another authority")
		checkRefusal(t, b.notice(t, quic.Failed, true), 0, quic.ErrCertificate, true, "refuses us", "bad certificate")
	})
	t.Run("the dialed refuses the certificate", func(t *testing.T) {
		a, b := join(t, configFor(t, authority, 1)), join(t, strangeCfg)
		b.Route(1, a.Addr())
		b.Send(1, 0, seal(t, 1, nil))
		checkRefusal(t, a.notice(t, quic.Failed, true), 0, quic.ErrCertificate, false, "signed by another authority")
		checkRefusal(t, b.notice(t, quic.Failed, false), 1, quic.ErrCertificate, true, "n1", "refuses us", "unknown certificate authority")
	})
}

// TestOwnCredentials are looked at before anything else.
func TestOwnCredentials(t *testing.T) {
	orders, billing := newAuthority(t, "orders"), newAuthority(t, "billing")
	strange := credentials(t, orders, 1, quic.Validity{})
	strange.Authorities = pool(billing)
	for _, tc := range []struct {
		name   string
		own    *quic.Credentials
		reason error
		words  string
	}{
		{"expired", credentials(t, orders, 1, expired), quic.ErrCertificate, "our own: expired"},
		{"another node's", credentials(t, orders, 2, quic.Validity{}), quic.ErrNode, "our certificate is for n2, the config says n1"},
		{"another cluster's", credentials(t, billing, 1, quic.Validity{}), quic.ErrCluster, `our certificate is for "billing"`},
		{"not signed by whom it trusts", strange, quic.ErrCertificate, "our own: signed by another authority"},
		{"none", &quic.Credentials{}, quic.ErrCertificate, "incomplete"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := configFor(t, orders, 1)
			cfg.Credentials = tc.own.Load
			_, err := quic.Listen(cfg)
			if !errors.Is(err, tc.reason) || !strings.Contains(err.Error(), tc.words) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}
