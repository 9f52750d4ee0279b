// Package group shares one log among goroutines.
//
// A [walrus.Log] belongs to one loop and never blocks. Programs made of goroutines want the
// opposite: to call, and to come back when it is durable. [Log] is that, with the same
// records, files and promises; [Log.Append] returns when the batch is on the disk.
//
// # What a flush is shared for
//
// A sync takes as long for sixty batches as for one, and the device does one at a time. So
// batches that arrive while a sync is under way are collected, and go together with the next:
//
//	caller A  ──stage──lead: write, sync ───────────┐ returns
//	caller B        ──stage──wait ··················│·lead: write, sync ──────────┐ returns
//	caller C             ──stage──wait ·············│·····························┘ returns
//	                   round 1 in flight            │ round 2 in flight
//	                   round 2 collects             │ round 3 collects
//
// A round is a group with the callers who own a batch in it (commit.go). At most two are
// not settled, one that collects and one in flight, so that two fixed structs hold all the state,
// and an append allocates nothing.
//
// # Who flushes
//
// There is no thread for it. The caller who finds nobody at it leads: it closes the round,
// writes and syncs on its own stack, and tells the others. Alone, a caller pays for no switch between
// threads, which would cost a good part of what a sync does. When the leader is done and more has
// been staged, one of its owners is woken to lead next; so nobody does the work of others for
// longer than one flush. If the owners are all tickets ([Log.Submit]), which wait
// nowhere, a goroutine is started for one round.
//
// Waiters wait for their round, not for the lock: each is woken once, with the outcome, by a
// token in a channel of its own. Before a leader closes a round it looks whether the round has
// as many owners as are expected (crowd.go): those of the last round, who were woken a moment ago
// and are about to come back, and those who waited for it to end. If not, the leader yields until they are
// there, or it has yielded in vain so often that they will not come soon. Without that, sixteen writers
// settle into two parts that take turns, at half the throughput. A
// caller who is alone yields once in many rounds, and nothing waits for a timer.
//
// # What fails, and how
//
// The first failed flush is final. A failed sync says nothing about what reached the disk, and
// the next one would succeed without writing it. So it is never repeated: all owners of the
// group get the error, those who were collected behind it, those who waited for room, and
// everybody who comes later ([walrus.ErrFailed]). The outcome of the group that
// failed is unknown, until [Open] finds out in the next life. What was durable before
// can still be read.
//
// With walrus.Options.Reopen a failed flush is not the end: the group is written once more, into a new segment, and
// synced there, before anybody is told anything. The file whose sync failed is not
// written to again. Only if that fails, too, the log has failed.
//
// A full device fails nothing. It is met when the next segment is prepared, and entries are refused
// with [walrus.ErrNoSpace] from then on, until a chore finds space. A group that is larger than what was
// prepared meets it when what it lacks is reserved, before a byte of it is written: then its
// owners are refused, and those who were collected behind it, whose batches follow its.
// Nothing of that has happened, or will, so who was refused may do something else. The next group
// goes where that one was to go.
//
// What is left is a file system that gives room and has none when it is used: one that copies on
// write, or a thin volume. The write that fails then may have left a part of the group, so
// that "it has not happened" would be a lie: it could be whole after all, if an earlier attempt had got
// further, and to undo it takes a write on the same full device. To hold the group back and write
// it again later would be safe, but then its owners hang until somebody frees space, and
// there is no clock here to ask again by. So the rule for writes applies: a bounded
// number of attempts over the same bytes, and then it is a failed flush, with an unknown outcome.
//
// # Room
//
// A group takes batches up to a limit (room.go). Who comes when it is full stands in a queue until the
// group is cut. This bounds memory, and is all the back pressure there is: a caller is
// slowed down to what the disk does.
//
// # Chores
//
// Segments are prepared and removed by a goroutine that exists only while something is due
// (chore.go). It runs beside the flushes, not between them: zeroing a part of a segment takes as
// long as dozens of syncs, which the appends behind it would wait for. They touch different files
// and the log takes over what the chore has done under the lock. A chore that fails is
// tried again after some flushes.
//
// # Readers
//
// [Log.Read], [Log.Entries] and [Log.Scan] look up under the lock where entries lie and pin the
// segments, then read without it, on the caller's own stack, so that readers and writers meet for a
// moment only. Truncation goes on meanwhile; a pinned segment is removed when its last reader is gone.
// Readers' open files and memory are kept for the next reads (reader.go).
//
// # Consumers
//
// A service that uses topics as queues has three ways to read one: [Log.Entries] from any index on,
// which keeps no state; [Log.Tail], which goes on when it has reached the end and waits there; and a
// [Consumer], which has a name and remembers how far it has come:
//
//	entries    |1|2|3|4|5|6|7|8|          8 is the last that is durable
//	                ^     ^   ^
//	           cursor     |   the end: Next waits here
//	                      what Next delivers next
//
// The cursor moves when entries are acknowledged, not when they are delivered, and it is durable: after
// a crash all comes again from there on, at least once. It is a stable key of the log
// (cursor.go). So an acknowledgement can ride in the batch that has the results of the work, for
// no sync of its own, and then work and acknowledgement cannot part: what is made of an
// entry is in the log exactly once. [Log.Trim] drops what all consumers of a topic are done with.
//
// Who waits for something new waits for a channel that is closed after every flush.
//
// The package knows threads and a source of randomness, but no clock and no file: it
// works on any [runtime.FS]. It imports runtime and walrus.
package group
