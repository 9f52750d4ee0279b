package member

import "github.com/octopii-go/octopii/runtime"

// The events that a Node adds to those of its parts.
const (
	// LeaderChanged: as far as the node knows A leads term B; zero: nobody.
	LeaderChanged runtime.EventKind = 0xfd0876c3
	// CallForwarded: call A was sent to node B, which leads.
	CallForwarded runtime.EventKind = 0x15ec95e2
	// CallParked: call A waits for somebody to lead.
	CallParked runtime.EventKind = 0xc677d497
	// ForwardServed: node B has sent a call, which is A for the engine.
	ForwardServed runtime.EventKind = 0x18b4fb0a
	// StrangerIgnored: a frame of B bytes came from A, which is no peer.
	StrangerIgnored runtime.EventKind = 0xc1f66b52
)

// Events describes the events of this package.
var Events = []runtime.EventInfo{
	{Kind: LeaderChanged, Name: "member.leader-changed", Text: "{A:n} in term {B}"},
	{Kind: CallForwarded, Name: "member.call-forwarded", Text: "{A} to {B:n}"},
	{Kind: CallParked, Name: "member.call-parked", Text: "{A}"},
	{Kind: ForwardServed, Name: "member.forward-served", Text: "{A} of {B:n}"},
	{Kind: StrangerIgnored, Name: "member.stranger-ignored", Text: "from {A}, {B} bytes"},
}
