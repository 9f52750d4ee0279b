package quic

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/octopii-go/octopii/runtime"
)

const (
	scheme     = "octopii" // of the URI that names a node
	clusterMax = 63        // bytes of a cluster's name
)

// Identity is whom a certificate names: one node of one cluster. In the certificate it
// is a URI among the subject's alternative names, such as octopii://orders/node/3.
//
// A URI and not a DNS name, because nothing else is written like it: a
// certificate for a host name, or for *.example.com, never names a node by accident, a
// name server has no say, and a node may move. Not the common name, which
// has neither a type nor a syntax.
type Identity struct {
	Cluster string         // lower-case letters, digits, '-', '.' and '_', at most 63
	ID      runtime.NodeID // not zero
}

// String returns the identity as it stands in a certificate.
func (i Identity) String() string {
	return scheme + "://" + i.Cluster + "/node/" + strconv.FormatUint(uint64(i.ID), 10)
}

func (i Identity) uri() *url.URL {
	return &url.URL{Scheme: scheme, Host: i.Cluster, Path: "/node/" + strconv.FormatUint(uint64(i.ID), 10)}
}

// validate reports whether there can be such a node.
func (i Identity) validate() error {
	if err := validateCluster(i.Cluster); err != nil {
		return err
	}
	if i.ID == 0 {
		return errors.New("quic: node id 0 is nobody")
	}
	return nil
}

func validateCluster(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-._"
	if name == "" || len(name) > clusterMax || strings.Trim(name, allowed) != "" {
		return fmt.Errorf("quic: cluster name %q: want 1 to %d of a-z 0-9 - . _", name, clusterMax)
	}
	return nil
}

// IdentityOf returns whom the certificate names. It says nothing of who signed it. A
// certificate that names no node, or more than one, is refused: none may stand for several.
func IdentityOf(cert *x509.Certificate) (Identity, error) {
	var found *Identity
	for _, u := range cert.URIs {
		if u.Scheme != scheme {
			continue
		}
		i, err := parseIdentity(u)
		if err != nil {
			return Identity{}, err
		}
		if found != nil {
			return Identity{}, errors.New("it names more than one node")
		}
		found = &i
	}
	if found == nil {
		return Identity{}, errors.New("it names no node of a cluster")
	}
	return *found, nil
}

// parseIdentity accepts nothing but what String gives.
func parseIdentity(u *url.URL) (Identity, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(u.Path, "/node/"), 10, 64)
	i := Identity{Cluster: u.Host, ID: runtime.NodeID(id)}
	if err != nil || i.validate() != nil || i.String() != u.String() {
		return Identity{}, fmt.Errorf("it names %q, which is no node", u)
	}
	return i, nil
}
