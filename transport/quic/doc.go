// Package quic moves frames between nodes over QUIC, encrypted, each side proven to the other.
//
// An [Endpoint] is a node's place in the network, on one UDP socket. Its Join is a
// [transport.Joiner]: handed to a host, it connects a node with its peers.
//
// # Who may connect
//
// Whoever has a certificate of the cluster's own authority that names him, and nobody else:
// see [Authority] for how to make them, [Identity] for what they say. Both
// sides show one, over TLS 1.3. An endpoint dials a node by its id, and refuses whoever
// answers with the certificate of another. Credentials are asked for at each handshake, so
// they can be replaced while the endpoint runs; a connection ends when
// one of the certificates with which it was made expires. A frame's sender is the node
// that the certificate of its connection names.
//
// # Connections
//
// A pair of nodes has one connection, for both directions, so that what is acknowledged one way rides along with what is sent the
// other. Either may dial: a node does when it has frames for a peer and no connection with it. What travels on one:
//   - on its first bidirectional stream, a hello of the dialer and a welcome of the other;
//   - on a unidirectional stream of each side for each channel, the channel's number in
//     one byte, and then frames, one behind the other;
//   - on further bidirectional streams of either side, the byte 1, and then what is written to a [Stream].
//
// Hello and welcome are frames of package transport, of kinds 1 and 2. The payload, numbers little endian:
//
//	 0         2        10       18            26           34
//	+---------+--------+--------+-------------+------------+---------+
//	| version | from   | to     | incarnation | connection | cluster |
//	| u16     | u64    | u64    | u64         | u64        | bytes   |
//	+---------+--------+--------+-------------+------------+---------+
//
// The fields:
//   - version is 2. The other fields may differ in other versions, this one does not;
//   - from and to are the ids of who speaks, and of whom it speaks to; the certificates must agree;
//   - incarnation grows with each boot of from;
//   - connection is, in a hello, from 1 to 2^62 and greater than in all connections with the other node that the dialer has
//     dialed in this boot or accepted; or zero, if it has accepted one meanwhile, and this one is to be closed; in a welcome zero;
//   - cluster is the cluster's name.
//
// A connection counts for the one who is dialed when he has read the hello, and for the dialer when he has read the welcome. A node
// has one with a peer that counts at a time. A newer one ends the one before, and from then on no frame of that is
// delivered; one that is older than the current is refused. Newer is the one with the greater incarnation of the peer; between
// the same two boots, the one with the greater connection; and if they are equal, the one that the node with the lower id has
// dialed. Why this is enough:
//   - Nodes that dial each other at a time come to the same connection: between two boots both order them alike, and each accepts what is
//     newer than what it has, whatever it is dialing. Nobody waits for an attempt to end which may lead nowhere, so
//     it is enough that one of the two can be dialed.
//   - A connection that is dead without looking so is in nobody's way. Who dials again knows of the number of it: either he
//     dialed or accepted it, and has a greater one now, or he is of a later boot. For the same reason an old
//     process, or a packet that was long under way, cannot take the place of a newer connection.
//
// Each side that refuses says why, in the code and the text with which it closes
// the connection, so that both have the same [HandshakeError]. That a connection of the peer came first is
// no failure, and there is no notice of it.
//
// # Frames
//
// Who sends a small frame hands it to the connection himself if that takes it at once and none is before it; the others are
// written by a goroutine for each channel.
// Delivery is best effort, as [transport.Link] has it: frames wait in a bounded queue for each peer and
// channel, and are dropped when it is full, when an attempt to connect fails, and when a
// connection breaks. On one channel of one connection they arrive in order. Channels do not wait for each
// other: each has a stream and a window of its own, a lost packet stops only the streams whose bytes
// it had, and where they compete for the line, control goes before requests, those before
// snapshots, and those before the service's files.
// Frames are not looked into: their checksum is the receiving node's to verify.
//
// # Streams
//
// For code that wants a [net.Conn] instead of frames: [Endpoint.DialStream] opens one to a node,
// [Endpoint.Streams] accepts those of all nodes. They travel on the same connection, so who is at the
// other end is proven alike, and a newer connection ends the streams of the one before. A node may have
// 16 of them open to each other node, and then waits to open one more. They are as urgent as requests.
//
// This package is the only one that knows quic-go. It knows threads, sockets and clocks; no pure
// package may import it.
package quic
