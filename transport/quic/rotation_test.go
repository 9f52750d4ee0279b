package quic_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// reconnect makes a connect to b anew, in place of the connection there is.
func reconnect(t testing.TB, a, b *station, id runtime.NodeID) {
	t.Helper()
	for len(a.notices) > 0 {
		<-a.notices
	}
	a.Route(id, "")
	a.notice(t, quic.Disconnected, false) // before, what is sent may still take the old connection
	a.Route(id, b.Addr())
}

// TestFirstCluster is what a user does: two calls, and the folders are ready for use.
func TestFirstCluster(t *testing.T) {
	dir := t.TempDir()
	authority, err := quic.CreateAuthority(filepath.Join(dir, "authority"), "orders")
	if err != nil {
		t.Fatal(err)
	}
	var nodes []*station
	for id := runtime.NodeID(1); id <= 2; id++ {
		folder := filepath.Join(dir, id.String())
		if err := authority.Issue(folder, id, quic.Validity{}); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, join(t, quic.Config{Cluster: "orders", ID: id, Listen: "127.0.0.1:0", Credentials: quic.Folder(folder).Load}))
	}
	nodes[0].Route(2, nodes[1].Addr())
	reaches(t, nodes[0], nodes[1], 1, 2, "hello")
}

// TestRotation replaces certificates, and then the authority, under running endpoints.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	old, next := newAuthority(t, "orders"), newAuthority(t, "orders")
	issue := func(a *quic.Authority, id runtime.NodeID) string {
		t.Helper()
		folder := filepath.Join(dir, id.String())
		if err := a.Issue(folder, id, quic.Validity{}); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	a := join(t, quic.Config{Cluster: "orders", ID: 1, Listen: "127.0.0.1:0", Credentials: quic.Folder(issue(old, 1)).Load})
	b := join(t, quic.Config{Cluster: "orders", ID: 2, Listen: "127.0.0.1:0", Credentials: quic.Folder(issue(old, 2)).Load})
	again := func(text string) { // by a new connection
		t.Helper()
		reconnect(t, a, b, 2)
		reaches(t, a, b, 1, 2, text)
	}
	shows := func(s *station) *x509.Certificate {
		t.Helper()
		conn, err := rawDial(t, s.Addr(), credentials(t, old, 3, quic.Validity{}))
		if err != nil {
			t.Fatal(err)
		}
		return conn.ConnectionState().TLS.PeerCertificates[0]
	}

	a.Route(2, b.Addr())
	reaches(t, a, b, 1, 2, "to begin with")
	first := shows(b)
	issue(old, 2)
	again("with a new certificate")
	if second := shows(b); second.Equal(first) || second.CheckSignatureFrom(old.Certificate()) != nil {
		t.Error("the new certificate is not in use")
	}

	// A new authority: first everybody believes it, then it signs, then nobody believes the old one.
	trust := func(id runtime.NodeID, authorities ...*quic.Authority) {
		t.Helper()
		var text []byte
		for _, a := range authorities {
			text = append(text, pemOf(a.Certificate())...)
		}
		if err := os.WriteFile(filepath.Join(dir, id.String(), "authority.crt"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	trust(1, old, next)
	trust(2, old, next)
	again("believing both")
	issue(next, 1)
	issue(next, 2)
	again("signed by the new one")
	if shows(b).CheckSignatureFrom(next.Certificate()) != nil {
		t.Error("the new authority's certificate is not in use")
	}
	trust(1, next)
	trust(2, next)
	again("believing the new one only")
	for len(b.notices) > 0 {
		<-b.notices
	}
	if _, _, err := rawHello(t, b.Addr(), credentials(t, old, 3, quic.Validity{}), hello{2, 3, 2, 1, 1, "orders"}.frame(t, 1)); err == nil {
		t.Error("a certificate of the old authority is accepted")
	}
	for { // the connections that only looked at the certificate fail too, when they time out
		if n := b.notice(t, quic.Failed, true); n.Peer == 0 {
			checkRefusal(t, n, 0, quic.ErrCertificate, false, "another authority")
			return
		}
	}
}

// TestBadCredentialsAreNotTakenUp damages the files in several ways.
func TestBadCredentialsAreNotTakenUp(t *testing.T) {
	authority := newAuthority(t, "orders")
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	if err := authority.Issue(folder, 1, quic.Validity{}); err != nil {
		t.Fatal(err)
	}
	a := join(t, quic.Config{Cluster: "orders", ID: 1, Listen: "127.0.0.1:0", Credentials: quic.Folder(folder).Load})
	b := join(t, configFor(t, authority, 2))
	a.Route(2, b.Addr())
	reaches(t, a, b, 1, 2, "to begin with")
	other := pemOf(newAuthority(t, "x").Certificate())
	for name, damage := range map[string]func() error{
		"no certificate in it": func() error { return os.WriteFile(file("authority.crt"), []byte("nothing"), 0o600) },
		"node.pem":             func() error { return os.WriteFile(file("node.pem"), nil, 0o600) },
		"no such file":         func() error { return os.Remove(file("node.pem")) },
		"expired":              func() error { return authority.Issue(folder, 1, expired) },
		"n2, the config says":  func() error { return authority.Issue(folder, 2, quic.Validity{}) },
		"signed by another":    func() error { return os.WriteFile(file("authority.crt"), other, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.Remove(file("authority.crt")); err != nil {
				t.Fatal(err)
			}
			if err := authority.Issue(folder, 1, quic.Validity{}); err != nil {
				t.Fatal(err)
			}
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			reconnect(t, a, b, 2)
			reaches(t, a, b, 1, 2, "with the credentials of before: "+name)
			if n := a.notice(t, quic.Kept, false); !strings.Contains(n.String(), name) || strings.Contains(n.String(), "\n") {
				t.Errorf("got %q", n)
			}
		})
	}
}

// TestConnectionEndsWithItsCertificate connects nodes of which one has a certificate that is about to expire.
func TestConnectionEndsWithItsCertificate(t *testing.T) {
	t.Parallel()
	t.Run("of the dialer", func(t *testing.T) { t.Parallel(); expires(t, true) })
	t.Run("of the dialed", func(t *testing.T) { t.Parallel(); expires(t, false) })
}

// expires has the node with that certificate dial the other, or be dialed.
func expires(t *testing.T, dials bool) {
	authority := newAuthority(t, "orders")
	other := join(t, configFor(t, authority, 2))
	for { // until the machine is fast enough to connect in time
		cfg := configFor(t, authority, 1)
		cfg.Credentials = credentials(t, authority, 1, quic.Validity{NotAfter: time.Now().Add(2 * time.Second)}).Load
		brief := join(t, cfg)
		if dials {
			brief.Route(2, other.Addr())
			brief.Send(2, 0, seal(t, 1, nil))
		} else {
			other.Route(1, brief.Addr())
			other.Send(1, 0, seal(t, 1, nil))
		}
		n := await(t, other.notices, "a connection")
		if n.Kind == quic.Failed {
			if err := brief.Close(); err != nil {
				t.Fatal(err)
			}
			for len(other.notices) > 0 { // it may have tried again
				<-other.notices
			}
			continue
		}
		if n = other.notice(t, quic.Disconnected, dials); n.Peer != 1 || !strings.Contains(n.String(), "the peer's certificate has expired") {
			t.Errorf("got %v", n)
		}
		if n = brief.notice(t, quic.Disconnected, !dials); !strings.Contains(n.String(), "our certificate has expired") {
			t.Errorf("got %v", n)
		}
		return
	}
}
