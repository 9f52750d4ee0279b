package quic

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

const (
	authorityKeyFile = "authority.key" // mode 0600

	authorityYears = 20 // how long an authority is valid
	nodeYears      = 1  // how long a node's certificate is, unless said otherwise

	backdate = time.Hour // how far clocks may be behind the authority's
)

// Authority signs the certificates of one cluster's nodes. A first secure cluster takes two calls:
//
//	authority, err := quic.CreateAuthority("tls/authority", "orders")
//	err = authority.Issue("tls/n1", 1, quic.Validity{}) // and so on, for each node
//
// The folder of a node then goes to its machine, where quic.Folder reads it. The authority's
// folder holds the key to the whole cluster. No node needs it.
type Authority struct {
	cluster string
	cert    *x509.Certificate
	key     crypto.Signer
}

// Validity is how long a certificate is valid. The zero Validity is from an hour ago, since a
// clock may be behind, until in a year.
type Validity struct{ NotBefore, NotAfter time.Time }

// CreateAuthority makes an authority for the cluster and keeps it in dir, which is made if it is
// missing. An authority that is there already is left alone: the error matches fs.ErrExist.
func CreateAuthority(dir, cluster string) (*Authority, error) {
	a, err := newAuthority(cluster)
	if err != nil {
		return nil, err
	}
	key, err := encodeKey(a.key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("quic: create authority: %w", err)
	}
	keyPath := filepath.Join(dir, authorityKeyFile)
	if _, err := os.Lstat(keyPath); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return nil, fmt.Errorf("quic: create authority: %s: %w", keyPath, err)
	}
	// The key comes last: without it there is no authority, and one may try again.
	if err := replaceFile(filepath.Join(dir, authorityFile), encodeCertificates(a.cert.Raw), 0o644); err != nil {
		return nil, err
	}
	if err := replaceFile(keyPath, key, 0o600); err != nil {
		return nil, err
	}
	return a, nil
}

// OpenAuthority returns the authority that CreateAuthority has put in dir.
func OpenAuthority(dir string) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, authorityFile), filepath.Join(dir, authorityKeyFile))
	if err != nil {
		return nil, fmt.Errorf("quic: open authority: %w", err)
	}
	key, isSigner := pair.PrivateKey.(crypto.Signer)
	if !isSigner || pair.Leaf == nil || !pair.Leaf.IsCA || len(pair.Leaf.Subject.Organization) != 1 {
		return nil, fmt.Errorf("quic: open authority: %s holds none", dir)
	}
	return &Authority{cluster: pair.Leaf.Subject.Organization[0], cert: pair.Leaf, key: key}, nil
}

// newAuthority makes an authority that is nowhere but in memory.
func newAuthority(cluster string) (*Authority, error) {
	if err := validateCluster(cluster); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("quic: create authority: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{Organization: []string{cluster}, CommonName: cluster + " authority"},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.AddDate(authorityYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // it signs nodes, no further authorities
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Authority{cluster: cluster, cert: cert, key: key}, nil
}

// Cluster returns the name of the cluster.
func (a *Authority) Cluster() string { return a.cluster }

// Certificate returns the authority's certificate, for the pool of those who believe it.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Issue makes a key and a certificate for the node, and puts them into dir, which is made if it
// is missing, with the authority's certificate. If the folder has credentials already they are
// replaced, in one step each: endpoints that run on them take up the new ones.
// Authorities in the folder besides this one stay.
func (a *Authority) Issue(dir string, id runtime.NodeID, valid Validity) error {
	c, err := a.Credentials(id, valid)
	if err != nil {
		return err
	}
	key, err := encodeKey(c.Certificate.PrivateKey)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("quic: issue: %w", err)
	}
	authorities := filepath.Join(dir, authorityFile)
	pool, err := os.ReadFile(authorities)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("quic: issue: %w", err)
	}
	// First whom to believe, then what to show: a certificate must not be in use before its authority is.
	if own := encodeCertificates(a.cert.Raw); !bytes.Contains(pool, own) {
		if len(pool) > 0 {
			pool = append(pool, '\n') // whatever it ends with
		}
		if err := replaceFile(authorities, append(pool, own...), 0o644); err != nil {
			return err
		}
	}
	return replaceFile(filepath.Join(dir, nodeFile), append(encodeCertificates(c.Certificate.Certificate...), key...), 0o600)
}

// Credentials makes a key and a certificate for the node, in memory.
func (a *Authority) Credentials(id runtime.NodeID, valid Validity) (*Credentials, error) {
	i := Identity{Cluster: a.cluster, ID: id}
	if err := i.validate(); err != nil {
		return nil, err
	}
	if valid.NotBefore.IsZero() {
		valid.NotBefore = time.Now().Add(-backdate)
	}
	if valid.NotAfter.IsZero() {
		valid.NotAfter = time.Now().AddDate(nodeYears, 0, 0)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("quic: issue: %w", err)
	}
	cert, err := sign(&x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{Organization: []string{a.cluster}, CommonName: i.ID.String()},
		NotBefore:    valid.NotBefore,
		NotAfter:     valid.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		// Every node dials its peers and is dialed by them.
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{i.uri()},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	c := &Credentials{Authorities: x509.NewCertPool()}
	c.Authorities.AddCert(a.cert)
	c.Certificate = tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	return c, nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("quic: sign: %w", err)
	}
	return x509.ParseCertificate(der)
}

// serial draws a certificate's number.
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[0] &= 0x7f    // positive in 16 bytes
	b[15] |= 1      // not zero
	return new(big.Int).SetBytes(b[:])
}

func encodeCertificates(ders ...[]byte) (text []byte) {
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

func encodeKey(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("quic: encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// replaceFile gives the file a new content in one step. Its mode is right before the content is in it.
func replaceFile(path string, text []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("quic: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("quic: write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
