package raft

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/octopii-go/octopii/runtime"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestTranscripts runs the scripts in testdata and compares what happens with
// what they say happens. A line that begins with > is a command, # a comment, and the
// rest is output:
//
//	cluster N [LIMIT=N ...]   N members, booted, at rest
//	boot N [term=T] [vote=N] [log=TERM,TERM...] [snap=INDEX/TERM] [first=INDEX]
//	                          boots a member from that disk instead
//	elect N                   time passes until N stands, and all settles quietly
//	tick N                    time passes until N is due, and only N looks
//	pass DURATION [quiet]     time passes and everything that is due happens
//	late DURATION             time passes, but nobody looks
//	propose N DATA...         DATA is a word, or a size such as 500b
//	persist N [ID...]         all unsynced writes become durable; reported in order of ID
//	apply N, load N, unreadable N, hurry N
//	snapshot N [keep=K]
//	deliver [FROM->TO] [TYPE] [first|last]   matching messages, in order, or one of them
//	drop, dup                 take the same; lose them, or send them once more
//	cut A-B | A->B, mend      links that lose everything from now on
//	crash N [keep=K]          of the unsynced writes, K survive
//	restart N
//	settle [loud]             everything that takes no time happens
//	step TYPE from=N to=N term=T [index=I/T] [commit=I] [seq=S] [entries=TERM,...] [no] [snap=I/T]
//	install N INDEX/TERM
//	status, log N, net, due N
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &script{}
			for i, line := range strings.Split(strings.TrimRight(string(want), "\n"), "\n") {
				switch {
				case line == "" || line[0] == '#':
					fmt.Fprintln(&s.out, line)
				case line[0] == '>':
					fmt.Fprintln(&s.out, line)
					if err := s.run(strings.Fields(line[1:])); err != nil {
						t.Fatalf("line %d: %s: %v", i+1, line, err)
					}
				}
			}
			if *update {
				if err := os.WriteFile(file, s.out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), s.out.String()); diff != "" {
				t.Errorf("transcript differs (-want +got):\n%s", diff)
			}
		})
	}
}

// script is a transcript in the making.
type script struct {
	r     *rig
	out   bytes.Buffer
	quiet bool
}

// run executes one command.
func (s *script) run(words []string) (err error) {
	defer func() {
		if failure := recover(); failure != nil {
			err = fmt.Errorf("%v", failure)
		}
	}()
	name, args := words[0], parseArgs(words[1:])
	if name == "cluster" {
		return s.cluster(args)
	}
	switch name {
	case "propose", "snapshot", "apply", "load", "unreadable", "persist", "tick", "elect", "crash", "restart", "boot",
		"install", "log", "due", "hurry":
		n := s.r.node(runtime.NodeID(number(args.words[0])))
		return s.runNode(name, n, args)
	}
	return s.runCluster(name, args)
}

// scriptArgs are a command's words and key=value pairs.
type scriptArgs struct {
	words []string
	pairs map[string]string
}

func parseArgs(words []string) scriptArgs {
	a := scriptArgs{pairs: map[string]string{}}
	for _, w := range words {
		if key, value, isPair := strings.Cut(w, "="); isPair {
			a.pairs[key] = value
		} else {
			a.words = append(a.words, w)
		}
	}
	return a
}

func (a scriptArgs) has(word string) bool { return slices.Contains(a.words, word) }

func number(text string) uint64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func parseID(text string) entryID {
	index, term, _ := strings.Cut(text, "/")
	return entryID{Index(number(index)), Term(number(term))}
}

func (s *script) cluster(args scriptArgs) error {
	var cfg CoreConfig
	for key, field := range map[string]*int{
		"append": &cfg.MaxAppendBytes, "inflight": &cfg.MaxInflightMessages, "partial": &cfg.MaxInflightPartial, "inflight-bytes": &cfg.MaxInflightBytes,
		"uncommitted": &cfg.MaxUncommittedBytes, "cache": &cfg.CacheBytes, "apply": &cfg.MaxApplyBytes, "together": &cfg.ApplyTogether,
		"thrifty": &cfg.Thrifty,
	} {
		*field = int(number(args.pairs[key]))
	}
	s.r = newRig(int(number(args.words[0])), cfg)
	s.r.say = func(format string, args ...any) {
		if !s.quiet {
			fmt.Fprintf(&s.out, format+"\n", args...)
		}
	}
	s.hush(func() {
		for _, n := range s.r.nodes {
			s.r.start(n)
		}
	})
	return nil
}

func (s *script) hush(f func()) {
	s.quiet = true
	defer func() { s.quiet = false }()
	f()
}

// runNode executes a command about one member.
func (s *script) runNode(name string, n *rigNode, args scriptArgs) error {
	r := s.r
	switch name {
	case "tick":
		r.now = max(r.now, n.core.Deadline())
		r.tick(n)
	case "elect":
		s.hush(func() {
			r.now = max(r.now, n.core.Deadline())
			r.tick(n)
			r.must(r.settle())
		})
		s.status()
	case "propose":
		for _, word := range args.words[1:] {
			data := []byte(word)
			if size, isSize := strings.CutSuffix(word, "b"); isSize && size != "" {
				data = make([]byte, number(size))
			}
			if _, err := r.propose(n, data); err != nil {
				r.say("%v refuses: %v", n.id, err)
			}
		}
	case "persist":
		s.persist(n, args.words[1:])
	case "apply":
		r.finishApply(n)
	case "hurry":
		n.core.Hurry()
		r.drain(n)
	case "load", "unreadable":
		r.finishLoad(n, name == "load")
	case "snapshot":
		r.snapshot(n, number(args.pairs["keep"]))
	case "install":
		id := parseID(args.words[1])
		for i := Index(len(r.ghost.committed)) + 1; i <= id.index; i++ {
			// What a snapshot covers is committed. The log says in which terms, if it agrees.
			covered := entryID{i, id.term}
			if n.core.log.has(id) {
				covered.term = n.core.log.term(i)
			}
			r.ghost.committed = append(r.ghost.committed, ghostCommit{covered, covered.term})
		}
		r.install(n, &Message{To: n.id, From: n.core.leader, Snapshot: SnapshotMeta{Index: id.index, Term: id.term}})
	case "crash":
		r.crash(n, int(number(args.pairs["keep"])))
	case "restart":
		r.start(n)
	case "boot":
		s.boot(n, args)
	case "log":
		s.log(n)
	case "due":
		r.say("%v is due in %v", n.id, n.core.Deadline().Sub(r.now))
	}
	return nil
}

// persist makes writes durable and reports them in the order given.
func (s *script) persist(n *rigNode, ids []string) {
	if len(ids) == 0 {
		s.r.persist(n, len(n.unsynced))
		return
	}
	for _, text := range ids {
		id := WriteID(number(text))
		at := slices.IndexFunc(n.unsynced, func(w Write) bool { return w.ID == id })
		if at < 0 {
			panic("no such write")
		}
		// Only the reports come out of order: the disk has all that is before.
		for i := range n.unsynced[:at+1] {
			if w := &n.unsynced[i]; w.ID > n.onDisk {
				s.r.must(n.disk.write(w))
				n.onDisk = w.ID
			}
		}
		n.unsynced = slices.Delete(n.unsynced, at, at+1)
		n.core.Persisted(id)
		n.synced = n.core.writes.persisted
		s.r.say("%v has #%d durable", n.id, id)
		s.r.release(n)
		s.r.drain(n)
	}
}

// boot gives a member another disk and starts it.
func (s *script) boot(n *rigNode, args scriptArgs) {
	snap := parseID(args.pairs["snap"])
	d := rigDisk{
		state:    HardState{Term: Term(number(args.pairs["term"])), Vote: runtime.NodeID(number(args.pairs["vote"]))},
		snapshot: SnapshotMeta{Index: snap.index, Term: snap.term},
		first:    snap.index + 1,
	}
	if first := args.pairs["first"]; first != "" {
		d.first = Index(number(first))
	}
	if log := args.pairs["log"]; log != "" {
		for i, term := range strings.Split(log, ",") {
			e := Entry{Index: d.first + Index(i), Term: Term(number(term)), Type: EntryCommand}
			e.Data = fmt.Appendf(nil, "%d.%d", e.Index, e.Term)
			d.entries = append(d.entries, e)
		}
	}
	*n = rigNode{id: n.id, disk: d}
	for len(s.r.ghost.committed) < int(snap.index) {
		// What a snapshot covers is committed; the script does not say in which terms.
		id := entryID{Index(len(s.r.ghost.committed)) + 1, snap.term}
		s.r.ghost.committed = append(s.r.ghost.committed, ghostCommit{id, snap.term})
	}
	s.r.start(n)
}

// runCluster executes a command about no member in particular.
func (s *script) runCluster(name string, args scriptArgs) error {
	r := s.r
	switch name {
	case "pass":
		d, err := time.ParseDuration(args.words[0])
		if err != nil {
			return err
		}
		s.quiet = args.has("quiet")
		err = r.pass(d)
		s.quiet = false
		return err
	case "late":
		d, err := time.ParseDuration(args.words[0])
		r.now = r.now.Add(d)
		return err
	case "settle":
		s.quiet = !args.has("loud")
		err := r.settle()
		s.quiet = false
		return err
	case "deliver", "drop", "dup":
		return s.messages(name, args)
	case "cut":
		s.cut(args.words[0])
	case "mend":
		clear(r.blocked)
	case "step":
		r.step(parseMessage(args))
	case "status":
		s.status()
	case "net":
		for i := range r.net {
			r.say("%s", formatMessage(&r.net[i]))
		}
	default:
		return fmt.Errorf("no such command")
	}
	return nil
}

func (s *script) cut(link string) {
	from, to, oneWay := strings.Cut(link, "->")
	if !oneWay {
		from, to, _ = strings.Cut(link, "-")
	}
	a, b := runtime.NodeID(number(from)), runtime.NodeID(number(to))
	s.r.blocked[[2]runtime.NodeID{a, b}] = true
	if !oneWay {
		s.r.blocked[[2]runtime.NodeID{b, a}] = true
	}
}

// messages does something to the messages on the network that match.
func (s *script) messages(name string, args scriptArgs) error {
	r := s.r
	matches := func(m *Message) bool {
		for _, w := range args.words {
			if from, to, isLink := strings.Cut(w, "->"); isLink {
				if from != "" && number(from) != uint64(m.From) || to != "" && number(to) != uint64(m.To) {
					return false
				}
			} else if w != "first" && w != "last" && w != messageNames[m.Type] {
				return false
			}
		}
		return true
	}
	var places []int
	for i := range r.net {
		if matches(&r.net[i]) {
			places = append(places, i)
		}
	}
	switch {
	case len(places) == 0:
		return fmt.Errorf("no such message among %d", len(r.net))
	case args.has("first"):
		places = places[:1]
	case args.has("last"):
		places = places[len(places)-1:]
	}
	var chosen []Message
	for _, i := range places {
		chosen = append(chosen, r.net[i])
	}
	if name != "dup" {
		for k, i := range places {
			r.net = slices.Delete(r.net, i-k, i-k+1)
		}
	}
	for _, m := range chosen {
		switch name {
		case "dup":
			r.net = append(r.net, m)
		case "deliver":
			r.say("- %s", formatMessage(&m))
			r.net = append([]Message{m}, r.net...)
			r.deliver(0)
		}
	}
	return nil
}

func parseMessage(args scriptArgs) Message {
	m := Message{
		From:   runtime.NodeID(number(args.pairs["from"])),
		To:     runtime.NodeID(number(args.pairs["to"])),
		Term:   Term(number(args.pairs["term"])),
		Commit: Index(number(args.pairs["commit"])),
		Seq:    number(args.pairs["seq"]),
		Reject: args.has("no"),
	}
	for kind, name := range messageNames {
		if name == args.words[0] {
			m.Type = kind
		}
	}
	id := parseID(args.pairs["index"])
	m.Index, m.LogTerm = id.index, id.term
	snap := parseID(args.pairs["snap"])
	m.Snapshot = SnapshotMeta{Index: snap.index, Term: snap.term}
	if terms := args.pairs["entries"]; terms != "" {
		for i, term := range strings.Split(terms, ",") {
			e := Entry{Index: m.Index + Index(i) + 1, Term: Term(number(term)), Type: EntryCommand}
			e.Data = fmt.Appendf(nil, "%d.%d", e.Index, e.Term)
			m.Entries = append(m.Entries, e)
		}
	}
	return m
}

func (s *script) status() {
	for _, n := range s.r.nodes {
		if n.core == nil {
			s.r.say("%v is down", n.id)
			continue
		}
		st := n.core.Status()
		s.r.say("%v %v of term %d, leader %s, log (%d,%d], commit %d, applied %d", n.id, st.Role, st.Term,
			formatNode(st.Leader), st.First-1, st.Last, st.Commit, st.Applied)
		if st.Role != Leader {
			continue
		}
		for i := range n.core.peers {
			p := &n.core.peers[i]
			s.r.say("   %v %v match %d next %d inflight %d", p.id, p.state, p.match, p.next, p.window.count)
		}
	}
}

// log shows a member's log by terms, and what of it is durable.
func (s *script) log(n *rigNode) {
	c := n.core
	terms := []string{fmt.Sprintf("(%d/%d)", c.log.base.index, c.log.base.term)}
	for i := c.log.first(); i <= c.log.last; i++ {
		terms = append(terms, fmt.Sprintf("%d/%d", i, c.log.term(i)))
	}
	s.r.say("%v log %s; durable %d, cached from %d", n.id, strings.Join(terms, " "), c.writes.durable, c.log.cached())
}
