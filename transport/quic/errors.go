package quic

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
)

// Why two nodes do not connect. All are matched with errors.Is, on both sides.
var (
	// ErrCertificate means that a certificate is missing, of another authority,
	// expired, not valid yet, not for this use, or names no node.
	ErrCertificate = errors.New("certificate not accepted")
	// ErrVersion means that the other speaks another version of the protocol.
	ErrVersion = errors.New("another protocol version")
	// ErrCluster means that the other belongs to another cluster.
	ErrCluster = errors.New("another cluster")
	// ErrNode means that the other is not the node that was meant.
	ErrNode = errors.New("another node")
	// ErrStale means that the other is an earlier incarnation, or connection, than one that is known.
	ErrStale = errors.New("an earlier incarnation")
	// ErrProtocol means that the other sent what is no part of the protocol.
	ErrProtocol = errors.New("protocol violation")
	// ErrBusy means that an endpoint has as many connections as it can take.
	ErrBusy = errors.New("too many connections")
)

// HandshakeError is why a connection between two nodes was not made. Its text is one line.
type HandshakeError struct {
	// Peer is the node that was dialed, or that its certificate names if it dialed us;
	// zero if that is not known.
	Peer runtime.NodeID
	// Addr is the peer's address.
	Addr string
	// Remote reports whether the peer refused us. Otherwise we refused the peer.
	Remote bool
	// Reason matches one of this package's errors, or is what the network said.
	Reason error
}

// Error returns who refused whom, and why.
func (e *HandshakeError) Error() string {
	who := "a peer"
	if e.Peer != 0 {
		who = e.Peer.String()
	}
	verb := "not connected"
	switch {
	case e.Remote:
		verb = "refuses us"
	case refusalCode(e.Reason) != 0:
		verb = "refused"
	}
	return fmt.Sprintf("quic: %s at %s: %s: %s", who, e.Addr, verb, e.Reason)
}

// Unwrap returns the reason.
func (e *HandshakeError) Unwrap() error { return e.Reason }

// With these codes a connection is closed. They are part of the protocol.
const (
	codeClosed      quic.ApplicationErrorCode = 1  // the endpoint closes
	codeReplaced    quic.ApplicationErrorCode = 2  // there is a newer connection
	codeLeft        quic.ApplicationErrorCode = 3  // there is no further use for the connection
	codeExpired     quic.ApplicationErrorCode = 4  // the certificate with which it was made
	codeVersion     quic.ApplicationErrorCode = 16 // and from here on: refused
	codeCluster     quic.ApplicationErrorCode = 17
	codeNode        quic.ApplicationErrorCode = 18
	codeStale       quic.ApplicationErrorCode = 19
	codeProtocol    quic.ApplicationErrorCode = 20
	codeBusy        quic.ApplicationErrorCode = 21
	codeCertificate quic.ApplicationErrorCode = 22
)

// farewells say what a code means that is no refusal.
var farewells = map[quic.ApplicationErrorCode]error{
	codeClosed:   errors.New("the peer has closed"),
	codeReplaced: errReplaced,
	codeLeft:     errors.New("the peer has left"),
	codeExpired:  errors.New("our certificate has expired"),
}

// refusals pairs errors and codes.
var refusals = []struct {
	err  error
	code quic.ApplicationErrorCode
}{
	{ErrVersion, codeVersion},
	{ErrCluster, codeCluster},
	{ErrNode, codeNode},
	{ErrStale, codeStale},
	{ErrProtocol, codeProtocol},
	{ErrBusy, codeBusy},
	{ErrCertificate, codeCertificate},
}

// refusalCode returns the code that tells the peer of our refusal, zero if the error is none.
func refusalCode(err error) quic.ApplicationErrorCode {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.code
		}
	}
	return 0
}

// refuse closes the connection, telling the peer why.
func refuse(conn *quic.Conn, reason error) {
	code, text := refusalCode(reason), reason.Error()
	switch {
	case errors.Is(reason, errCrossed):
		code = codeReplaced
	case code == 0: // no refusal, and not the peer's business
		code, text = codeLeft, ""
	}
	conn.CloseWithError(code, text) // fails only if it is closed already
}

// The TLS alerts, carried in QUIC's transport errors, with which a certificate is refused.
const (
	alertBase     = 0x100
	alertRequired = 116
)

// explain returns what the end of a connection means in this package's terms, and
// whether the peer refused us with it.
func explain(err error) (reason error, remote bool) {
	var app *quic.ApplicationError
	if errors.As(err, &app) {
		return explainCode(app)
	}
	var transport *quic.TransportError
	if !errors.As(err, &transport) || transport.ErrorCode < alertBase || transport.ErrorCode > alertBase+0xff {
		return err, false
	}
	var own *checkError
	if errors.As(err, &own) {
		return own, false
	}
	alert := tls.AlertError(transport.ErrorCode - alertBase)
	switch {
	case transport.Remote:
		return fmt.Errorf("%w: %s", ErrCertificate, strings.TrimPrefix(alert.Error(), "tls: ")), true
	case alert == alertRequired:
		return fmt.Errorf("%w: none was shown", ErrCertificate), false
	}
	return fmt.Errorf("%w: %s", ErrCertificate, plain(err)), false
}

// explainCode is explain for what one of the endpoints has closed.
func explainCode(app *quic.ApplicationError) (reason error, remote bool) {
	if !app.Remote {
		return app, false
	}
	for _, r := range refusals {
		if r.code == app.ErrorCode {
			text := strings.TrimPrefix(plainText(app.ErrorMessage), r.err.Error()+": ")
			return fmt.Errorf("%w: %s", r.err, text), true
		}
	}
	if farewell := farewells[app.ErrorCode]; farewell != nil {
		return farewell, false
	}
	return app, false
}

// checkError is a refusal by our own check of a certificate.
type checkError struct{ reason string }

func (e *checkError) Error() string { return ErrCertificate.Error() + ": " + e.reason }
func (e *checkError) Unwrap() error { return ErrCertificate }

// plain says in a few words why a certificate was not accepted.
func plain(err error) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "signed by another authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired or not yet valid: " + invalid.Detail
	}
	return plainText(err.Error())
}

// textMax bounds what is shown of a text by the peer, in bytes.
const textMax = 200

// plainText makes one bounded line of a text that others wrote.
func plainText(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), textMax)], "")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
