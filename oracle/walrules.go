package oracle

// The rules that WalSuite judges by.
const (
	walMalformed = iota
	walLost
	walReturned
	walPhantom
	walUnstable
	walPartial
	walBounds
	walMirror
	walClaim
	walWrongRead
	walWrongRange
	walFileGone
	walWrongValue
	walUndecided
	walHalf
	walInDoubt
	walRetention
	walHole
	walRefusal
	walRefusedStaged
	walEarly
	walWrongAnswer
	walStuck
	walPanic
	walNothing
	walRuleCount
)

// walRules is read-only.
var walRules = [walRuleCount]Rule{
	walMalformed:     {"wal", "malformed", "X3", Safety, "records make sense: a group is cut before it is published, calls were made"},
	walLost:          {"wal", "lost", "D1", Safety, "what was acknowledged comes back, unless the report names it as damaged"},
	walReturned:      {"wal", "returned", "D2", Safety, "what was truncated does not come back"},
	walPhantom:       {"wal", "phantom", "D2", Safety, "what comes back was written, there and with those bytes"},
	walUnstable:      {"wal", "unstable", "D2", Safety, "what a recovery has left out, or was never written, does not come back later"},
	walPartial:       {"wal", "partial", "D2", Safety, "a group comes back whole or not at all"},
	walBounds:        {"wal", "bounds", "L2", Safety, "topics begin and end where their changes say"},
	walMirror:        {"wal", "mirror", "W2", Safety, "a recovery topic repeats its main topic, in memory and in the files"},
	walClaim:         {"wal", "claim", "C7", Safety, "a record said to be durable is, byte for byte"},
	walWrongRead:     {"wal", "wrong-read", "L1", Safety, "an entry is read as it was written, none is left out"},
	walWrongRange:    {"wal", "wrong-range", "L1", Safety, "entries can be located exactly as long as the topic holds them"},
	walFileGone:      {"wal", "file-gone", "S4", Safety, "the file of entries that were located is there until they are released"},
	walWrongValue:    {"wal", "wrong-value", "L1", Safety, "a key has the value that was published last"},
	walUndecided:     {"wal", "undecided", "D2", Safety, "what was prepared and not committed is not shown"},
	walHalf:          {"wal", "half-decided", "D2", Safety, "a transaction is committed whole, at once, or not at all"},
	walInDoubt:       {"wal", "in-doubt", "D1", Safety, "in doubt is what was prepared and not decided, with all of its changes"},
	walRetention:     {"wal", "retention", "S4", Safety, "of a topic that keeps so much the oldest entries go when that is due, and no others"},
	walHole:          {"wal", "hole", "D1", Safety, "what lies intact on the disk, be it written again in a hole's place, can be read"},
	walRefusal:       {"wal", "refusal", "V5", Safety, "a batch within the limits is not refused"},
	walRefusedStaged: {"wal", "refused-staged", "K3", Safety, "what a client was told is refused was never staged"},
	walEarly:         {"wal", "acked-early", "K4", Safety, "a client is told done when all of its batches are durable"},
	walWrongAnswer:   {"wal", "wrong-answer", "K1", Safety, "a client is told the indexes that its entries got, and what its read has found"},
	walStuck:         {"wal", "stuck", "V1", Liveness, "after the heal logs open, and write what they are given"},
	walPanic:         {"wal", "panic", "X3", Panic, "no node panics"},
	walNothing:       {"wal", "nothing-seen", "V0", Vacuous, "groups were published, entries were read and, if there were crashes, came back"},
}

// WalRules returns the rules that WalSuite judges by.
func WalRules() []Rule { return append([]Rule(nil), walRules[:]...) }
