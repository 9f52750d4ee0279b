package quic_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport/quic"
)

// newAuthority makes an authority in a folder of its own.
func newAuthority(t testing.TB, cluster string) *quic.Authority {
	t.Helper()
	a, err := quic.CreateAuthority(t.TempDir(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// credentials issues a certificate.
func credentials(t testing.TB, a *quic.Authority, id runtime.NodeID, valid quic.Validity) *quic.Credentials {
	t.Helper()
	c, err := a.Credentials(id, valid)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pemOf(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// TestModesOfFiles keeps the keys from all but their owner.
func TestModesOfFiles(t *testing.T) {
	dir := t.TempDir()
	authority, err := quic.CreateAuthority(filepath.Join(dir, "authority"), "orders")
	if err == nil {
		err = authority.Issue(filepath.Join(dir, "n1"), 1, quic.Validity{})
	}
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]fs.FileMode{
		"authority": 0o700, "authority/authority.key": 0o600, "authority/authority.crt": 0o644,
		"n1": 0o700, "n1/node.pem": 0o600, "n1/authority.crt": 0o644,
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if want := modes[filepath.ToSlash(name)]; err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v, %v", name, info.Mode().Perm(), want, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAuthorityIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	first, err := quic.CreateAuthority(dir, "orders")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := quic.CreateAuthority(dir, "orders"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	again, err := quic.OpenAuthority(dir)
	if err != nil || again.Cluster() != "orders" || !again.Certificate().Equal(first.Certificate()) {
		t.Fatalf("opened %+v, %v", again, err)
	}
	if c := credentials(t, again, 7, quic.Validity{}); c.Certificate.Leaf.CheckSignatureFrom(first.Certificate()) != nil {
		t.Error("what the opened authority signs is not the first one's")
	}
	if _, err := quic.OpenAuthority(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestNamesThatCannotBe(t *testing.T) {
	for _, name := range []string{"", "Orders", "a/b", "a b", strings.Repeat("a", 64), "a:1", "ü", "a\n"} {
		if _, err := quic.CreateAuthority(t.TempDir(), name); err == nil {
			t.Errorf("%q is a cluster", name)
		}
	}
	if _, err := newAuthority(t, "a").Credentials(0, quic.Validity{}); err == nil {
		t.Error("0 is a node")
	}
}

func TestIdentityInACertificate(t *testing.T) {
	for _, tc := range []struct {
		uris []string
		want string // empty: refused
	}{
		{[]string{"octopii://orders/node/3"}, "octopii://orders/node/3"},
		{[]string{"spiffe://elsewhere/x", "octopii://orders/node/3"}, "octopii://orders/node/3"},
		{[]string{"octopii://orders/node/18446744073709551615"}, "octopii://orders/node/18446744073709551615"},
		{nil, ""},
		{[]string{"https://orders/node/3"}, ""},
		{[]string{"octopii://orders/node/3", "octopii://orders/node/4"}, ""},
		{[]string{"octopii://orders/node/3", "octopii://orders/node/3"}, ""},
		{[]string{"octopii://orders/node/0"}, ""},
		{[]string{"octopii://orders/node/03"}, ""},
		{[]string{"octopii://orders/node/+3"}, ""},
		{[]string{"octopii://orders/node/18446744073709551616"}, ""},
		{[]string{"octopii://orders/3"}, ""},
		{[]string{"octopii://orders/node/3/"}, ""},
		{[]string{"octopii://orders/node/3?x"}, ""},
		{[]string{"octopii://orders/node/3#x"}, ""},
		{[]string{"octopii://me@orders/node/3"}, ""},
		{[]string{"octopii://orders:1/node/3"}, ""},
		{[]string{"octopii:///node/3"}, ""},
		{[]string{"octopii://*/node/3"}, ""},
		{[]string{"octopii:node/3"}, ""},
	} {
		cert := &x509.Certificate{}
		for _, text := range tc.uris {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			cert.URIs = append(cert.URIs, u)
		}
		i, err := quic.IdentityOf(cert)
		if got := i.String(); (err == nil) != (tc.want != "") || err == nil && got != tc.want {
			t.Errorf("%v: %s, %v", tc.uris, got, err)
		}
	}
}
