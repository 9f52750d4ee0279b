// Package faults describes, decides and accounts for what goes wrong in a world.
//
//	Spec    what somebody typed: io=0.15,crash=leader          spec.go, parse.go
//	Sites   named choices: every draw of a world               sites.go
//	Ledger  whether an act leaves a correct cluster a chance   ledger.go
//	Counts  what fired, and what was asked for and never did   kind.go
//
// The package decides nothing by itself and holds no clock: a world draws from
// sites, proposes acts to the ledger and carries out what it grants. It
// uses integers only, imports package runtime alone of this module, and
// never a file, a thread or a random source of the standard library.
//
// # The contract
//
// These are the faults that a correct cluster of N voters must survive. Q
// is its quorum, N/2+1. A fault that no cluster could survive proves nothing, so
// no world injects one; whatever is injected excuses nothing.
//
// A claim is what a node says about its own disk: these bytes are synced. An
// entry is acknowledged after Q nodes made that claim for it, so every
// quorum, having a node in common with those Q, holds a copy of it as long as
// no claimed byte is lost. That is the balance the ledger keeps: Q copies
// at least, N-Q+1 needed. No kind of fault below takes a claimed byte:
//
//   - io: a file call fails. A failed write leaves its own range unknown, and no
//     claim covers a range whose write has not succeeded and been synced. A
//     failed read gives none of its bytes or some of them; a failed rename, create or
//     remove changes nothing. The failure is transient: the same call made again draws again.
//   - sync: a sync fails, and what it should have made durable may be gone,
//     though reads may still show it. No claim was made, since the sync that
//     it needs failed. Bytes of earlier successful syncs stay.
//   - after: what a failed sync leaves, one of four: reads show the new bytes or the
//     old ones, and the next sync of that handle alone succeeds, or every other handle
//     open then hears of the failure once. Either way the pages count as clean.
//     It takes nothing that sync does not take.
//   - close: a Close, a Lock or the release of one fails. It makes nothing durable and
//     takes nothing: what was to be released is released.
//   - space: a call that needs room fails, in the middle of its bytes if it writes, at boot
//     as at any other time. It writes nothing elsewhere and takes nothing. Room comes
//     back, in the core at the heal at the latest; nodes may stand still until then.
//   - slow, stall: file calls take longer, or none takes effect for a while. Nothing is
//     lost; a disk that is slow must not become a wrong answer.
//   - dead: for a while every call of a disk fails, syncs and releases included, as if
//     its cable were out; or all that change something, or all that read. It takes what
//     failed syncs and writes take, and comes back.
//   - kill: the process dies; the page cache, and so every write, stays.
//   - power-loss: memory and page cache are gone. Of what was not synced, bytes
//     and names, any part may survive, in any order.
//   - torn: of a sector that was not synced, part of the new bytes survives, or
//     garbage takes their place. Bytes of the sector older than its last
//     sync stay (powersafe overwrite).
//   - fs: what of the unsynced bytes, sizes and names survives a loss of power is
//     narrowed to what that file system leaves. Less than anything is left to chance,
//     never more, and a claim is what runtime.FS promises: no profile takes one.
//     A node must not need what only a profile promises; without the dial nothing is.
//   - drop, dup, corrupt, delay, clog, partition: frames are lost, repeated, damaged,
//     late, out of order. A frame is never a claim's only copy. A damaged one
//     is refused by its checksum.
//   - pause: a process stands still while time goes on: what comes meanwhile, frames, calls,
//     alarms and the ends of file calls, it meets afterwards, all at once. Nothing is lost.
//   - lag: a job waits before it begins, as on a machine with too few processors. Jobs of
//     one lane keep their order; nothing is lost.
//
// From this follows what is demanded:
//
//   - Safety, always, whatever was injected, and however many nodes
//     were down at once: losing power everywhere at the same instant is legal.
//
//   - Liveness, after the faults end: a core of any Q nodes, healed, must make
//     progress and converge, while the rest stays as broken as it is for good,
//     and hears none of the core or is heard by none of it. A node outside
//     that exchanged frames with a part of the core could lead that part
//     and starve the other for ever: Raft does not relay, so nothing is owed then.
//
//   - Progress while faults go on is measured, not demanded. So that there is some
//     to measure, crash=any and crash=leader leave a quorum running; majority and
//     all say in so many words that they do not.
//
//   - rot, latent, phantom, misdirect: bytes that a claim covers change, become
//     unreadable, are as if never written, or are those of another write, until they are
//     written anew; every read of them is wrong in the same way. The ledger grants
//     these on N-Q disks at most. A node that finds such damage must refuse to go on; as
//     no node is given back by its peers what it lost, it counts as
//     lost for good, with all its copies. Of Q copies Q-(N-Q) >= 1 are left, the
//     nodes without damage are a quorum, and the core is drawn from them.
//     The newest claims of a log are spared: damage there looks like a write that
//     was under way when power was lost, and only peers could tell. A node that held
//     its last entries and its vote for suspect until it has asked them would survive
//     that too; ours does not ask (budget=tail shows what comes of it).
//
//   - stale, astray: a read shows, in place of claimed bytes, older ones or those of
//     another place; the next is right. A node may end over it and boot again.
//     The newest claims are spared here, too.
//
//   - wipe: a disk is lost whole. The ledger grants N-Q, the damaged ones included,
//     and the node stays down: on an empty disk it would vote and acknowledge anew
//     what it had promised otherwise, and there is no way yet to put a new member in its place.
//
// All of these are within the budget. Over the budget are faults that take
// claimed bytes from more disks than the balance allows; then safety must hold all the
// same: refuse or report the loss, never answer wrongly. No progress is demanded then
// (Spec.OverBudget). These are over it:
//
//   - fs=liar: a sync does nothing, so every claim is false, on every disk. No node can
//     know; no cluster can survive the loss of power that follows. It is there to show
//     that the oracles see it.
//   - budget=over: the ledger grants damage on every disk. Each node must refuse to go on
//     rather than serve what it cannot prove; nothing else is demanded. With wipe, and
//     with restore, which sets a disk back to an earlier image, and with swap, which gives
//     two machines each other's disks, a node boots and
//     does not know what it had promised: that goes wrong, and the oracles must see it.
//   - psow=0: noise in a torn sector takes the place of older bytes, too. A log that puts the
//     next group behind the last one in the same sector loses what it acknowledged.
//   - budget=tail: the newest claims of logs are damaged, too, as said above.
//
// A node without claims, which has nothing to lose, must get over any of these unharmed. Bugs that only
// they bring out are planted in such a node (cmd/simrun/mutants, rpc-boots-*); that the
// oracles see what they do to logs is tested in package scenarios.
package faults
