package quic

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/quic-go/quic-go"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// acceptChannels reads all channels until the connection ends.
func (l *link) acceptChannels() {
	acceptEach(l.conn.Context(), l.conn.AcceptUniStream, func(stream *quic.ReceiveStream) {
		if err := l.read(bufio.NewReaderSize(stream, readBytes)); errors.Is(err, ErrProtocol) {
			refuse(l.conn, err)
		}
	})
}

// acceptEach gives each stream that the other side opens a goroutine, until the connection ends, and waits for all of them.
func acceptEach[S any](ctx context.Context, accept func(context.Context) (S, error), handle func(S)) {
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for { // QUIC limits how many there are at a time
		stream, err := accept(ctx)
		if err != nil {
			return
		}
		handlers.Go(func() { handle(stream) })
	}
}

// read receives the frames of one channel until its stream ends, and returns why.
func (l *link) read(r *bufio.Reader) error {
	number, err := r.ReadByte()
	if err != nil {
		return err
	}
	ch := runtime.Channel(number)
	if ch >= runtime.ChannelCount {
		return fmt.Errorf("%w: channel %d, of %d", ErrProtocol, ch, runtime.ChannelCount)
	}
	c := &l.peer.counters[ch]
	for {
		frame, err := readFrame(r, transport.MaxFrame, l.e.frames.take)
		if err != nil {
			return err
		}
		size := uint64(len(frame))
		if !l.deliver(ch, frame) {
			c.stale.Add(1)
			l.e.frames.give(frame)
			continue
		}
		c.received.Add(1)
		c.receivedBytes.Add(size)
	}
}
