package quic

import (
	"bufio"
	"errors"
	"fmt"
	"sync"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// acceptChannels reads all channels until the connection ends.
func (l *link) acceptChannels() {
	var readers sync.WaitGroup
	defer readers.Wait()
	for { // QUIC limits how many there are at a time
		stream, err := l.conn.AcceptUniStream(l.conn.Context())
		if err != nil {
			return
		}
		readers.Go(func() {
			if err := l.read(bufio.NewReaderSize(stream, readBytes)); errors.Is(err, ErrProtocol) {
				refuse(l.conn, err)
			}
		})
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
