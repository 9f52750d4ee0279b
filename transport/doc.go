// Package transport is what nodes say to each other, without saying how it gets there:
// frames, calls and shipped files.
//
// # Frames
//
// A frame is what one node sends another in one piece: a kind, which says how to
// read it, and a payload. The network may lose, repeat, reorder and damage
// frames. The codec's promise is that a damaged one is refused: [Decode]
// returns exactly what was sealed, or an error.
//
// The layout, numbers little endian:
//
//	 0        1        2        3        4          8          12
//	+--------+--------+--------+--------+----------+----------+--------------+
//	| magic  | version| kind   | zero   | length   | checksum | payload      |
//	| u8     | u8     | u8     | u8     | u32      | u32      | length bytes |
//	+--------+--------+--------+--------+----------+----------+--------------+
//
// The fields:
//   - magic is [Magic], so that the bytes of another protocol are told apart
//     from damage and from another version;
//   - version is [Version]: a receiver refuses every version but its own;
//   - kind is the user's; it says how to read the payload;
//   - zero aligns length, and must be zero;
//   - length counts the payload only, at most [MaxPayload];
//   - checksum is CRC-32C over the 8 bytes before it and the payload. It
//     detects every single changed byte, and every change confined to 4 adjacent bytes
//     of the payload; of larger damage, one case in four billion slips through.
//
// The checksum guards against accidents. Against an adversary the connection
// underneath must be authenticated.
//
// # Calls
//
// An [RPC] asks peers and answers them: many calls at once, with deadlines and
// cancellation. A request is sent until it is answered, and handled at most once, through
// repetitions by the network and restarts of either side. A caller learns one of three
// outcomes, and a refusal is for certain. See rpc_wire.go for the messages and rpc_call.go
// and rpc_serve.go for the two sides.
//
// # The shipping lane
//
// A [Shipper] offers objects, files or bytes in memory, by their [Digest], and fetches those of
// peers in chunks, from several sources at once. A fetched file appears under its name
// complete and durable, or not at all; what is on disk is not sent again after a cut or
// a restart. How a receiver gets to know a digest is not its business: an RPC may
// tell it. See ship_wire.go, ship_serve.go for sources, ship_fetch.go and ship_ask.go for
// receivers, and ship_store.go and ship_files.go for what is done on disk, in which order.
//
// Both are state machines: time comes as an argument, what is to be done goes out by Take, in
// a struct of obligations, and a driver carries it out. Whatever a peer sends, what it
// makes a node hold or do is bounded by the limits of its configuration.
//
// The package is pure: it imports nothing that knows a socket, a clock or a thread.
package transport
