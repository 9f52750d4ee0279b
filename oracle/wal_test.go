package oracle

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/octopii-go/octopii/runtime"
)

// walTrace feeds records of a log to a suite, and is the disk that it asks.
type walTrace struct {
	*WalSuite
	step uint64
	disk map[string][]byte
	// holes are entries of the main topic that are found to be damaged.
	holes []uint64
}

// Durable implements Image.
func (t *walTrace) Durable(_ runtime.NodeID, file string, off int64, b []byte) bool {
	data, found := t.disk[file]
	if !found || off+int64(len(b)) > int64(len(data)) {
		return false
	}
	copy(b, data[off:])
	return true
}

func (t *walTrace) emit(kind runtime.EventKind, a, b, c, d uint64, note string) {
	t.step++
	t.Observe(&runtime.Record{
		At: runtime.Instant(t.step), Step: t.step, Node: 1,
		Event: runtime.Event{Kind: kind, A: a, B: b, C: c, D: d, Note: []byte(note)},
	})
}

// walPut returns an entry of n bytes for the main topic.
func walPut(seed uint64, n uint32) WalChange {
	return WalChange{Op: WalEntry, At: WalMain, Count: n, Seed: seed}
}

func walContent(c WalChange) uint64 { return newWalRecord(&c).content }

// The acts of a run.

// ask lets client 1 make call id.
func (t *walTrace) ask(id uint64, q WalRequest) {
	t.emit(runtime.CallStart, id, 1, id, 1, string(q.Append(nil)))
}

// stage makes a call with a batch, which is staged.
func (t *walTrace) stage(id uint64, batch ...WalChange) {
	t.ask(id, WalRequest{Ask: WalWrite, Batches: [][]WalChange{batch}})
	t.emit(WalStaged, id, 0, 0, 0, "")
}

func (t *walTrace) cut()     { t.emit(WalCut, 0, 0, 0, 0, "") }
func (t *walTrace) publish() { t.emit(WalPublished, 0, 0, 0, 0, "") }

// write stages, cuts and publishes a batch.
func (t *walTrace) write(id uint64, batch ...WalChange) {
	t.stage(id, batch...)
	t.cut()
	t.publish()
}

func (t *walTrace) reply(id uint64, o runtime.Outcome, indexes ...uint64) {
	var answer []byte
	for _, index := range indexes {
		answer = binary.LittleEndian.AppendUint64(answer, index)
	}
	t.emit(runtime.CallReply, id, 1, uint64(o), 0, string(answer))
}

// open says that the log holds these entries in the main topic, from first on, and the same
// in the mirror.
func (t *walTrace) open(first uint64, entries ...WalChange) {
	t.find(first, entries...)
	t.emit(WalOpened, 0, 0, 0, 0, "")
}

func (t *walTrace) find(first uint64, entries ...WalChange) {
	next, labels := first+uint64(len(entries)), uint64(0)
	for i, e := range entries {
		labels = HashWalLabel(labels, first+uint64(i), e.Term(), e.Flags())
	}
	t.emit(WalTopicFound, WalMain, first, next, labels, "")
	for i, e := range entries {
		if slices.Contains(t.holes, first+uint64(i)) {
			t.emit(WalHoleFound, WalMain, first+uint64(i), 0, 0, "")
			continue
		}
		t.emit(WalEntryFound, WalMain, first+uint64(i), walContent(e), 0, "")
	}
	t.emit(WalTopicFound, WalMirror, first, next, labels, "")
	t.others()
}

// others says that the other topics are empty.
func (t *walTrace) others() {
	for topic := uint64(3); topic < WalTopics; topic++ {
		t.emit(WalTopicFound, topic, 1, 1, 0, "")
	}
}

// append writes an entry of n bytes to a topic, and says that this begins at first then, and where the entry lies.
func (t *walTrace) append(id uint64, topic uint16, n uint32, first uint64, segment int) {
	c := WalChange{Op: WalEntry, At: topic, Count: n, Seed: id}
	t.write(id, c, walValue(id))
	t.emit(WalBounds, uint64(topic), first, id+1, 0, "")
	file := fmt.Sprintf("log/wal-%016x.seg", segment)
	t.disk[file] = c.Payload()
	t.emit(WalPlaced, uint64(topic), id, 0, uint64(n), file)
}

// writeTwo writes two entries, of which the second lies in 20 bytes of a file, and crashes.
func (t *walTrace) writeTwo() {
	t.write(1, walA)
	t.read(9, 1, walContent(walA))
	t.write(2, walB)
	t.disk["f"] = walB.Payload()
	t.emit(WalPlaced, WalMain, 2, 0, 20, "f")
	t.crash()
}

func (t *walTrace) crash() { t.emit(runtime.WorldPowerLoss, 0, 0, 0, 0, "") }

// read lets call id read entry index of the main topic, as content.
func (t *walTrace) read(id, index, content uint64) {
	t.ask(id, WalRequest{Ask: WalRead, At: WalMain})
	t.emit(WalLocated, id, WalMain, index, index+1, "")
	t.emit(WalEntryRead, id, WalMain, index, content, "")
	t.emit(WalReadEnded, id, 0, 0, 0, "")
}

var (
	walA, walB, walC = walPut(1, 9), walPut(2, 20), walPut(3, 30)
	walDrop          = WalChange{Op: WalDropBack, At: WalMain, Count: 1}
)

// walDecide begins a batch about transaction 1.
func walDecide(seed uint64) WalChange { return WalChange{Op: WalTx, At: 1, Seed: seed} }

func walValue(seed uint64) WalChange { return WalChange{Op: WalSet, At: 1, Count: 8, Seed: seed} }

var walCases = []struct {
	name, want string
	run        func(t *walTrace)
}{
	{"a crash, and all is there", "", func(t *walTrace) {
		t.write(1, walA, walB)
		t.disk["f"] = slices.Concat([]byte("head"), walA.Payload(), walB.Payload())
		t.emit(WalPlaced, WalMain, 1, 4, 9, "f")
		t.emit(WalPlaced, WalMain, 2, 13, 20, "f")
		t.emit(WalBounds, WalMain, 1, 3, 0, "")
		t.reply(1, runtime.Done, 1, 2)
		t.read(2, 2, walContent(walB))
		t.crash()
		t.open(1, walA, walB)
	}},
	{"the group on its way is there", "", func(t *walTrace) {
		t.write(1, walA)
		t.read(9, 1, walContent(walA))
		t.stage(2, walB)
		t.cut()
		t.stage(3, walC)
		t.crash()
		t.open(1, walA, walB)
		t.crash()
		t.open(1, walA, walB)
	}},
	{"or not", "", func(t *walTrace) {
		t.write(1, walA)
		t.read(9, 1, walContent(walA))
		t.stage(2, walDrop, walB)
		t.cut()
		t.crash()
		t.open(1, walA)
	}},
	{"the last group is lost and named", "", func(t *walTrace) {
		t.writeTwo()
		t.emit(WalFinding, walUncertain, 0, 20, 0, "f")
		t.open(1, walA)
	}},
	{"lost and half named", "wal/lost", func(t *walTrace) {
		t.writeTwo()
		t.emit(WalFinding, walUncertain, 0, 19, 0, "f")
		t.open(1, walA)
	}},
	{"named, and lost when it is open", "", func(t *walTrace) {
		t.writeTwo()
		t.emit(WalFinding, walUncertain, 0, 20, 0, "f")
		t.crash()
		t.open(1, walA)
	}},
	{"named, there, and lost the next time", "wal/lost", func(t *walTrace) {
		t.writeTwo()
		t.emit(WalFinding, walUncertain, 0, 20, 0, "f")
		t.open(1, walA, walB)
		t.crash()
		t.open(1, walA)
	}},
	{"lost and called torn", "wal/lost", func(t *walTrace) {
		t.writeTwo()
		t.emit(WalFinding, walTorn, 0, 20, 0, "f")
		t.open(1, walA)
	}},
	{"an older value", "wal/lost", func(t *walTrace) {
		t.write(1, walValue(1))
		t.write(2, walValue(2))
		t.crash()
		t.find(1)
		t.emit(WalValueFound, 1, walContent(walValue(1)), 0, 0, "")
		t.emit(WalOpened, 0, 0, 0, 0, "")
	}},
	{"no value", "wal/lost", func(t *walTrace) { t.write(1, walValue(1)); t.crash(); t.open(1) }},
	{"truncated and back", "wal/returned", func(t *walTrace) {
		t.write(1, walA, walB)
		t.write(2, walDrop)
		t.crash()
		t.open(1, walA, walB)
	}},
	{"other bytes", "wal/phantom", func(t *walTrace) { t.write(1, walA); t.crash(); t.open(1, walB) }},
	{"in another place", "wal/phantom", func(t *walTrace) { t.write(1, walA, walB); t.crash(); t.open(1, walB, walA) }},
	{"other terms", "wal/phantom", func(t *walTrace) {
		t.write(1, walA)
		t.crash()
		for topic := uint64(1); topic < WalTopics; topic++ {
			next := uint64(1)
			if topic <= WalMirror {
				next = 2
			}
			t.emit(WalTopicFound, topic, 1, next, 7, "")
			if topic == WalMain {
				t.emit(WalEntryFound, topic, 1, walContent(walA), 0, "")
			}
		}
		t.emit(WalOpened, 0, 0, 0, 0, "")
	}},
	{"left out and back", "wal/unstable", func(t *walTrace) {
		t.write(1, walA)
		t.stage(2, walB)
		t.cut()
		t.crash()
		t.open(1, walA)
		t.crash()
		t.open(1, walA, walB)
	}},
	{"never cut", "wal/unstable", func(t *walTrace) { t.stage(1, walA); t.crash(); t.open(1, walA) }},
	{"half a group", "wal/partial", func(t *walTrace) { t.stage(1, walA, walB); t.cut(); t.crash(); t.open(1, walA) }},
	{"begins elsewhere", "wal/bounds", func(t *walTrace) { t.write(1, walA, walDrop); t.crash(); t.open(7) }},
	{"wrong bounds", "wal/bounds", func(t *walTrace) { t.write(1, walA); t.emit(WalBounds, WalMain, 1, 3, 0, "") }},
	{"the mirror is behind", "wal/mirror", func(t *walTrace) { t.write(1, walA); t.emit(WalBounds, WalMirror, 1, 1, 0, "") }},
	{"the mirror is found behind", "wal/mirror", func(t *walTrace) {
		t.crash()
		t.emit(WalTopicFound, WalMain, 1, 1, 0, "")
		t.emit(WalTopicFound, WalMirror, 2, 2, 0, "")
		t.others()
		t.emit(WalOpened, 0, 0, 0, 0, "")
	}},
	{"links are missing", "wal/mirror", func(t *walTrace) { t.emit(WalInspected, 2, 1, 2, 0, "") }},
	{"not durable", "wal/claim", func(t *walTrace) { t.write(1, walA); t.emit(WalPlaced, WalMain, 1, 0, 9, "f") }},
	{"durable with other bytes", "wal/claim", func(t *walTrace) {
		t.write(1, walA)
		t.disk["f"] = make([]byte, 9)
		t.emit(WalPlaced, WalMain, 1, 0, 9, "f")
	}},
	{"a dropped entry placed again, after a recovery that vouched for it was lost", "", func(t *walTrace) {
		t.write(1, walB, walA, walDrop)
		t.read(9, 1, walContent(walB))
		t.disk["f"] = walA.Payload()
		for again := range uint64(2) {
			t.crash()
			t.find(1, walB)
			t.emit(WalOpened, 0, 0, again, 0, "")
		}
		t.emit(WalPlaced, WalMain, 2, 0, 9, "f")
	}},
	{"a group placed again that drops what it brings", "", func(t *walTrace) {
		t.write(1, walB)
		t.read(9, 1, walContent(walB))
		t.stage(2, walA, walDrop)
		t.cut()
		t.disk["f"] = walA.Payload()
		t.crash()
		t.find(1, walB)
		t.emit(WalOpened, 0, 0, 1, 0, "")
		t.emit(WalPlaced, WalMain, 2, 0, 9, "f")
	}},
	{"placed and not there", "wal/claim", func(t *walTrace) { t.emit(WalPlaced, WalMain, 1, 0, 9, "f") }},
	{"the neighbour is read", "wal/wrong-read", func(t *walTrace) { t.write(1, walA, walB); t.read(2, 1, walContent(walB)) }},
	{"a read stops early", "wal/wrong-read", func(t *walTrace) {
		t.write(1, walA)
		t.ask(2, WalRequest{Ask: WalRead, At: WalMain})
		t.emit(WalLocated, 2, WalMain, 1, 2, "")
		t.emit(WalReadEnded, 2, 0, 0, 0, "")
	}},
	{"what is not there is located", "wal/wrong-range", func(t *walTrace) { t.read(2, 1, 0) }},
	{"what is there is not", "wal/wrong-range", func(t *walTrace) {
		t.write(1, walA)
		t.ask(2, WalRequest{Ask: WalRead, At: WalMain})
		t.emit(WalLocated, 2, WalMain, 1, 2, WalCompacted)
	}},
	{"its file is gone", "wal/file-gone", func(t *walTrace) {
		t.write(1, walA)
		t.ask(2, WalRequest{Ask: WalRead, At: WalMain})
		t.emit(WalLocated, 2, WalMain, 1, 2, "")
		t.emit(WalReadEnded, 2, 1, 0, 0, "no such file")
	}},
	{"another value", "wal/wrong-value", func(t *walTrace) { t.write(1, walValue(1)); t.emit(WalValueRead, 2, 1, 1, 5, "") }},
	{"no value is read", "wal/wrong-value", func(t *walTrace) { t.write(1, walValue(1)); t.emit(WalValueRead, 2, 1, 0, 0, "") }},
	{"refused for nothing", "wal/refusal", func(t *walTrace) {
		t.ask(1, WalRequest{Ask: WalWrite, Batches: [][]WalChange{{walA}}})
		t.emit(WalRefused, 1, 0, 0, 0, "no")
	}},
	{"refused for want of room where there is room", "wal/refusal", func(t *walTrace) {
		t.ask(1, WalRequest{Ask: WalWrite, Batches: [][]WalChange{{walA}}})
		t.emit(WalRefused, 1, 0, 1, 0, "no")
	}},
	{"refused for want of room", "", func(t *walTrace) {
		t.cfg.MayFill = true
		t.write(7, walA)
		t.read(8, 1, walContent(walA))
		t.ask(1, WalRequest{Ask: WalWrite, Batches: [][]WalChange{{walA}}})
		t.emit(WalRefused, 1, 0, 1, 0, "no")
		t.reply(1, runtime.Refused)
	}},
	{"prepared, and committed after a crash", "", func(t *walTrace) {
		t.write(1, walDecide(1), walA, walB)
		t.emit(WalBounds, WalMain, 1, 1, 0, "")
		t.reply(1, runtime.Done)
		t.crash()
		t.find(1)
		t.emit(WalDoubtFound, 1, newWalTx([]WalChange{walA, walB}).hash, 0, 0, "")
		t.emit(WalOpened, 0, 0, 0, 0, "")
		t.write(2, walDecide(1), walC)
		t.emit(WalBounds, WalMain, 1, 4, 0, "")
		t.reply(2, runtime.Done, 1, 2, 3)
		t.read(3, 2, walContent(walB))
		t.crash()
		t.open(1, walA, walB, walC)
	}},
	{"aborted and shown", "wal/undecided", func(t *walTrace) {
		t.write(1, walDecide(4), walB)
		t.write(2, walDecide(4))
		t.crash()
		t.open(1, walB)
	}},
	{"prepared and shown at once", "wal/undecided", func(t *walTrace) {
		t.write(1, walDecide(1), walB)
		t.emit(WalBounds, WalMain, 1, 2, 0, "")
	}},
	{"committed, and half of it is shown", "wal/half-decided", func(t *walTrace) {
		t.write(1, walDecide(1), walA, walB)
		t.write(2, walDecide(1))
		t.emit(WalBounds, WalMain, 1, 2, 0, "")
	}},
	{"half committed after a crash", "wal/half-decided", func(t *walTrace) {
		t.write(1, walDecide(1), walA, walB)
		t.stage(2, walDecide(1))
		t.cut()
		t.crash()
		t.open(1, walA)
	}},
	{"prepared and forgotten", "wal/in-doubt", func(t *walTrace) { t.write(1, walDecide(1), walA); t.crash(); t.open(1) }},
	{"prepared, and something else is in doubt", "wal/in-doubt", func(t *walTrace) {
		t.write(1, walDecide(1), walA)
		t.crash()
		t.find(1)
		t.emit(WalDoubtFound, 1, newWalTx([]WalChange{walB}).hash, 0, 0, "")
		t.emit(WalOpened, 0, 0, 0, 0, "")
	}},
	{"decided and in doubt again", "wal/in-doubt", func(t *walTrace) {
		t.write(1, walDecide(4), walA)
		t.write(2, walDecide(4))
		t.crash()
		t.find(1)
		t.emit(WalDoubtFound, 1, newWalTx([]WalChange{walA}).hash, 0, 0, "")
		t.emit(WalOpened, 0, 0, 0, 0, "")
	}},
	{"so many bytes are kept", "", func(t *walTrace) {
		for id, first := range []uint64{1, 1, 1, 2, 3, 4} {
			t.append(uint64(id+1), WalKept, 80, first, 1)
		}
		t.write(8, walA)
		t.read(9, 1, walContent(walA))
	}},
	{"one byte less is kept", "wal/retention", func(t *walTrace) {
		for id, first := range []uint64{1, 1, 2} {
			t.append(uint64(id+1), WalKept, 99-uint32(id), first, 1)
		}
	}},
	{"all is kept", "wal/retention", func(t *walTrace) {
		for id := range uint64(20) {
			t.append(id+1, WalKept, 80, 1, 1)
		}
	}},
	{"so many segments are kept", "", func(t *walTrace) {
		for id, first := range []uint64{1, 1, 1, 1, 2, 2} {
			t.append(uint64(id+1), WalRecent, 80, first, 1+(id+1)/2)
		}
		t.write(8, walA)
		t.read(9, 1, walContent(walA))
	}},
	{"one segment less is kept", "wal/retention", func(t *walTrace) {
		for id, first := range []uint64{1, 1, 2} {
			t.append(uint64(id+1), WalRecent, 80, first, 1+id)
		}
	}},
	{"all segments are kept", "wal/retention", func(t *walTrace) {
		for id := range uint64(20) {
			t.append(id+1, WalRecent, 80, 1, 1+int(id))
		}
	}},
	{"a hole, and what a peer has", "", func(t *walTrace) {
		t.write(1, walA, walB)
		t.disk["f"] = slices.Concat(walA.Payload(), walC.Payload())
		t.emit(WalPlaced, WalMain, 1, 0, 9, "f")
		t.disk["f"] = slices.Concat(walA.Payload(), walB.Payload())
		t.emit(WalPlaced, WalMain, 2, 9, 20, "f")
		t.crash()
		t.disk["f"][10]++
		t.holes = []uint64{2}
		t.open(1, walA, walB)
		t.emit(WalMended, WalMain, 2, walContent(walB), 0, "")
		t.cut()
		t.publish()
		t.disk["g"] = walB.Payload()
		t.emit(WalPlaced, WalMain, 2, 0, 20, "g")
		t.read(3, 2, walContent(walB))
		t.crash()
		t.holes = nil
		t.open(1, walA, walB)
	}},
	{"a hole where nothing is damaged", "wal/hole", func(t *walTrace) {
		t.write(1, walA)
		t.disk["f"] = walA.Payload()
		t.emit(WalPlaced, WalMain, 1, 0, 9, "f")
		t.crash()
		t.holes = []uint64{1}
		t.open(1, walA)
	}},
	{"what is intact cannot be read", "wal/hole", func(t *walTrace) {
		t.write(1, walA)
		t.disk["f"] = walA.Payload()
		t.emit(WalPlaced, WalMain, 1, 0, 9, "f")
		t.ask(2, WalRequest{Ask: WalRead, At: WalMain})
		t.emit(WalLocated, 2, WalMain, 1, 2, "")
		t.emit(WalReadEnded, 2, 2, 0, 0, "corrupt")
	}},
	{"a hole with other bytes in it", "wal/claim", func(t *walTrace) {
		t.write(1, walA)
		t.emit(WalMended, WalMain, 1, walContent(walA), 0, "")
		t.cut()
		t.publish()
		t.disk["g"] = walB.Payload()
		t.emit(WalPlaced, WalMain, 1, 0, 9, "g")
	}},
	{"a hole in the place of what was truncated", "wal/bounds", func(t *walTrace) {
		t.write(1, walA, walDrop)
		t.crash()
		t.holes = []uint64{1}
		t.open(1, walA)
	}},
	{"a peer that has something else", "wal/malformed", func(t *walTrace) {
		t.write(1, walA)
		t.emit(WalMended, WalMain, 1, walContent(walB), 0, "")
	}},
	{"taken back for want of room", "", func(t *walTrace) {
		t.cfg.MayFill = true
		t.write(7, walA)
		t.read(8, 1, walContent(walA))
		t.stage(1, walB)
		t.cut()
		t.stage(2, walC)
		t.emit(WalWithdrawn, 0, 0, 0, 0, "")
		t.reply(1, runtime.Refused)
		t.reply(2, runtime.Refused)
		t.write(3, walC)
		t.reply(3, runtime.Done, 2)
	}},
	{"taken back where there is room", "wal/refusal", func(t *walTrace) {
		t.stage(1, walB)
		t.cut()
		t.emit(WalWithdrawn, 0, 0, 0, 0, "")
	}},
	{"taken back, and there all the same", "wal/unstable", func(t *walTrace) {
		t.cfg.MayFill = true
		t.stage(1, walB)
		t.cut()
		t.emit(WalWithdrawn, 0, 0, 0, 0, "")
		t.crash()
		t.open(1, walB)
	}},
	{"refused and staged", "wal/refused-staged", func(t *walTrace) { t.stage(1, walA); t.reply(1, runtime.Refused) }},
	{"done too early", "wal/acked-early", func(t *walTrace) { t.stage(1, walA); t.cut(); t.reply(1, runtime.Done, 1) }},
	{"another index", "wal/wrong-answer", func(t *walTrace) { t.write(1, walA); t.reply(1, runtime.Done, 2) }},
	{"another sum", "wal/wrong-answer", func(t *walTrace) {
		t.write(1, walA)
		t.read(2, 1, walContent(walA))
		t.reply(2, runtime.Done, 1)
	}},
	{"published without a cut", "wal/malformed", func(t *walTrace) { t.publish() }},
	{"staged while closed", "wal/malformed", func(t *walTrace) { t.crash(); t.stage(1, walA) }},
	{"closed while batches are staged", "wal/malformed", func(t *walTrace) { t.stage(1, walA); t.emit(WalClosed, 0, 0, 0, 0, "") }},
	{"staged after it was closed", "wal/malformed", func(t *walTrace) { t.emit(WalClosed, 0, 0, 0, 0, ""); t.stage(1, walA) }},
	{"a call of nobody", "wal/malformed", func(t *walTrace) { t.emit(WalStaged, 1, 0, 0, 0, "") }},
	{"stuck", "wal/stuck", func(t *walTrace) { t.Stuck("nothing happens") }},
	{"a panic", "wal/panic", func(t *walTrace) { t.emit(runtime.WorldPanic, 0, 0, 0, 0, "oh") }},
	{"nothing happened", "wal/nothing-seen", func(*walTrace) {}},
	{"nothing came back", "wal/nothing-seen", func(t *walTrace) {
		t.write(1, walA)
		t.read(2, 1, walContent(walA))
		t.crash()
	}},
}

func TestWalRules(t *testing.T) {
	broken := map[string]bool{}
	for _, c := range walCases {
		tr := &walTrace{disk: map[string][]byte{}}
		tr.WalSuite = NewWal(WalConfig{Image: tr, GroupBytes: 4096, KeepBytes: 100, KeepSegments: 2})
		tr.open(1)
		c.run(tr)
		got := ""
		if v := tr.Finish(); v != nil {
			got = v.Signature()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q: %v", c.name, got, c.want, tr.Violation())
		}
		broken[c.want] = true
	}
	for _, r := range WalRules() {
		if !broken[r.Signature()] {
			t.Errorf("no case breaks %s", r.Signature())
		}
	}
}

// Where what was written last may rot, a report that calls it torn has named it.
func TestTornNamesWhereTailsRot(t *testing.T) {
	for rots, want := range map[bool]string{true: "", false: "wal/lost"} {
		tr := &walTrace{disk: map[string][]byte{}}
		tr.WalSuite = NewWal(WalConfig{Image: tr, GroupBytes: 4096, TailRots: rots})
		tr.open(1)
		tr.writeTwo()
		tr.emit(WalFinding, walTorn, 0, 20, 0, "f")
		tr.open(1, walA)
		got := ""
		if v := tr.Finish(); v != nil {
			got = v.Signature()
		}
		if got != want {
			t.Errorf("tails rot %v: got %q, want %q", rots, got, want)
		}
	}
}

func TestWalEventsAreTheirNames(t *testing.T) {
	if err := runtime.CheckEvents(runtime.WorldEvents, WalEvents); err != nil {
		t.Error(err)
	}
}

func TestWalRequestsAreReadBack(t *testing.T) {
	for _, want := range []WalRequest{
		{Ask: WalRead, At: 3, Back: 7, Count: 9},
		{Ask: WalReopen},
		{Ask: WalWrite, Batches: [][]WalChange{{walA, walValue(4)}, {walDrop}, {walDecide(3), walA, walValue(4)}}},
	} {
		b := want.Append(nil)
		got, err := DecodeWalRequest(b)
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%v: %s", err, cmp.Diff(want, got))
		}
		for cut := range b {
			if q, err := DecodeWalRequest(b[:cut]); err == nil && want.Ask != WalWrite {
				t.Errorf("%d of %d bytes are read as %+v", cut, len(b), q)
			}
		}
	}
}

// Whatever a trace holds, the suite finds a violation or none; it does not panic.
func TestNoTraceMakesTheWalSuitePanic(t *testing.T) {
	found := map[string]bool{}
	for seed := range uint64(3000) {
		tr := &walTrace{disk: map[string][]byte{"f": make([]byte, 64)}}
		tr.WalSuite = NewWal(WalConfig{Image: tr, GroupBytes: 4096})
		state := seed
		draw := func(n uint64) uint64 {
			state = runtime.Mix(state, n)
			return state >> 8 % n
		}
		tr.open(1)
		tr.stage(1, walA, walDrop, walB, walValue(1))
		for range 30 {
			number := func() uint64 {
				if draw(50) == 0 {
					return ^uint64(0) >> draw(64)
				}
				return draw(5)
			}
			kind := WalEvents[draw(uint64(len(WalEvents)))].Kind
			if draw(6) == 0 {
				kind = runtime.WorldKill
			}
			tr.emit(kind, number(), number(), number(), number(), "f"[:draw(2)])
		}
		if v := tr.Finish(); v != nil {
			found[v.Signature()] = true
		}
	}
	if len(found) < 7 {
		t.Errorf("random traces broke %d rules only: %v", len(found), found)
	}
}
