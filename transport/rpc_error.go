package transport

import "errors"

// How a call can fail, beside *RemoteError. All are matched with errors.Is.
// What became of the request is the Outcome of the RPCResult.
var (
	// ErrBusy means that this node has as many calls, or bytes, to that peer under way as it may,
	// or knows as many peers. The call was not begun.
	ErrBusy = errors.New("transport: too many calls under way")
	// ErrOverloaded means that the peer refused the request, since it serves as
	// many as it may. The outcome is Refused.
	ErrOverloaded = errors.New("transport: the peer is overloaded")
	// ErrTimeout means that the deadline passed. The outcome is Unknown.
	ErrTimeout = errors.New("transport: no answer in time")
	// ErrUnreachable means that the deadline passed before the peer could be asked.
	// The outcome is Refused.
	ErrUnreachable = errors.New("transport: the peer cannot be reached")
	// ErrLost means that the peer has restarted, or has forgotten its answer, so that
	// none will ever come. The outcome is Unknown.
	ErrLost = errors.New("transport: the answer is lost")
)

// RemoteError is the answer of a handler that failed. The outcome is Done: the
// request was handled, once.
type RemoteError struct {
	Message []byte // what the handler said
}

// Error returns what the handler said, at most 200 bytes of it.
func (e *RemoteError) Error() string {
	return "transport: the peer failed: " + string(e.Message[:min(len(e.Message), 200)])
}
