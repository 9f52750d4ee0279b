package quic

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// alpn names the protocol within TLS. Versions are told apart by the
// handshake, which can say so; this name stays.
const alpn = "octopii"

// serverTLS is the side that is dialed. The library requires and verifies
// the dialer's certificate; whom it names is the handshake's business.
func serverTLS(load func() *Credentials) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{alpn},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c := load()
			return &tls.Config{
				MinVersion:             tls.VersionTLS13,
				NextProtos:             []string{alpn},
				Certificates:           []tls.Certificate{c.Certificate},
				ClientAuth:             tls.RequireAndVerifyClientCert,
				ClientCAs:              c.Authorities,
				SessionTicketsDisabled: true, // every connection proves itself anew
			}, nil
		},
	}
}

// clientTLS is the side that dials.
func clientTLS(c *Credentials) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{alpn},
		// Shown whatever authorities the peer announces, so that it can say what it dislikes.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.Certificate, nil },
		// The library would compare the certificate with a host name, and can do no other. It
		// is verified all the same, by what follows; and whom it names, by the handshake.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if err := verifyChain(s.PeerCertificates, c.Authorities, x509.ExtKeyUsageServerAuth, time.Now()); err != nil {
				return &checkError{reason: plain(err)}
			}
			return nil
		},
	}
}
