package kv

import "fmt"

// Status says how a command ended. The values are on the wire.
type Status uint8

// The statuses. All of them are outcomes of a command that was executed:
// whether it was is the caller's runtime.Outcome.
const (
	OK        Status = iota + 1 // as asked; a get's response has the value
	NotFound                    // there is no such key, and nothing changed
	Mismatch                    // a compare-and-swap found the value of the response instead
	Malformed                   // the command could not be decoded, and nothing changed
)

// String returns the status' name.
func (s Status) String() string {
	switch s {
	case OK:
		return "ok"
	case NotFound:
		return "not found"
	case Mismatch:
		return "mismatch"
	case Malformed:
		return "malformed"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// Response answers a command. Its encoding is the status byte and the value.
type Response struct {
	Status Status
	Value  []byte // of a successful get, or what a compare-and-swap found
}

// String returns the response as a short line, for people.
func (r Response) String() string {
	if r.Status == Mismatch || len(r.Value) > 0 {
		return fmt.Sprintf("%v %q", r.Status, r.Value)
	}
	return r.Status.String()
}

// Append appends the response's encoding to dst.
func (r *Response) Append(dst []byte) []byte {
	return append(append(dst, byte(r.Status)), r.Value...)
}

// DecodeResponse is the inverse of [Response.Append]. The value points into p.
// Errors wrap ErrMalformed.
func DecodeResponse(p []byte) (Response, error) {
	if len(p) == 0 {
		return Response{}, fmt.Errorf("%w response: empty", ErrMalformed)
	}
	r := Response{Status: Status(p[0]), Value: p[1:]}
	if r.Status < OK || r.Status > Malformed {
		return Response{}, fmt.Errorf("%w response: status %d", ErrMalformed, p[0])
	}
	if len(r.Value) > ValueMax {
		return Response{}, fmt.Errorf("%w response: value of %d bytes", ErrMalformed, len(r.Value))
	}
	return r, nil
}
