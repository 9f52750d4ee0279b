package quic

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// Credentials are how a node proves who it is, and whom it believes. They are not
// changed once they are in use.
type Credentials struct {
	// Certificate is the node's own, with its private key.
	Certificate tls.Certificate
	// Authorities are those whose certificates are believed, in this cluster. A change of
	// authority begins and ends with two in here.
	Authorities *x509.CertPool
}

// Load returns the credentials themselves: a source for those that never change.
func (c *Credentials) Load() (*Credentials, error) { return c, nil }

// identity returns whom the credentials prove one to be, or why they will not do.
func (c *Credentials) identity(now time.Time) (Identity, error) {
	if c.Authorities == nil || len(c.Certificate.Certificate) == 0 {
		return Identity{}, fmt.Errorf("%w: our own is incomplete", ErrCertificate)
	}
	var chain []*x509.Certificate
	for _, der := range c.Certificate.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return Identity{}, fmt.Errorf("%w: our own: %w", ErrCertificate, err)
		}
		chain = append(chain, cert)
	}
	// It is shown to those whom we dial, and to those who dial us.
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if err := verifyChain(chain, c.Authorities, usage, now); err != nil {
			return Identity{}, fmt.Errorf("%w: our own: %s", ErrCertificate, plain(err))
		}
	}
	i, err := IdentityOf(chain[0])
	if err != nil {
		return Identity{}, fmt.Errorf("%w: our own: %w", ErrCertificate, err)
	}
	return i, nil
}

// verifyChain checks that the first certificate is signed, by way of the others,
// by an authority, is for that use, and valid now.
func verifyChain(chain []*x509.Certificate, authorities *x509.CertPool, usage x509.ExtKeyUsage, now time.Time) error {
	if len(chain) == 0 {
		return errors.New("none was shown")
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         authorities,
		Intermediates: between,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{usage},
	})
	return err
}

// resetKey derives the key with which a node, restarted, tells its peers that it does
// not know their old connections. It must be the same after a restart, and nobody else's.
func (c *Credentials) resetKey() *quic.StatelessResetKey {
	der, err := x509.MarshalPKCS8PrivateKey(c.Certificate.PrivateKey)
	if err != nil {
		return nil // a key that cannot be read: peers learn of a restart by their timeout
	}
	mac := hmac.New(sha256.New, der)
	mac.Write([]byte("octopii stateless reset"))
	key := quic.StatelessResetKey(mac.Sum(nil))
	return &key
}

// The names of the files in a node's folder.
const (
	nodeFile      = "node.pem"      // certificate and private key; mode 0600
	authorityFile = "authority.crt" // the certificates of the authorities
)

// Files are credentials in files, encoded as PEM. Certificate and Key may be one file, which
// can then be replaced in one step. The zero Files is no use: see Folder.
type Files struct {
	Certificate string // the node's certificate first, then those between it and the authority
	Key         string // its private key
	Authorities string // the certificates of all authorities that are believed

	mu   sync.Mutex
	text [][]byte     // as last read
	last *Credentials // made of text
}

// Folder returns the files that Authority.Issue wrote to dir.
func Folder(dir string) *Files {
	node := filepath.Join(dir, nodeFile)
	return &Files{Certificate: node, Key: node, Authorities: filepath.Join(dir, authorityFile)}
}

// Load reads the files, and returns what they hold; the same value as before, if they have
// not changed. So an endpoint with this source takes up new files at its next
// handshake. It may be called from any goroutine.
func (f *Files) Load() (*Credentials, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := []string{f.Certificate, f.Key, f.Authorities}
	text, changed := make([][]byte, len(names)), f.last == nil
	for i, name := range names {
		var err error
		if text[i], err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("quic: credentials: %w", err)
		}
		changed = changed || !bytes.Equal(text[i], f.text[i])
	}
	if !changed {
		return f.last, nil
	}
	cert, err := tls.X509KeyPair(text[0], text[1])
	if err != nil {
		return nil, fmt.Errorf("quic: credentials: %s: %w", f.Certificate, err)
	}
	c := &Credentials{Certificate: cert, Authorities: x509.NewCertPool()}
	if !c.Authorities.AppendCertsFromPEM(text[2]) {
		return nil, fmt.Errorf("quic: credentials: %s: no certificate in it", f.Authorities)
	}
	f.text, f.last = text, c
	return c, nil
}
