package quic

import (
	"errors"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// The limits of an endpoint, besides those of its queues.
const (
	peersMax    = 1024         // nodes it knows
	inboundMax  = 2 * peersMax // connections by which it is dialed, whatever state they are in
	streamsMax  = 16           // that a peer may have open to us at a time, on one connection
	provenAbove = 64           // of these; from here on the dialer's address is verified first
	windowBytes = 8 << 20      // a channel's data on its way to it, or not yet read
	readBytes   = 4 << 10      // a channel's read buffer; frames beyond it are not copied through it
	gatherBytes = 16 << 10     // small frames that leave in one write
)

// The times that a zero Config stands for.
const (
	defaultHandshake  = 2 * time.Second
	defaultIdle       = 3 * time.Second
	defaultBackoffMin = 20 * time.Millisecond
	defaultBackoffMax = time.Second
)

// Config says who an endpoint is, where it listens, and how patient it is.
type Config struct {
	// Cluster and ID are who we are, and what our certificate must say.
	Cluster string
	ID      runtime.NodeID

	// Listen is the UDP address of the endpoint, from which it also dials. Port 0 is any.
	Listen string

	// Credentials is asked for the credentials at each handshake: a *Files or a *Credentials
	// has a Load to put here. It may be called from several goroutines. When it fails, or when
	// what it returns is not for us, the credentials of before stay in use, and Notify is told.
	Credentials func() (*Credentials, error)

	// Allow, if not nil, says whether a node of the cluster may connect to us. Others are refused with ErrNode. It
	// is called from any goroutine and must not block.
	Allow func(runtime.NodeID) bool

	// Incarnation must be greater than in all earlier boots of the node: peers refuse a smaller
	// one while they have a connection of a greater, and for a few seconds after. Zero: the wall clock.
	Incarnation uint64

	// HandshakeTimeout bounds an attempt to connect. Zero: 2 seconds.
	HandshakeTimeout time.Duration

	// IdleTimeout is how long a connection lives when nothing arrives; after a third of it
	// something is sent to keep it alive. Zero: 3 seconds. It is not meant for finding failures,
	// which those above do earlier by what they miss, but for not lagging far behind them: after a
	// cut a new connection is made at once, while an old one waits ever longer between its attempts.
	IdleTimeout time.Duration

	// BackoffMin and BackoffMax bound the pause between attempts to connect to a peer. It doubles
	// with each that fails; half of it is always waited, of the rest a random part. Zero: 20
	// milliseconds and 1 second.
	BackoffMin, BackoffMax time.Duration

	// Notify, if not nil, is told what happens to connections. It is called from any
	// goroutine and must not block. It must not call the endpoint.
	Notify func(Notice)
}

// Validate reports what is wrong with the config.
func (c Config) Validate() error {
	switch {
	case c.Credentials == nil:
		return errors.New("quic: config without Credentials")
	case c.Listen == "":
		return errors.New("quic: config without Listen, the address")
	case c.HandshakeTimeout < 0 || c.IdleTimeout < 0 || c.BackoffMin < 0 || c.BackoffMax < 0:
		return errors.New("quic: config with a negative time")
	case c.BackoffMax != 0 && c.BackoffMin > c.BackoffMax:
		return errors.New("quic: config with BackoffMin beyond BackoffMax")
	}
	return c.identity().validate()
}

func (c Config) identity() Identity { return Identity{Cluster: c.Cluster, ID: c.ID} }

// withDefaults returns the config with nothing zero that has a default.
func (c Config) withDefaults() Config {
	or := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	or(&c.HandshakeTimeout, defaultHandshake)
	or(&c.IdleTimeout, defaultIdle)
	or(&c.BackoffMax, max(defaultBackoffMax, c.BackoffMin))
	or(&c.BackoffMin, min(defaultBackoffMin, c.BackoffMax))
	if c.Incarnation == 0 {
		c.Incarnation = uint64(time.Now().UnixNano())
	}
	if c.Allow == nil {
		c.Allow = func(runtime.NodeID) bool { return true }
	}
	if c.Notify == nil {
		c.Notify = func(Notice) {}
	}
	return c
}

// connection returns how QUIC is to treat the connections.
func (c Config) connection() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:  c.HandshakeTimeout,
		MaxIdleTimeout:        c.IdleTimeout,
		KeepAlivePeriod:       c.IdleTimeout / 3,
		MaxIncomingStreams:    streamsMax, // the handshake's is over before the others begin
		MaxIncomingUniStreams: int64(runtime.ChannelCount),
		// A window of the connection as large as those of its streams together: one that
		// is not read must not take the others' share.
		InitialStreamReceiveWindow:     2 * transport.MaxFrame,
		MaxStreamReceiveWindow:         windowBytes,
		InitialConnectionReceiveWindow: 2 * transport.MaxFrame * (uint64(runtime.ChannelCount) + streamsMax),
		MaxConnectionReceiveWindow:     windowBytes * (uint64(runtime.ChannelCount) + streamsMax),
	}
}
