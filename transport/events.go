package transport

import "github.com/octopii-go/octopii/runtime"

// The events of this package. Those in the first group come from the state
// machines; those of the second are for drivers to record when the thing really happens.
const (
	// SessionOpened: calls to peer A may be sent, in its session B.
	SessionOpened runtime.EventKind = 0xca0c7cca
	// SessionLost: peer A no longer knows the session B, and C calls are lost with it.
	SessionLost runtime.EventKind = 0x1329d28d
	// RequestRepeated: call C of peer A came again; D is 1 if the handler still has it, 2 if its answer was sent again, 3 if that is gone.
	RequestRepeated runtime.EventKind = 0x58e41e2e
	// RequestRefused: call C of peer A is refused, since B requests are being served.
	RequestRefused runtime.EventKind = 0x74c5f288
	// AnswerIgnored: an answer from peer A to call C, for which nobody waits.
	AnswerIgnored runtime.EventKind = 0x52b9bec1

	// CallAsked: the node calls peer B for request id A; C is the hash of the request, D the world's call that it serves, or zero.
	CallAsked runtime.EventKind = 0xe0427dd5
	// CallEnded: request id A to peer B ended with outcome C; D is the hash of the answer, zero without one.
	CallEnded runtime.EventKind = 0x43b431c9
	// RequestServed: the handler gets a request of peer A; C is its hash, B is 1 if it is one-way.
	RequestServed runtime.EventKind = 0xcade542d
	// RequestAnswered: the handler answers peer A; C is the hash of the request, D that of the answer.
	RequestAnswered runtime.EventKind = 0x9a53411b
	// LoadSeen: the node's RPC holds A calls, B bytes of them, serves C requests and keeps D bytes of answers.
	LoadSeen runtime.EventKind = 0x80de19f4
)

// Events describes the events of this package.
var Events = []runtime.EventInfo{
	{Kind: SessionOpened, Name: "transport.session-opened", Text: "{A:n} session {B}"},
	{Kind: SessionLost, Name: "transport.session-lost", Text: "{A:n} session {B}, {C} calls with it"},
	{Kind: RequestRepeated, Name: "transport.request-repeated", Text: "from {A:n}, call {C}, state {D}"},
	{Kind: RequestRefused, Name: "transport.request-refused", Text: "from {A:n}, call {C}: {B} are being served"},
	{Kind: AnswerIgnored, Name: "transport.answer-ignored", Text: "from {A:n} to call {C}"},
	{Kind: CallAsked, Name: "transport.call-asked", Text: "{A} of {B:n}, hash {C:x}, for call {D}"},
	{Kind: CallEnded, Name: "transport.call-ended", Text: "{A} of {B:n}: {C:o}, answer {D:x}"},
	{Kind: RequestServed, Name: "transport.request-served", Text: "from {A:n}, hash {C:x}, one-way {B}"},
	{Kind: RequestAnswered, Name: "transport.request-answered", Text: "to {A:n}, hash {C:x}, answer {D:x}"},
	{Kind: LoadSeen, Name: "transport.load-seen", Text: "{A} calls of {B} bytes, serving {C}, keeping {D} bytes"},
}
