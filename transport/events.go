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
	// OfferDamaged: the own copy of chunk B of object C, which peer A asks for, is not what was offered.
	OfferDamaged runtime.EventKind = 0xb03962f4
	// ChunkRefused: what peer A sent as chunk B of object C, D bytes, is not that.
	ChunkRefused runtime.EventKind = 0x24401904
	// FetchFaltered: a job of fetch A, of object C, has failed, for the B-th time.
	FetchFaltered runtime.EventKind = 0xcee0e6cc
	// FetchResumed: fetch A, of object C with D bytes, has found B bytes on disk.
	FetchResumed runtime.EventKind = 0x34b9b924

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
	// FetchBegun: the node begins fetch A, of object C with D bytes, to be the file of the note.
	FetchBegun runtime.EventKind = 0x53af91c0
	// FileShipped: fetch A has ended well: object C with D bytes is the file of the note, durably. Without a note it is in memory, and B is the hash of its bytes.
	FileShipped runtime.EventKind = 0x2ff2a20c
	// FetchEnded: fetch A, of object C, has failed with the error of the note.
	FetchEnded runtime.EventKind = 0x06340801
	// FileFound: a file of A bytes, whose hash is C, has the final name of the note when the node boots.
	FileFound runtime.EventKind = 0x6b446f07
	// FilesListed: the node has found A files under final names, and no other.
	FilesListed runtime.EventKind = 0x8f367307
	// ShipLoadSeen: the node's Shipper has A fetches, holds B bytes for them, and owes peers C chunks.
	ShipLoadSeen runtime.EventKind = 0x3166832f
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
	{Kind: OfferDamaged, Name: "transport.offer-damaged", Text: "chunk {B} of {C:x}, for {A:n}"},
	{Kind: ChunkRefused, Name: "transport.chunk-refused", Text: "chunk {B} of {C:x} from {A:n}"},
	{Kind: FetchFaltered, Name: "transport.fetch-faltered", Text: "fetch {A} of {C:x}, {B} times"},
	{Kind: FetchResumed, Name: "transport.fetch-resumed", Text: "fetch {A} of {C:x}: {B} of {D} bytes"},
	{Kind: FetchBegun, Name: "transport.fetch-begun", Text: "{note}: {C:x}, {D} bytes"},
	{Kind: FileShipped, Name: "transport.file-shipped", Text: "{note}: {C:x}, {D} bytes"},
	{Kind: FetchEnded, Name: "transport.fetch-ended", Text: "{A} of {C:x} fails: {note}"},
	{Kind: FileFound, Name: "transport.file-found", Text: "{note}: {A} bytes, hash {C:x}"},
	{Kind: FilesListed, Name: "transport.files-listed", Text: "{A}"},
	{Kind: ShipLoadSeen, Name: "transport.ship-load-seen", Text: "{A} fetches of {B} bytes, {C} chunks queued"},
}
