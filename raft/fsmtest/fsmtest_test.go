package fsmtest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/fsmtest"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

// banks is the test of a bank with a bug.
func banks(b bug, make func(*bank) raft.StateMachine) fsmtest.Config {
	world := new(int)
	return fsmtest.Config{
		Machine: func() raft.StateMachine { return make(newBank(b, world)) },
		Command: func(d *fsmtest.Dice) []byte { return []byte{byte('a' + d.Below(5)), byte(d.Below(100))} },
		Query:   func(d *fsmtest.Dice) []byte { return []byte{byte('a' + d.Below(6))} },
		Count:   60,
	}
}

func plain(m *bank) raft.StateMachine { return m }

func TestGoodMachinesPass(t *testing.T) {
	cfg := banks("", plain)
	t.Run("plain", func(t *testing.T) { fsmtest.Run(t, cfg) })
	t.Run("compacting", func(t *testing.T) {
		fsmtest.Run(t, banks("", func(m *bank) raft.StateMachine { return compacting{m} }))
	})
	t.Run("filing", func(t *testing.T) {
		cfg := banks("", func(m *bank) raft.StateMachine { return filing{m} })
		cfg.Files = func() (runtime.FS, error) { return host.OpenFolder(t.TempDir()) }
		cfg.Count, cfg.Trials = 20, 1
		fsmtest.Run(t, cfg)
	})
	t.Run("given commands, no queries", func(t *testing.T) {
		cfg := cfg
		cfg.Command, cfg.Query = nil, nil
		for i := range 10 {
			cfg.Commands = append(cfg.Commands, []byte{'a' + byte(i%3), byte(i + 1)})
		}
		fsmtest.Run(t, cfg)
	})
}

// Every promise that can be broken is, and the rule that sees it is the one that says so.
func TestBrokenMachinesAreSeen(t *testing.T) {
	asCompacting := func(m *bank) raft.StateMachine { return compacting{m} }
	for _, c := range []struct {
		bug  bug
		make func(*bank) raft.StateMachine
		want string // in the error
	}{
		{"nothing is executed", plain, "commands change the state: trial 0: 60 commands leave the empty state"},
		{"order of a map", plain, "one more time is the same"},
		{"response depends on the machine", plain, "one more time is the same: trial 0: command 0"},
		{"response depends on the batch", plain, "batches do not matter"},
		{"batch has one response", plain, "responses were appended to results"},
		{"results are replaced", plain, "the response before was changed"},
		{"command is changed", plain, "was changed to"},
		{"nonsense depends on the machine", plain, "nonsense gets a response: trial 0: command"},
		{"responses share a buffer", plain, "responses belong to the caller"},
		{"responses overlap", plain, "responses belong to the caller"},
		{"responses belong to the state", plain, "responses belong to the caller"},
		{"query counts", plain, "queries change nothing"},
		{"query answers anew", plain, "and asked again"},
		{"answers belong to the state", plain, "queries change nothing"},
		{"query is changed", plain, "queries change nothing: trial 0: query"},
		{"answers differ after a restore", plain, "of the restored machine"},
		{"snapshot fails", plain, "snapshot: no"},
		{"snapshot resets a part", plain, "taking a snapshot changes nothing"},
		{"compact drops the present", asCompacting, "taking a snapshot changes nothing"},
		{"compact fails", asCompacting, "compact to"},
		{"image shows the present", plain, "an image is of its moment"},
		{"image shows later accounts", plain, "an image is of its moment"},
		{"wrong number of bytes", plain, "says that it wrote"},
		{"failed write is ignored", plain, "an image tells a failed write"},
		{"restore keeps what was", plain, "restored is as if it had never stopped"},
		{"restore forgets a part", plain, "restored is as if it had never stopped"},
		{"restore reads once", plain, "restored is as if it had never stopped"},
		{"end is taken for the end", plain, "half a snapshot is an error"},
		{"read error is ignored", plain, "half a snapshot is an error"},
	} {
		err := fsmtest.Check(banks(c.bug, c.make))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.bug, err, c.want)
		}
	}
}

// A failure comes again with the same seed.
func TestFailuresComeAgain(t *testing.T) {
	first := fsmtest.Check(banks("restore forgets a part", plain))
	again := fsmtest.Check(banks("restore forgets a part", plain))
	other := banks("restore forgets a part", plain)
	other.Seed = 1
	if first.Error() != again.Error() || first.Error() == fsmtest.Check(other).Error() {
		t.Errorf("got\n%v\nand then\n%v", first, again)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := banks("", plain)
	for _, c := range []struct {
		name string
		edit func(*fsmtest.Config)
	}{
		{"no machine", func(c *fsmtest.Config) { c.Machine = nil }},
		{"no commands", func(c *fsmtest.Config) { c.Command = nil }},
		{"too few", func(c *fsmtest.Config) { c.Count = 9 }},
		{"too few given", func(c *fsmtest.Config) { c.Commands = make([][]byte, 9) }},
		{"no trial", func(c *fsmtest.Config) { c.Trials = -1 }},
	} {
		cfg := good
		c.edit(&cfg)
		if cfg.Validate() == nil || fsmtest.Check(cfg) == nil {
			t.Errorf("%s: it validates", c.name)
		}
	}
	files := errors.New("no files")
	filingBank := banks("", func(m *bank) raft.StateMachine { return filing{m} })
	if err := fsmtest.Check(filingBank); err == nil || !strings.Contains(err.Error(), "keeps files") {
		t.Errorf("a machine with files and none to be had: %v", err)
	}
	filingBank.Files = func() (runtime.FS, error) { return nil, files }
	if err := fsmtest.Check(filingBank); !errors.Is(err, files) {
		t.Errorf("files that cannot be made: %v", err)
	}
}
