package quic

import (
	"context"
	"sync"

	"github.com/octopii-go/octopii/runtime"
)

// writeChannels moves frames from the queues to the connection until that ends. It begins when the link that this one
// replaces has stopped to: what is queued goes to one of them only, in order.
func (l *link) writeChannels() {
	defer close(l.written)
	if l.before != nil {
		<-l.before
	}
	var writers sync.WaitGroup
	for ch := range runtime.ChannelCount {
		writers.Go(func() {
			if err := l.write(ch); err != nil {
				l.conn.CloseWithError(codeLeft, "") // if it is not closed already
			}
		})
	}
	writers.Wait()
}

// write sends the frames of one channel, on a stream of its own, which begins with the
// channel's number. Small frames that wait leave together.
func (l *link) write(ch runtime.Channel) error {
	stream, err := l.conn.OpenUniStreamSync(l.conn.Context())
	if err != nil {
		return err
	}
	stream.SetPriority(urgency(ch), true)
	q, c := l.peer.queues[ch], &l.peer.counters[ch]
	defer q.part()
	gathered := append(make([]byte, 0, gatherBytes), byte(ch))
	for {
		var frames, bytes uint64
		for frame, ok := q.take(cap(gathered) - len(gathered)); ok; frame, ok = q.take(cap(gathered) - len(gathered)) {
			gathered = append(gathered, frame...)
			frames, bytes = frames+1, bytes+uint64(len(frame))
		}
		if len(gathered) > 0 {
			_, err = stream.Write(gathered)
			gathered = gathered[:0]
		} else if frame, ok := q.take(queueBytes); ok {
			frames, bytes = 1, uint64(len(frame))
			if _, err = stream.Write(frame); err == nil { // or the stream may hold on to it
				l.e.frames.give(frame)
			}
		} else if q.rest(stream) {
			select {
			case <-q.ready:
			case <-l.conn.Context().Done():
				return context.Cause(l.conn.Context())
			}
		}
		if err != nil {
			c.dropped.Add(frames)
			return err
		}
		c.sent.Add(frames)
		c.sentBytes.Add(bytes)
	}
}

// urgency is a channel's rank where channels compete: the lower comes first, always. So control
// is never behind a transfer, nor a request.
func urgency(ch runtime.Channel) int8 {
	switch ch {
	case runtime.ChannelControl:
		return 0
	case runtime.ChannelRPC:
		return 1
	case runtime.ChannelFiles:
		return 3
	}
	return 2
}
