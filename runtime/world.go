package runtime

// The events that every world records of itself, whatever nodes it runs.
// Record.Node is the node it happened to, or zero. A client's id and the
// number of its operation are the workload's own.
const (
	// WorldBoot: the node starts for the A-th time since the world began.
	WorldBoot EventKind = 0xe95e40fb
	// WorldKill: the node's process died; the page cache lived on.
	WorldKill EventKind = 0xcbbe34b7
	// WorldPowerLoss: the node's machine lost power: unsynced bytes and names may be gone.
	WorldPowerLoss EventKind = 0xd645dd90
	// WorldHalt: the node asked to end; the note is the reason, empty after a drain.
	WorldHalt EventKind = 0x9455f654
	// WorldPanic: the node's own code panicked with the note.
	WorldPanic EventKind = 0x4fc4c82a
	// WorldPause: the node's process stands still for A ns.
	WorldPause EventKind = 0x764fd677
	// WorldHeal: faults stop for a core of A nodes for good; the other B stay as they are.
	WorldHeal EventKind = 0xcff063e5
	// WorldFault: an injected fault of the kind named by the note fired, at node A (zero: none in particular).
	WorldFault EventKind = 0x61f1cb01
	// CallStart: client B invokes its operation C as call A of node D; the note is the request.
	CallStart EventKind = 0x7456f09f
	// CallReply: client B learns the outcome C of call A; the note is the response, or the refusal. A deadline or a death counts as unknown.
	CallReply EventKind = 0x3b396ae7
)

// WorldEvents describes the events of this file.
var WorldEvents = []EventInfo{
	{Kind: WorldBoot, Name: "world.boot", Text: "boot {A}"},
	{Kind: WorldKill, Name: "world.kill", Text: ""},
	{Kind: WorldPowerLoss, Name: "world.power-loss", Text: ""},
	{Kind: WorldHalt, Name: "world.halt", Text: "{note}"},
	{Kind: WorldPanic, Name: "world.panic", Text: "{note}"},
	{Kind: WorldPause, Name: "world.pause", Text: "for {A:t}"},
	{Kind: WorldHeal, Name: "world.heal", Text: "core of {A}, {B} stay as they are"},
	{Kind: WorldFault, Name: "world.fault", Text: "{note} at {A:n}"},
	{Kind: CallStart, Name: "call.start", Text: "{A} by client {B}, op {C}, to {D:n}: {note}"},
	{Kind: CallReply, Name: "call.reply", Text: "{A} by client {B}: {C:o} {note}"},
}
