package runtime

import (
	"strconv"
	"time"
)

// NodeID names a node for as long as the cluster exists. Zero is nobody.
type NodeID uint64

// String returns the node's name in traces and messages, such as n3.
func (id NodeID) String() string { return "n" + strconv.FormatUint(uint64(id), 10) }

// CallID names one call of a client to one node. A world never uses an id
// twice, not even for the same request tried again. Zero is no call. A world uses ids below
// OwnCalls only.
type CallID uint64

// OwnCalls is the first of the ids that are free for a node's own use: for calls from
// one part of it to another, which no world knows.
const OwnCalls CallID = 1 << 63

// Channel separates kinds of traffic between two nodes, so that a large
// transfer never stands in front of a heartbeat.
type Channel uint8

// The channels in use. A world may map each to a stream of its own.
const (
	ChannelControl Channel = iota // votes, heartbeats, appends: small and urgent
	ChannelBulk                   // snapshots
	ChannelRPC                    // the service's own requests
	ChannelFiles                  // the service's own files
	ChannelCount                  // how many there are
)

// Lane is a queue of disk work of one node. Jobs of one lane run in order;
// jobs of different lanes run side by side.
type Lane uint8

// LaneCount is how many lanes a node has: 0 <= Lane < LaneCount.
const LaneCount = 8

// Purpose tells draws of a node apart, so that a new draw for one purpose
// never changes the values another one gets.
type Purpose uint32

// Outcome is what a client may conclude from a reply.
type Outcome uint8

// The outcomes. The zero Outcome is invalid.
const (
	// Done: the request took effect exactly once, and the response is its result.
	Done Outcome = iota + 1
	// Refused: the request did not take effect and never will.
	Refused
	// Unknown: the request may have taken effect, or may later, or never.
	Unknown
)

// String returns done, refused or unknown.
func (o Outcome) String() string {
	switch o {
	case Done:
		return "done"
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	}
	return "outcome(" + strconv.Itoa(int(o)) + ")"
}

// Instant is a point in time, in nanoseconds since an origin that the clock
// it was read from defines. Instants of different nodes, or of different
// boots of one node, are not comparable.
type Instant int64

// Never is an Instant that does not come: WakeAt(Never) cancels the alarm.
const Never Instant = 1<<63 - 1

// Add returns the instant d after t; Never stays Never.
func (t Instant) Add(d time.Duration) Instant {
	if t == Never {
		return Never
	}
	return t + Instant(d)
}

// Sub returns the time from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// String returns the instant as a duration since its clock's origin.
func (t Instant) String() string {
	if t == Never {
		return "never"
	}
	return time.Duration(t).String()
}
