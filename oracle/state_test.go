package oracle

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
)

var stateCases = []ruleCase{
	{"an entry applied twice", "state/order", func(tr *trace) { tr.apply(1, place{1, 1}) }},
	{"an entry left out", "state/order", func(tr *trace) {
		tr.settle(1, 2, 1, appended(tr))
		tr.settle(1, 2, 1, appendedAs(tr, 101))
		tr.emit(1, raft.Applied, 3, 1, 0, 0)
	}},
	{"an entry applied before it is committed", "state/uncommitted", func(tr *trace) { tr.apply(1, appended(tr)) }},
	{"an entry applied that is committed elsewhere only", "state/uncommitted", func(tr *trace) {
		p := appended(tr)
		tr.settle(1, 2, 1, p)
		tr.apply(2, p)
	}},
	{"another entry applied than the committed one", "state/uncommitted", func(tr *trace) {
		p := appended(tr)
		tr.settle(1, 2, 1, p)
		tr.data[p] = []byte("other")
		tr.apply(1, p)
	}},
	{"entries applied anew after a restart", "", func(tr *trace) {
		tr.restart(1, 1, 1, 0, 1)
		tr.follow(1, 1, place{1, 1})
	}},
	{"another result than elsewhere", "state/diverged", func(tr *trace) {
		tr.settle(1, 2, 1, appended(tr))
		tr.apply(1, place{2, 1})
		tr.committed(2, 2, 1, raft.Follower)
		tr.chains[2]++
		tr.apply(2, place{2, 1})
	}},
	{"another result than the model's", "state/wrong-result", func(tr *trace) {
		p := appended(tr)
		tr.settle(1, 2, 1, p)
		tr.emit(1, raft.Applied, 2, 1, raft.ChainHash(tr.chains[1], 2, 1, tr.hash(p), 99), tr.hash(p))
	}},
}

func TestStateRules(t *testing.T) {
	for _, c := range stateCases {
		c.settled(t)
	}
}

// appendedAs is appended for a call of that number.
func appendedAs(tr *trace, call uint64) place {
	request := tr.put("b")
	p := place{tr.end(1).index + 1, 1}
	tr.data[p] = request
	tr.start(call, request)
	tr.proposed(1, call, p)
	tr.append(1, 1, request)
	tr.append(2, 1, request)
	return p
}

// snapshot returns a snapshot file, by the layout that package raft documents.
func snapshot(meta raft.SnapshotMeta, content []byte) (raft.SnapshotMeta, []byte) {
	order, table := binary.LittleEndian, crc32.MakeTable(crc32.Castagnoli)
	file := order.AppendUint64(nil, 0x70616e73_6f74636f)
	file = order.AppendUint32(file, 1)
	file = order.AppendUint32(file, 64<<10)
	file = order.AppendUint64(file, uint64(meta.Index))
	file = order.AppendUint64(file, uint64(meta.Term))
	file = order.AppendUint64(file, meta.Chain)
	file = append(file, make([]byte, 20)...)
	crc := crc32.Checksum(file, table)
	file = order.AppendUint32(file, crc)
	length := order.AppendUint32(nil, uint32(len(content)))
	crc = crc32.Update(crc32.Update(crc, table, length), table, content)
	file = append(order.AppendUint32(append(file, length...), crc), content...)
	meta.Hash = raft.SnapshotHash(meta, content)
	trailer := order.AppendUint32(nil, 1<<32-1)
	trailer = order.AppendUint32(trailer, 1)
	trailer = order.AppendUint64(trailer, uint64(len(content)))
	trailer = order.AppendUint64(trailer, meta.Hash)
	trailer = order.AppendUint32(trailer, 0)
	file = append(file, trailer...)
	file = order.AppendUint32(file, crc32.Update(crc, table, trailer))
	meta.Size = uint64(len(file))
	return meta, file
}

// image returns the label and the file of a snapshot of the state as of p, which is
// the last entry applied.
func (tr *trace) image(p place) (raft.SnapshotMeta, []byte) {
	return snapshot(raft.SnapshotMeta{Index: p.index, Term: p.term, Chain: tr.chains[p.index]}, tr.model.AppendImage(nil))
}

func (tr *trace) taken(n runtime.NodeID, meta raft.SnapshotMeta) {
	tr.emit(n, raft.SnapshotTaken, uint64(meta.Index), uint64(meta.Term), meta.Chain, meta.Hash)
}

func (tr *trace) installed(n runtime.NodeID, meta raft.SnapshotMeta) {
	tr.emit(n, raft.SnapshotInstalled, uint64(meta.Index), uint64(meta.Term), meta.Chain, meta.Hash)
}

func (tr *trace) snapshotPlaced(n runtime.NodeID, meta raft.SnapshotMeta, file []byte) {
	name := "snap/" + string(rune('a'+len(tr.disks.files)))
	tr.disks.write(n, name, file)
	tr.emit(n, raft.SnapshotPlaced, uint64(meta.Index), uint64(meta.Term), meta.Hash, uint64(len(file)), []byte(name)...)
}

// saved takes a snapshot of the state as of p and drops the entries up to it.
func (tr *trace) saved(n runtime.NodeID, p place) raft.SnapshotMeta {
	meta, file := tr.image(p)
	tr.taken(n, meta)
	tr.snapshotPlaced(n, meta, file)
	tr.compacted(n, p.index+1, p.index)
	return meta
}

func (tr *trace) compacted(n runtime.NodeID, first, snapshot raft.Index) {
	tr.emit(n, raft.Compacted, uint64(first), uint64(snapshot), 0, 0)
}

// busy lets clients put a few keys, and returns the last entry.
func busy(tr *trace) place {
	var p place
	for _, key := range []string{"a", "b", "a"} {
		tr.call++
		p = tr.operate(1000+tr.call, 1, 2, 1, tr.put(key))
		tr.follow(2, 1, p)
	}
	return p
}

var snapshotCases = []ruleCase{
	{"a snapshot, compaction and a restart", "", func(tr *trace) {
		p := busy(tr)
		meta := tr.saved(1, p)
		tr.saved(2, p)
		tr.emit(1, runtime.WorldPowerLoss, 0, 0, 0, 0)
		tr.emit(1, runtime.WorldBoot, 2, 0, 0, 0)
		tr.installed(1, meta)
		tr.emit(1, raft.Started, 1, 1, uint64(p.index), uint64(p.index))
	}},
	{"a snapshot, compaction, and a restart before it was durable", "", func(tr *trace) {
		p := busy(tr)
		tr.saved(1, p)
		tr.restart(1, 1, 1, 0, 1)
	}},
	{"a snapshot of what was not applied", "state/snapshot-early", func(tr *trace) {
		p := busy(tr)
		meta, _ := tr.image(p)
		meta.Index++
		tr.taken(1, meta)
	}},
	{"a snapshot with the term of now", "state/snapshot-chain", func(tr *trace) {
		meta, _ := tr.image(busy(tr))
		meta.Term++
		tr.taken(1, meta)
	}},
	{"a snapshot with another chain hash", "state/snapshot-chain", func(tr *trace) {
		meta, _ := tr.image(busy(tr))
		meta.Chain++
		tr.taken(1, meta)
	}},
	{"a snapshot installed from nowhere", "state/snapshot-chain", func(tr *trace) {
		meta, _ := tr.image(busy(tr))
		meta.Index += 9
		tr.installed(3, meta)
	}},
	{"a start on a snapshot of what nobody applied", "state/snapshot-chain", func(tr *trace) {
		tr.restart(1, 1, 1, 9, 1)
	}},
	{"two contents of one index", "state/snapshot-content", func(tr *trace) {
		meta, _ := tr.image(busy(tr))
		tr.taken(1, meta)
		meta.Hash++
		tr.taken(2, meta)
	}},
	{"a snapshot of a later state", "state/snapshot-content", func(tr *trace) {
		p := busy(tr)
		tr.model.Apply(tr.put("z"))
		meta, file := tr.image(p)
		tr.snapshotPlaced(1, meta, file)
	}},
	{"a snapshot file that a power loss could take", "state/snapshot-claim", func(tr *trace) {
		meta, file := tr.image(busy(tr))
		tr.emit(1, raft.SnapshotPlaced, uint64(meta.Index), uint64(meta.Term), meta.Hash, uint64(len(file)), []byte("snap/none")...)
	}},
	{"a snapshot file that is cut", "state/snapshot-claim", func(tr *trace) {
		meta, file := tr.image(busy(tr))
		tr.snapshotPlaced(1, meta, file[:len(file)-1])
	}},
	{"a snapshot file of another index", "state/snapshot-claim", func(tr *trace) {
		meta, file := tr.image(busy(tr))
		meta.Index--
		tr.snapshotPlaced(1, meta, file)
	}},
	{"an older snapshot installed", "state/install-regressed", func(tr *trace) {
		old, _ := tr.image(place{1, 1})
		busy(tr)
		tr.installed(2, old)
	}},
	{"a snapshot installed at a node that is behind", "", func(tr *trace) {
		p := busy(tr)
		meta := tr.saved(1, p)
		_, file := tr.image(p)
		tr.snapshotPlaced(3, meta, file)
		tr.compacted(3, p.index+1, p.index)
		tr.committed(3, p.index, 1, raft.Follower)
		tr.installed(3, meta)
		tr.matched(1, 3, p.index, 1)
		tr.logs[3] = append([]raft.Term(nil), tr.logs[1]...)
		q := tr.write(1, 3, 1, nil)
		tr.acked(3, 1, 1, q.index)
		tr.follow(3, 1)
	}},
	{"a snapshot installed over entries that it covers", "", func(tr *trace) {
		tr.append(3, 1, nil)
		tr.placed(3, place{1, 1})
		p := busy(tr)
		meta := tr.saved(1, p)
		_, file := tr.image(p)
		tr.snapshotPlaced(3, meta, file)
		tr.cut(3, 1, 1)
		tr.compacted(3, p.index+1, p.index)
		tr.installed(3, meta)
	}},
	{"compaction before the snapshot is durable", "state/compacted-early", func(tr *trace) {
		p := busy(tr)
		meta, _ := tr.image(p)
		tr.taken(1, meta)
		tr.compacted(1, p.index, p.index)
	}},
	{"compaction beyond the snapshot", "state/gap", func(tr *trace) {
		p := busy(tr)
		meta, file := tr.image(p)
		tr.snapshotPlaced(1, meta, file)
		tr.compacted(1, p.index+2, p.index)
	}},
	{"a start without the snapshot that the log stands on", "state/gap", func(tr *trace) {
		p := busy(tr)
		tr.saved(1, p)
		tr.placed(1, tr.append(1, 1, nil))
		tr.restart(1, 1, 1, 0, p.index+1)
	}},
}

func TestSnapshotRules(t *testing.T) {
	for _, c := range snapshotCases {
		c.settled(t)
	}
}

// The snapshot built here is what the state machine writes and the node reads.
func TestTheModelReadsTheMachinesImage(t *testing.T) {
	machine, model := kv.NewMachine(), kv.NewModel()
	for seq := range uint64(100) {
		c := kv.Command{Op: kv.Put, Client: 1, Seq: seq, Key: []byte{'k', byte(seq % 37)}, Value: []byte{byte(seq)}}
		command := c.Append(nil)
		machine.Apply([]raft.Entry{{Index: raft.Index(seq + 1), Term: 1, Type: raft.EntryCommand, Data: command}}, nil)
		model.Apply(command)
	}
	image, err := machine.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	if _, err := image.WriteTo(&content); err != nil {
		t.Fatal(err)
	}
	restored := NewKV()
	if err := restored.(Restorer).Restore(content.Bytes()); err != nil || restored.Hash() != model.Hash() {
		t.Errorf("restored hash %x, want %x (%v)", restored.Hash(), model.Hash(), err)
	}
	if _, _, err := raft.CheckSnapshot(func() []byte { _, f := snapshot(raft.SnapshotMeta{Index: 1, Term: 1}, content.Bytes()); return f }()); err != nil {
		t.Error(err)
	}
}
