package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/transport/quic"
)

// pairOfMembers is a cluster of two, in this process.
type pairOfMembers struct {
	from, to *cluster.Member
	configs  [2]cluster.Config
}

func newPair(root string) (*pairOfMembers, error) {
	authority, err := quic.CreateAuthority(filepath.Join(root, "authority"), "bench")
	if err != nil {
		return nil, err
	}
	p := &pairOfMembers{}
	var peers []cluster.Peer
	for i := range p.configs {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		peers = append(peers, cluster.Peer{ID: runtime.NodeID(i + 1), Addr: addr})
	}
	for i := range p.configs {
		id := runtime.NodeID(i + 1)
		dir := filepath.Join(root, id.String())
		tls := filepath.Join(dir, "tls")
		if err := authority.Issue(tls, id, quic.Validity{}); err != nil {
			return nil, err
		}
		p.configs[i] = cluster.Config{Cluster: "bench", ID: id, Dir: filepath.Join(dir, "data"), TLSDir: tls, Peers: peers}
	}
	if p.from, err = cluster.Start(context.Background(), p.configs[0], newTable); err != nil {
		return nil, err
	}
	return p, p.startReceiver()
}

func newTable() raft.StateMachine { return table{} }

func (p *pairOfMembers) startReceiver() (err error) {
	p.to, err = cluster.Start(context.Background(), p.configs[1], newTable)
	return err
}

// sent returns how many bytes of frames the source has handed to the connections on which files travel.
func (p *pairOfMembers) sent() uint64 {
	var bytes uint64
	for _, peer := range p.from.Status().Peers {
		bytes += peer.Link.Channels[runtime.ChannelFiles].SentBytes
	}
	return bytes
}

func (p *pairOfMembers) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(p.to.Drain(ctx), p.from.Drain(ctx))
}

// bareStream is a connection of quic-go, with the windows of an endpoint.
type bareStream struct {
	conns     [2]*quicgo.Conn // the sender's and the receiver's
	listener  *quicgo.Listener
	transport [2]*quicgo.Transport
}

func newBareStream() (*bareStream, error) {
	certificate, pool, err := bareCertificate()
	if err != nil {
		return nil, err
	}
	b := &bareStream{}
	for i := range b.transport {
		socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		b.transport[i] = &quicgo.Transport{Conn: socket}
	}
	cfg := &quicgo.Config{
		InitialStreamReceiveWindow: 2 << 20, MaxStreamReceiveWindow: 8 << 20, InitialConnectionReceiveWindow: 8 << 20, MaxConnectionReceiveWindow: 32 << 20,
		KeepAlivePeriod: time.Second,
	}
	protocols := []string{"bench"}
	if b.listener, err = b.transport[1].Listen(&tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: protocols}, cfg); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), trioPatience)
	defer cancel()
	client := &tls.Config{RootCAs: pool, ServerName: bareHost, NextProtos: protocols}
	if b.conns[0], err = b.transport[0].Dial(ctx, b.listener.Addr(), client, cfg); err != nil {
		return nil, err
	}
	b.conns[1], err = b.listener.Accept(ctx)
	return b, err
}

// file copies a file, and returns when the copy is durable. The copy is removed.
func (b *bareStream) file(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer os.Remove(to)
	defer out.Close()
	if err := b.carry(in, out); err != nil {
		return err
	}
	return out.Sync()
}

// memory sends bytes from nowhere to nowhere.
func (b *bareStream) memory(size int64) error {
	return b.carry(io.LimitReader(endless{}, size), io.Discard)
}

type endless struct{}

// Read implements io.Reader.
func (endless) Read(p []byte) (int, error) { return len(p), nil }

// bareBuffer is what is read and written at a time: as much as a chunk.
const bareBuffer = 64 << 10

// carry sends all that in has, and returns when out has it.
func (b *bareStream) carry(in io.Reader, out io.Writer) error {
	ctx := context.Background()
	send, err := b.conns[0].OpenUniStreamSync(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(onlyWriter{send}, onlyReader{in}, make([]byte, bareBuffer))
		sent <- errors.Join(err, send.Close())
	}()
	receive, err := b.conns[1].AcceptUniStream(ctx)
	if err == nil {
		_, err = io.CopyBuffer(onlyWriter{out}, onlyReader{receive}, make([]byte, bareBuffer))
	}
	if err != nil {
		err = fmt.Errorf("receive: %w", err)
	}
	return errors.Join(err, <-sent)
}

// onlyReader and onlyWriter hide what else a reader or writer can do, so that the buffer is used.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

func (b *bareStream) close() {
	for i, t := range b.transport {
		b.conns[i].CloseWithError(0, "")
		t.Close()
		t.Conn.Close()
	}
}
