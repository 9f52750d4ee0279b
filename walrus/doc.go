// Package walrus is the write-ahead log: it stores records so that an
// acknowledged one survives, and shows nothing else after a crash.
//
// All topics of a node and its stable keys share one sequence of records, so any set
// of changes can be atomic and one data sync covers them all. A [Batch] is such a
// set. Batches are staged into a group; a group is written with one write and
// made durable with one sync; then it is published, and what it holds may be acknowledged.
//
// # Guarantees
//
//   - A batch becomes visible whole or not at all, in the order staged. It is
//     visible after Publish, which follows a Flush that returned nil, and from then on
//     survives every crash.
//   - After a crash Open shows exactly what was published, and possibly the one group
//     that was in flight, whole. What it shows is durable before it is shown.
//   - What was truncated does not come back.
//   - Damage to durable bytes is an error that names the place, never a shorter log.
//   - A failed sync is final for its file. Nothing is retried after it; the log takes nothing
//     more, unless it is reopened in another file.
//
// A [Log] belongs to its node's loop: index, staging and pins need no lock. File work is
// in [Open], [Flush], [ReadExtents] and the jobs of [Log.Chore], which run on lanes and touch
// only what they were given. The package is pure: it reaches files through
// runtime.FS alone, knows no clock and draws nothing; the salts derive from Options.Seed.
//
// # On disk
//
// A folder of segment files wal-<sequence number, 16 hex digits>.seg. Little endian, parts
// aligned to 8 bytes, what is reserved is zero.
//
//	segment   0 |header, copy A          |  4 KiB each, equal: one bad sector leaves
//	       4096 |header, copy B          |  the other
//	       8192 |group|group|...|zeros...|  zeros up to the size it was made with
//
//	header    0 |magic  4|version 2|flags 2|log id                        16|
//	         24 |sequence number          8|salt                           8|
//	         40 |base LSN                 8|seq of the segment before      8|
//	         56 |LSN where that one ends  8|group CRC there 4|topic count  4|
//	         72 |size the file is made with 8|
//	         80 |per topic, ascending: topic 2|mirror of 2|0 4|first 8|next 8|last term 8|
//	       4084 |offset of the seal of the segment before, zero: at its end 8|
//	       4092 |CRC                      4|
//
//	group     0 |magic  4|records  4|LSN                          8|
//	         16 |durable LSN       8|body bytes 4|CRC of the group before 4|
//	         32 |flags  4|CRC      4|
//	         40 |record|record|...                         (body bytes)
//	            |magic  4|records  4|end LSN   8|group CRC 4|CRC 4|   trailer: the commit marker
//
//	record    0 |length 4|topic 2|kind 1|flags 1|index            8|
//	         16 |term   8|payload CRC 4|CRC            4|
//	         32 |payload, zeros up to a multiple of 8|
//
// An LSN is a position in the whole log: that of byte 8192 of a segment is its base.
// The records of a group are those of its batches in order, then the links, and in the
// first group of a segment the stable keys that the group does not set itself, and the
// transactions in doubt that it does not decide.
//
//	kind            topic  index     term   payload
//	entry      1    t      its own   its    the entry; flags are the caller's
//	link       2    t      of main   of main  none; length: distance of the main record from
//	                                          the group's start, payload CRC: that of main
//	set        3    0      the key   0      the value
//	truncate   5,6  t      from/first 0     none; 5 drops the entries from index on, 6 those before
//	rebase     7    t      next      0      none; drops all entries
//	seal       8    0      0         0      the journal of its segment
//	prepare    9    0      its number 0     the changes of a transaction, see prepared
//	commit     10   0      its number 0     none; its changes follow as records of their own
//	abort      11   0      its number 0     none
//	copy       12   t      of an     of the the entry again: it has its place here from now on
//	                       entry     entry
//
// Behind the last group of a finished segment lies its seal, a group with a flag of its own
// and that end as its LSN: a journal of what the records of the segment did to
// the topics, without the payloads; see journal. The seal that a close writes holds the
// stable keys and the transactions in doubt too.
//
// Version 1 had no seals, no transactions and no copies. Its logs are read.
//
// # Why the format is so
//
//   - The trailer is believed only if every byte before it in the group is there: it
//     carries a CRC over all record headers, and these carry the CRCs of their payloads. So a
//     group needs no order among its sectors, and main topic, recovery topic and commit
//     marker, a two-phase commit, cost one sync: any subset of sectors that a power
//     loss leaves hides the group as a whole. The CRC leaves out the headers' own
//     checksums, because a CRC over a message and its CRC is a constant.
//   - Every CRC is a CRC32C that starts from the segment's salt, drawn anew for each segment
//     and life, and that of a payload also from topic and index; a group says its LSN. So bytes
//     of an older life or another place do not verify.
//   - Headers have a CRC of their own, checked before any length in them is used.
//   - Each group says below which LSN the log was durable when it was written. One
//     group is in flight at a time, so that is its own LSN. It tells damage from tears:
//     a tear can only be in the last write.
//   - Each segment header pins the end of the segment before, and the chain of group
//     CRCs goes through it. What lies behind the pinned end is not part of the log; so a cut needs
//     no write in place, and an interrupted one is no danger.
//   - Each segment header holds the bounds of all topics, and each first group the stable
//     keys and the transactions in doubt: recovery can begin at any segment, and old ones go when no entry is left
//     in them. LSNs are not used twice: a recovery goes on with a gap.
//   - The header travels with the first group, in one write. A segment whose first group does not
//     verify was not in use yet. So a rotation costs no sync and no change of the folder.
//   - A segment is put to use only when the file of the next one exists durably, and there
//     are never more than two ahead. So a newest segment that was lost leaves a gap that shows.
//
// # Transactions
//
// A batch is atomic by itself. One that takes part in a decision which others make
// is prepared first: its changes are durable then and visible to nobody. Commit or abort rides in any
// later batch, so both phases share their syncs with everybody else. Committing
// writes the changes again, as ordinary records: so nothing else in the log depends on a transaction, and
// one in doubt pins no segment. What is prepared and not decided is told by Report.InDoubt
// and Log.Prepared; nobody but the caller knows how to decide it.
//
// # Files
//
// A segment is made of zeros under another name and then renamed, by chores that do
// a bounded part each: later writes change neither size nor extents of the file, and no
// space runs out under a commit. If the sync of its name
// fails, another file is renamed over it, see making.step. If no chore has made a
// successor in time, a segment grows. What Open makes is short, so as not to take long.
//
// An entry may be given another place by a copy, which is no change of its topic: small topics are copied
// forward when they alone keep the oldest of many segments, and an entry that cannot be read
// is repaired by one, with a payload that a peer has. Options.Retain drops entries.
//
// A segment is removed when it is the oldest, a later one holds a durable group, no topic
// has an entry in it and no reader pins it. The folder is not synced for that:
// a file that comes back is recognised, see removeOldest. One such segment is kept for the next
// spare, which then needs no space: it loses its name, durably, and then its
// bytes. So what is behind the end of the log is always zeros.
//
// A full device is met when a spare is made. The log then goes on to the end of its last
// segment, refuses entries with ErrNoSpace, and still takes what makes room. What a group needs
// beyond what was prepared of its file is reserved before a byte of it is written: who finds no space then
// can repeat the flush, or take the group back by Log.Withdraw. A write that meets a full device all
// the same, on a file system that needs new blocks for old bytes, can only be repeated: a part of it may be
// there, and to undo it would take a write as well. Nobody has been told of the group.
//
// After a sync that failed nothing is written to that file again. The log is left to the next
// life; or, by Log.Reopen, the group in flight is written again at once, into a segment made as
// a recovery makes one.
//
// Write attempts are bounded at 8, as are those of every call that promises nothing
// about durability, all in retry. A failed write is repeated over the same bytes, which
// nobody has been told of. Sync, SyncData and SyncDir have one attempt.
//
// # Recovery
//
// Open reads the headers of all segments. Of a finished segment it then reads the seal, and
// verifies its checksums, that it stands for the end which the next header pins, and
// that the bounds which come out are those in that header. If there is no such seal,
// or Options.VerifyOnOpen is set, it reads the segment and verifies every checksum. An entry is verified
// whenever it is read; Verify and Log.Scrub verify all of them. The last segment is read whole, unless
// a mark in the folder leads to a seal that a close has left.
// The mark is removed, durably, before the log goes on.
//
// Before the first read of a file Open
// drops the file's cache, so that what it verifies is what the device holds. In the last segment
// the log ends at X, where no valid group is found. What follows decides:
//
//	what follows X                                           verdict
//	zeros only                                               clean
//	a later group, or a header, that says X was durable      corrupt
//	a later group farther away than one write reaches        corrupt
//	a seal, which is written when a later segment is in use  corrupt
//	a seal that a close has left, not whole                  torn
//	a later group that says no such thing                    torn
//	checksums that hold, of a group that does not belong     corrupt
//	one flipped bit explains it, where a byte was written    corrupt
//	one flipped bit explains it, where the byte is zero      uncertain
//	a sector of the group is zero where none of its records  torn
//	verifies, or the file ends in it
//	anything else                                            uncertain
//
// Torn and uncertain bytes are left out, and stay in their file. The [Report] says so. Uncertain
// is what one disk cannot decide: the last group, damaged in several places, with
// nothing written later. If the disk does not rot it was torn, and never acknowledged. With
// Options.RefuseUncertain Open leaves that to the caller.
// On corrupt, Open fails and has changed nothing. With Options.Holes it goes on if all that is
// damaged are payloads of entries: then it is known what is lost, and the report names it.
// Where a record's own header is damaged nobody knows what it was; it may have
// truncated a topic, so that what lies before it cannot be shown.
//
// The last group may be there only in the page cache, or its sync may have failed: nothing
// durable vouches for it. So it is written again before it is shown. Recovery builds one
// new segment whose first group repeats it (and the stable keys), under another
// name; syncs it; renames it; and syncs the folder. The new segment follows the last one and
// pins its end before that group; or, if that group is the first of its segment, so that not even the header
// is certain, it takes that segment's place. A crash before the rename is durable
// leaves the old state, one after it the new, and both say the same; so recovering twice, or
// again after a crash anywhere in it, is recovering once. Old bytes are never written to.
package walrus
