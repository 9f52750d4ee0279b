package oracle

import (
	"testing"

	"github.com/octopii-go/octopii/raft"
	members "github.com/octopii-go/octopii/raft/member"
	"github.com/octopii-go/octopii/runtime"
)

var durabilityCases = []ruleCase{
	{"a leader without an entry that was told done", "durability/acked-lost", func(tr *trace) {
		tr.operate(10, 1, 2, 1, tr.put("a"))
		usurp(tr, 3, 2, 2)
	}},
	{"another entry committed in place of one that was told done", "durability/acked-lost", func(tr *trace) {
		tr.append(3, 1, nil)
		tr.elect(3, 2, 2)
		tr.append(3, 2, nil)
		tr.placed(3, place{1, 1})
		tr.placed(3, place{2, 2})
		tr.emit(3, runtime.WorldKill, 0, 0, 0, 0)
		tr.operate(10, 1, 2, 1, tr.put("a")) // n2 takes an entry of the leader it has left
		tr.restart(3, 2, 3, 0, 1)
		tr.committed(3, 2, 2, raft.Follower)
	}},
	{"done, when another entry is committed in its place", "durability/acked-lost", func(tr *trace) {
		overtake(tr)
		tr.reply(10, runtime.Done)
	}},
	{"unknown, when another entry is committed in its place", "", func(tr *trace) {
		overtake(tr)
		tr.reply(10, runtime.Unknown)
	}},
	{"refused, when another entry is committed in its place", "", func(tr *trace) {
		overtake(tr)
		tr.reply(10, runtime.Refused)
	}},
	{"done before it is committed", "durability/acked-early", func(tr *trace) {
		appended(tr)
		tr.reply(100, runtime.Done, 1)
	}},
	{"done without an entry", "durability/acked-nowhere", func(tr *trace) {
		tr.start(10, tr.put("a"))
		tr.reply(10, runtime.Done, 1)
	}},
	{"refused, and committed before", "durability/refused-committed", func(tr *trace) {
		tr.settle(1, 2, 1, appended(tr))
		tr.reply(100, runtime.Refused)
	}},
	{"refused, and committed later", "durability/refused-committed", func(tr *trace) {
		p := appended(tr)
		tr.reply(100, runtime.Refused)
		tr.settle(1, 2, 1, p)
	}},
	{"unknown, and committed later", "", func(tr *trace) {
		p := appended(tr)
		tr.reply(100, runtime.Unknown)
		tr.settle(1, 2, 1, p)
		tr.apply(1, p)
	}},
	{"refused, and made an entry later", "durability/phantom", func(tr *trace) {
		request := tr.put("a")
		tr.start(10, request)
		tr.reply(10, runtime.Refused)
		tr.data[place{2, 1}] = request
		tr.proposed(1, 10, place{2, 1})
	}},
	{"unknown, and made an entry later", "", func(tr *trace) {
		request := tr.put("a")
		tr.start(10, request)
		tr.reply(10, runtime.Unknown)
		tr.data[place{2, 1}] = request
		tr.proposed(1, 10, place{2, 1})
	}},
	{"unknown, and made an entry after the node died", "durability/phantom", func(tr *trace) {
		request := tr.put("a")
		tr.start(10, request)
		tr.reply(10, runtime.Unknown)
		tr.restart(1, 1, 1, 0, 1)
		tr.data[place{2, 1}] = request
		tr.proposed(1, 10, place{2, 1})
	}},
	{"a call made an entry twice", "durability/twice", func(tr *trace) {
		p := appended(tr)
		tr.data[place{3, 1}] = tr.data[p]
		tr.proposed(1, 100, place{3, 1})
	}},
	{"two calls made one entry", "durability/twice", func(tr *trace) {
		p := appended(tr)
		tr.start(10, tr.data[p])
		tr.proposed(1, 10, p)
	}},
	{"an entry made of another request", "durability/phantom", func(tr *trace) {
		tr.start(10, tr.put("a"))
		tr.data[place{2, 1}] = tr.put("b")
		tr.proposed(1, 10, place{2, 1})
	}},
	{"a command that nobody asked for is committed", "durability/phantom", func(tr *trace) {
		tr.write(1, 2, 1, tr.put("a"))
	}},
	{"a no-op is committed", "", func(tr *trace) { tr.write(1, 2, 1, nil) }},
	{"a call comes before one that was done when it was made", "durability/order", func(tr *trace) {
		p := appended(tr)
		tr.settle(1, 2, 1, p)
		tr.suite.history.acked = p.index // as if a call at that index had been told done before
		tr.start(10, tr.put("b"))
		c := tr.suite.history.calls.find(10)
		c.at, c.fate = place{1, 1}, committed
		tr.reply(10, runtime.Done)
	}},
	{"a call forwarded by its node", "", func(tr *trace) {
		request := tr.put("a")
		tr.start(10, request)
		tr.emit(1, members.CallForwarded, 10, 2, 0, 0)
		tr.emit(1, runtime.WorldKill, 0, 0, 0, 0)
		tr.reply(10, runtime.Unknown)
		tr.emit(1, runtime.WorldBoot, 2, 0, 0, 0)
		tr.elect(2, 3, 2)
		tr.append(2, 2, nil)
		p := place{tr.end(2).index + 1, 2}
		tr.data[p] = request
		tr.proposed(2, 10, p)
		tr.append(2, 2, request)
	}},
	{"a call forwarded by the node it was forwarded to", "durability/forwarded-on", func(tr *trace) {
		tr.start(10, tr.put("a"))
		tr.emit(1, members.CallForwarded, 10, 2, 0, 0)
		tr.emit(2, members.CallForwarded, 10, 3, 0, 0)
	}},
	{"a call answered twice", "durability/answered-twice", func(tr *trace) {
		appended(tr)
		tr.reply(100, runtime.Unknown)
		tr.reply(100, runtime.Unknown)
	}},
	{"an answer to a call that was not made", "durability/answered-twice", func(tr *trace) {
		tr.reply(77, runtime.Refused)
	}},
}

// overtake lets call 10 become entry 2 of term 1, in place of which entry 2 of
// term 2 is committed.
func overtake(tr *trace) {
	request := tr.put("a")
	tr.start(10, request)
	tr.data[place{2, 1}] = request
	tr.proposed(1, 10, place{2, 1})
	tr.append(1, 1, request)
	tr.elect(2, 3, 2)
	tr.append(3, 1, nil)
	tr.placed(3, place{1, 1})
	tr.write(2, 3, 2, nil)
}

func TestDurabilityRules(t *testing.T) {
	for _, c := range durabilityCases {
		c.settled(t)
	}
}

var linearCases = []ruleCase{
	{"an answer that the model does not give", "linear/broken", func(tr *trace) {
		p := appended(tr)
		tr.settle(1, 2, 1, p)
		tr.apply(1, p)
		tr.reply(100, runtime.Done, 9)
	}},
	{"an answer before the entry is applied", "", func(tr *trace) {
		p := appended(tr)
		tr.settle(1, 2, 1, p)
		tr.reply(100, runtime.Done, 1) // ok: porcupine finds a place for it
		tr.apply(1, p)
	}},
	{"a wrong answer before the entry is applied", "linear/broken", func(tr *trace) {
		p := appended(tr)
		tr.settle(1, 2, 1, p)
		tr.reply(100, runtime.Done, 9)
	}},
	{"a read without an entry", "", func(tr *trace) {
		tr.operate(10, 1, 2, 1, tr.put("a"))
		tr.start(11, tr.get("a"))
		tr.reply(11, runtime.Done, []byte("\x01v1")...)
	}},
	{"a stale read without an entry", "linear/broken", func(tr *trace) {
		tr.operate(10, 1, 2, 1, tr.put("a"))
		tr.operate(11, 1, 2, 1, tr.put("a"))
		tr.start(12, tr.get("a"))
		tr.reply(12, runtime.Done, []byte("\x01v1")...)
	}},
	{"a read of the value before a write that goes on meanwhile", "", func(tr *trace) {
		tr.operate(10, 1, 2, 1, tr.put("a"))
		tr.start(12, tr.get("a"))
		tr.operate(11, 1, 2, 1, tr.put("a"))
		tr.reply(12, runtime.Done, []byte("\x01v1")...)
	}},
	{"a read of the old value after another read saw the new one", "linear/broken", func(tr *trace) {
		readsDuringAWrite(tr)
		tr.reply(12, runtime.Done, []byte("\x01v2")...)
		tr.start(13, tr.get("a"))
		tr.reply(13, runtime.Done, []byte("\x01v1")...)
	}},
	{"a read of the old value while another read sees the new one", "", func(tr *trace) {
		readsDuringAWrite(tr)
		tr.start(13, tr.get("a"))
		tr.reply(12, runtime.Done, []byte("\x01v2")...)
		tr.reply(13, runtime.Done, []byte("\x01v1")...)
	}},
	{"more at once than can be decided", "linear/undecided", func(tr *trace) {
		// Forty writes that nobody was told about, and a read of a value that none wrote.
		for i := range uint64(40) {
			tr.start(500+i, tr.put("a"))
		}
		tr.start(12, tr.get("a"))
		tr.reply(12, runtime.Done, []byte("\x01none")...)
	}},
}

// readsDuringAWrite sets a to v1, applies a put of v2 whose client waits, and
// starts a read, call 12.
func readsDuringAWrite(tr *trace) {
	tr.operate(10, 1, 2, 1, tr.put("a"))
	request := tr.put("a")
	p := place{3, 1}
	tr.data[p] = request
	tr.start(11, request)
	tr.proposed(1, 11, p)
	tr.write(1, 2, 1, request)
	tr.apply(1, p)
	tr.start(12, tr.get("a"))
}

func TestLinearRules(t *testing.T) {
	for _, c := range linearCases {
		c.settled(t)
	}
}

func TestTheWindowMovesOn(t *testing.T) {
	tr := cluster(t)
	held := tr.put("held")
	tr.start(5, held)
	for i := range uint64(300) {
		tr.operate(10+i, 1, 2, 1, tr.put("a"))
	}
	l := &tr.suite.linear
	if n := len(l.window) - l.head; n != 300 {
		t.Errorf("%d calls in the window of an open call, want 300", n)
	}
	tr.reply(5, runtime.Refused)
	if n := len(l.window) - l.head; n != 0 {
		t.Errorf("%d calls in the window of nobody", n)
	}
	if l.trailing.Hash() != l.leading.Hash() {
		t.Error("the models differ when nothing is between them")
	}
	if n := len(tr.suite.history.calls.byID); n != 0 {
		t.Errorf("%d calls are remembered", n)
	}
	tr.want("")
}

func TestTheWindowIsBounded(t *testing.T) {
	tr := cluster(t)
	tr.start(5, tr.put("held"))
	for i := range uint64(windowMax + 10) {
		tr.operate(10+i, 1, 2, 1, tr.put("a"))
	}
	if n := len(tr.suite.linear.window) - tr.suite.linear.head; n > windowMax {
		t.Errorf("%d calls in the window", n)
	}
	tr.want("")
}
