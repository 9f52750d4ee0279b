package oracle

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
)

// disks is an Image whose files are all durable, but for those that say otherwise.
type disks struct {
	files map[string][]byte // by node and name
	loses map[string]bool   // a power loss takes the file
}

func fileKey(node runtime.NodeID, file string) string { return fmt.Sprintf("%v/%s", node, file) }

func (d *disks) Durable(node runtime.NodeID, file string, off int64, buf []byte) bool {
	bytes, found := d.files[fileKey(node, file)]
	if !found || d.loses[fileKey(node, file)] || off+int64(len(buf)) > int64(len(bytes)) {
		return false
	}
	copy(buf, bytes[off:])
	return true
}

func (d *disks) write(node runtime.NodeID, file string, p []byte) (off int64) {
	key := fileKey(node, file)
	off = int64(len(d.files[key]))
	d.files[key] = append(d.files[key], p...)
	return off
}

// trace writes traces by hand. Its methods emit the records of one act; those
// with a plain name do everything that act takes in a sound cluster.
type trace struct {
	t      testing.TB
	suite  *Suite
	disks  *disks
	model  *kv.Model
	step   uint64
	call   uint64
	chains []uint64 // by index
	result [][]byte // by index
	data   map[place][]byte
	noop   map[place]bool
	logs   map[runtime.NodeID][]raft.Term // in memory, by index-1
	bare   bool                           // do not run the model: indices are applied by hand
}

func newTrace(t testing.TB, edit ...func(*Config)) *trace {
	d := &disks{files: map[string][]byte{}, loses: map[string]bool{}}
	cfg := Config{Voters: []runtime.NodeID{1, 2, 3}, Image: d, Model: NewKV}
	for _, f := range edit {
		f(&cfg)
	}
	return &trace{
		t: t, suite: New(cfg), disks: d, model: kv.NewModel(), chains: make([]uint64, 1), result: make([][]byte, 1),
		data: map[place][]byte{}, noop: map[place]bool{}, logs: map[runtime.NodeID][]raft.Term{},
	}
}

func (tr *trace) emit(node runtime.NodeID, kind runtime.EventKind, a, b, c, d uint64, note ...byte) {
	tr.step++
	tr.suite.Observe(&runtime.Record{
		At: runtime.Instant(tr.step * 1000), Step: tr.step, Node: node,
		Event: runtime.Event{Kind: kind, A: a, B: b, C: c, D: d, Note: note},
	})
}

// boot starts a node with an empty disk.
func (tr *trace) boot(nodes ...runtime.NodeID) {
	for _, n := range nodes {
		tr.emit(n, runtime.WorldBoot, 1, 0, 0, 0)
		tr.emit(n, raft.Started, 0, 0, 0, 0)
	}
}

// restart kills a node and starts it with what its log holds in memory, from
// index first on, standing on a snapshot.
func (tr *trace) restart(n runtime.NodeID, term, vote uint64, snapshot, first raft.Index) {
	tr.emit(n, runtime.WorldPowerLoss, 0, 0, 0, 0)
	tr.emit(n, runtime.WorldBoot, 2, 0, 0, 0)
	for i := first; int(i) <= len(tr.logs[n]); i++ {
		tr.recovered(n, i, tr.logs[n][i-1])
	}
	tr.emit(n, raft.Started, term, vote, uint64(snapshot), uint64(max(snapshot, raft.Index(len(tr.logs[n])))))
}

func (tr *trace) recovered(n runtime.NodeID, i raft.Index, term raft.Term) {
	tr.emit(n, raft.Recovered, uint64(i), uint64(term), tr.hash(place{i, term}), 0)
}

func (tr *trace) hash(p place) uint64 {
	if tr.noop[p] {
		return raft.HashEntry(raft.EntryNoop, nil)
	}
	return raft.HashEntry(kindOf(tr.data[p]), tr.data[p])
}

func stateBytes(term, vote uint64) []byte {
	p := binary.LittleEndian.AppendUint64(nil, term)
	p = binary.LittleEndian.AppendUint64(p, vote)
	return binary.LittleEndian.AppendUint64(p, 7)
}

// changed changes a hard state in memory, statePlaced claims one. That somebody
// has stood for election in the term is taken for granted.
func (tr *trace) changed(n runtime.NodeID, term, vote uint64) {
	tr.suite.election.campaigned = max(tr.suite.election.campaigned, raft.Term(term))
	tr.emit(n, raft.StateChanged, term, vote, 0, 0)
}

func (tr *trace) statePlaced(n runtime.NodeID, term, vote uint64) {
	off := tr.disks.write(n, "log/1", stateBytes(term, vote))
	tr.emit(n, raft.StatePlaced, term, vote, uint64(off), 24, []byte("log/1")...)
}

// state does both.
func (tr *trace) state(n runtime.NodeID, term, vote uint64) {
	tr.changed(n, term, vote)
	tr.statePlaced(n, term, vote)
}

func (tr *trace) end(n runtime.NodeID) place {
	log := tr.logs[n]
	if len(log) == 0 {
		return place{}
	}
	return place{raft.Index(len(log)), log[len(log)-1]}
}

func (tr *trace) role(n runtime.NodeID, role raft.Role, term uint64, voters ...uint64) {
	var note []byte
	for _, v := range voters {
		note = binary.LittleEndian.AppendUint64(note, v)
	}
	end := tr.end(n)
	tr.emit(n, raft.RoleChanged, uint64(role), term, uint64(end.index), uint64(end.term), note...)
}

// campaign makes n a candidate of the term that has asked for votes.
func (tr *trace) campaign(n runtime.NodeID, term uint64) {
	end := tr.end(n)
	tr.role(n, raft.PreCandidate, term-1)
	tr.canvass(n, term)
	tr.state(n, term, uint64(n))
	tr.role(n, raft.Candidate, term)
	tr.emit(n, raft.VoteAsked, term, uint64(end.index), uint64(end.term), 0)
}

// canvass lets n ask for pre-votes, and all grant them that may. A candidate that should get
// none has them all the same, unseen: the rules that judge what it does next are the subject.
func (tr *trace) canvass(n runtime.NodeID, term uint64) {
	end := tr.end(n)
	tr.emit(n, raft.VoteAsked, term, uint64(end.index), uint64(end.term), 1)
	for i := range tr.suite.history.members {
		m := &tr.suite.history.members[i]
		if m.id != n && m.running && m.role != raft.Leader && !end.behind(m.log.end()) {
			tr.emit(m.id, raft.PreVoteGranted, term, uint64(n), uint64(end.index), uint64(end.term))
		} else {
			tr.suite.history.member(n).canvass.granted |= 1 << m.position
		}
	}
}

// grant lets a voter vote for a candidate.
func (tr *trace) grant(voter, candidate runtime.NodeID, term uint64) {
	tr.state(voter, term, uint64(candidate))
	tr.granted(voter, candidate, term)
}

func (tr *trace) granted(voter, candidate runtime.NodeID, term uint64) {
	end := tr.end(candidate)
	tr.emit(voter, raft.VoteGranted, term, uint64(candidate), uint64(end.index), uint64(end.term))
}

// elect makes n the leader of the term by the voter's vote, without a no-op.
func (tr *trace) elect(n, voter runtime.NodeID, term uint64) {
	tr.campaign(n, term)
	tr.grant(voter, n, term)
	tr.role(n, raft.Leader, term, uint64(n), uint64(voter))
}

// put is a command that sets a key; every one is different.
func (tr *trace) put(key string) []byte {
	tr.call++
	c := kv.Command{Op: kv.Put, Client: 1, Seq: tr.call, Key: []byte(key), Value: fmt.Appendf(nil, "v%d", tr.call)}
	return c.Append(nil)
}

func (tr *trace) get(key string) []byte {
	tr.call++
	c := kv.Command{Op: kv.Get, Client: 1, Seq: tr.call, Key: []byte(key)}
	return c.Append(nil)
}

// start lets a client make a call.
func (tr *trace) start(call uint64, request []byte) {
	tr.emit(0, runtime.CallStart, call, call%3, call, 1, raft.AppendRequest(nil, kindOf(request), request)...)
}

// kindOf returns what kind of entry a command becomes.
func kindOf(data []byte) raft.EntryType {
	if c, err := kv.DecodeCommand(data); err == nil && c.Op == kv.Get {
		return raft.EntryQuery
	}
	return raft.EntryCommand
}

func (tr *trace) reply(call uint64, outcome runtime.Outcome, response ...byte) {
	tr.emit(1, runtime.CallReply, call, call%3, uint64(outcome), 0, response...)
}

// append adds an entry to a log in memory. Nil data is a no-op.
func (tr *trace) append(n runtime.NodeID, term raft.Term, data []byte) place {
	end := tr.end(n)
	p := place{end.index + 1, term}
	if _, known := tr.data[p]; !known {
		tr.data[p], tr.noop[p] = data, data == nil
	}
	tr.logs[n] = append(tr.logs[n], term)
	tr.emit(n, raft.Appended, uint64(p.index), uint64(p.term), tr.hash(p), uint64(end.term))
	return p
}

// cut truncates a log in memory.
func (tr *trace) cut(n runtime.NodeID, from raft.Index, term uint64) {
	tr.logs[n] = tr.logs[n][:from-1]
	tr.emit(n, raft.Truncated, uint64(from), term, 0, 0)
}

// placed claims an entry, truly.
func (tr *trace) placed(n runtime.NodeID, p place) {
	data := tr.data[p]
	off := tr.disks.write(n, "log/1", data)
	tr.emit(n, raft.EntryPlaced, uint64(p.index), uint64(p.term), uint64(off), uint64(len(data)), []byte("log/1")...)
}

func (tr *trace) acked(n, leader runtime.NodeID, term uint64, match raft.Index) {
	tr.emit(n, raft.Acked, uint64(leader), term, uint64(match), 0)
}

func (tr *trace) matched(leader, peer runtime.NodeID, match raft.Index, term uint64) {
	tr.emit(leader, raft.Matched, uint64(peer), uint64(match), term, 0)
}

func (tr *trace) committed(n runtime.NodeID, to raft.Index, term uint64, role raft.Role) {
	tr.emit(n, raft.Committed, uint64(to), term, uint64(role), uint64(tr.end(n).index))
}

// write appends an entry at the leader and a follower, durably, and commits
// it at the leader.
func (tr *trace) write(leader, follower runtime.NodeID, term uint64, data []byte) place {
	p := tr.append(leader, raft.Term(term), data)
	tr.append(follower, raft.Term(term), data)
	tr.settle(leader, follower, term, p)
	return p
}

// settle makes an entry that both have durable and commits it at the leader.
func (tr *trace) settle(leader, follower runtime.NodeID, term uint64, p place) {
	tr.placed(leader, p)
	tr.placed(follower, p)
	tr.acked(follower, leader, term, p.index)
	tr.matched(leader, leader, p.index, term)
	tr.matched(leader, follower, p.index, term)
	tr.committed(leader, p.index, term, raft.Leader)
}

// apply applies a committed entry at a node.
func (tr *trace) apply(n runtime.NodeID, p place) {
	if int(p.index) == len(tr.chains) {
		var response []byte
		if !tr.noop[p] {
			response = append([]byte(nil), tr.model.Apply(tr.data[p])...)
		}
		tr.result = append(tr.result, response)
		tr.chains = append(tr.chains, raft.ChainHash(tr.chains[p.index-1], p.index, p.term, tr.hash(p), runtime.HashBytes(0, response)))
	}
	tr.emit(n, raft.Applied, uint64(p.index), uint64(p.term), tr.chains[p.index], tr.hash(p))
}

// unanswered lets node 1 apply the entry of a call and say nothing about it for
// as long as a client waits.
func (tr *trace) unanswered(meanwhile func()) {
	request := tr.put("a")
	tr.start(10, request)
	p := place{tr.end(1).index + 1, 1}
	tr.data[p] = request
	tr.proposed(1, 10, p)
	tr.write(1, 2, 1, request)
	tr.apply(1, p)
	meanwhile()
	tr.step += uint64(answerWithin) // microseconds, and so much longer than that
	tr.reply(10, runtime.Unknown)
}

// proposed says that the call became the entry.
func (tr *trace) proposed(n runtime.NodeID, call uint64, p place) {
	tr.emit(n, raft.Proposed, call, uint64(p.index), uint64(p.term), tr.hash(p))
}

// operate carries a call from its start to its done answer.
func (tr *trace) operate(call uint64, leader, follower runtime.NodeID, term uint64, request []byte) place {
	tr.start(call, request)
	p := place{tr.end(leader).index + 1, raft.Term(term)}
	tr.data[p] = request
	tr.proposed(leader, call, p)
	tr.write(leader, follower, term, request)
	tr.apply(leader, p)
	tr.reply(call, runtime.Done, tr.result[p.index]...)
	return p
}

// follow commits and applies at a follower what the leader has, up to p.
func (tr *trace) follow(n runtime.NodeID, term uint64, places ...place) {
	for _, p := range places {
		tr.committed(n, p.index, term, raft.Follower)
		tr.apply(n, p)
	}
}

// cluster boots three nodes and makes n1 the leader of term 1, with its no-op
// committed, and applied everywhere but at n3.
func cluster(t testing.TB, edit ...func(*Config)) *trace {
	tr := newTrace(t, edit...)
	tr.boot(1, 2, 3)
	tr.elect(1, 2, 1)
	tr.state(3, 1, 0)
	p := tr.write(1, 2, 1, nil)
	tr.apply(1, p)
	tr.follow(2, 1, p)
	return tr
}

// want fails the test unless the suite's violation is that of the signature; an empty
// signature is none.
func (tr *trace) want(signature string) {
	tr.t.Helper()
	v := tr.suite.Violation()
	switch {
	case v == nil && signature != "":
		tr.t.Errorf("no violation, want %s", signature)
	case v != nil && v.Signature() != signature:
		tr.t.Errorf("violation %v, want %q", v, signature)
	}
}
