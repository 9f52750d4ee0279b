package quic_test

import (
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
	"github.com/octopii-go/octopii/transport/linktest"
	"github.com/octopii-go/octopii/transport/quic"
)

func TestEndpointIsALink(t *testing.T) {
	linktest.Run(t, func(t *testing.T) linktest.Network {
		authority := newAuthority(t, "test")
		return linktest.Network{Join: func(id runtime.NodeID, receive transport.Receiver) (transport.Link, string) {
			e := listen(t, configFor(t, authority, id))
			link, err := e.Join(receive)
			if err != nil {
				t.Fatal(err)
			}
			return link, e.Addr()
		}}
	})
}

var _ transport.Link = (*quic.Endpoint)(nil)
