package scenarios

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/octopii-go/octopii/faults"
)

// wholeSeed has a value in every field.
func wholeSeed(t *testing.T) SeedFile {
	spec, err := faults.Parse("io=0.15,crash=leader:kill/2s")
	if err != nil {
		t.Fatal(err)
	}
	f := SeedFile{
		Setup: Setup{
			Scenario: "custom", Service: RPC, Seed: 1<<64 - 1, Nodes: 5, Ops: 20, Clients: 2, Keys: 3, Pace: 1500 * time.Millisecond,
			Faults: spec, SnapshotEvery: 17, PanicIsFailStop: true,
			Overrides: []faults.Override{{Site: 0xabc, Counter: 12, Value: 0}, {Site: 1 << 63, Counter: 0, Value: 9}},
		},
		Commit: "61f31d7", Verdict: Safety, Signature: "durability/acked-lost", Planted: "skip-sync",
		Note: "first line\n\nthird: line",
	}
	return f
}

func TestSeedFileComesBackAsWritten(t *testing.T) {
	for name, want := range map[string]SeedFile{
		"whole": wholeSeed(t),
		"small": {Setup: Default(), Verdict: Pass},
	} {
		got, err := ParseSeed(want.Format())
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, want.Format())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// A field of Setup that the file does not keep would change the run that is replayed.
func TestSeedFileKeepsEveryFieldOfASetup(t *testing.T) {
	whole := wholeSeed(t)
	v := reflect.ValueOf(whole.Setup)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("Setup.%s: give it a value in wholeSeed, and a key in the file", v.Type().Field(i).Name)
		}
	}
	got, err := ParseSeed(whole.Format())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(whole.Setup, got.Setup) {
		t.Errorf("got %+v, want %+v", got.Setup, whole.Setup)
	}
}

func TestSeedFileText(t *testing.T) {
	want := `scenario: custom
service: rpc
seed: 18446744073709551615
nodes: 5
ops: 20
clients: 2
keys: 3
pace: 1500ms
snapshot-every: 17
faults: io=0.15,crash=leader:kill/2s
override: 0x0000000000000abc 12 0
override: 0x8000000000000000 0 9
panic-is-fail-stop: true
commit: 61f31d7
verdict: safety
signature: durability/acked-lost
planted: skip-sync
note: first line
note:
note: third: line
`
	if diff := cmp.Diff(want, string(wholeSeed(t).Format())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSeedFileErrorsNameTheLine(t *testing.T) {
	good := string(SeedFile{Setup: Default()}.Format())
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "# a comment\n\n" + good + "colour: red\n", `line 13: unknown key "colour"`},
		{"no colon", "seed 42\n", `line 1: "seed 42" is not key: value`},
		{"twice", good + "seed: 1\n", "line 11: seed is given twice"},
		{"missing", "seed: 1\n", "seed file has no scenario"},
		{"number", strings.Replace(good, "nodes: 3", "nodes: three", 1), "line 3: nodes: want a whole number"},
		{"negative seed", strings.Replace(good, "seed: 0", "seed: -1", 1), "line 2: seed: want a whole number"},
		{"duration", strings.Replace(good, "pace: 30s", "pace: 30", 1), "line 7: pace: want a duration"},
		{"unit", strings.Replace(good, "pace: 30s", "pace: 3sm", 1), "line 7: pace: want a duration"},
		{"long", strings.Replace(good, "pace: 30s", "pace: 9223372037s", 1), "line 7: pace: want a duration"},
		{"range", strings.Replace(good, "nodes: 3", "nodes: 0", 1), "nodes is 0"},
		{"faults", strings.Replace(good, "faults: none", "faults: fire=1", 1), "line 9: faults: "},
		{"verdict", strings.Replace(good, "verdict: pass", "verdict: fine", 1), "line 10: verdict: want one of pass"},
		{"override", good + "override: 1 2\n", "line 11: override: want site, counter and value"},
		{"override value", good + "override: 1 2 x\n", "line 11: override: want a whole number"},
	} {
		_, err := ParseSeed([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want it to have %q", c.name, err, c.want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %q", c.name, err)
		}
	}
}

func FuzzParseSeed(f *testing.F) {
	f.Add(SeedFile{Setup: Default()}.Format())
	f.Add([]byte("override: 1 2 3\nnote: x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := ParseSeed(text)
		if err != nil {
			return
		}
		again, err := ParseSeed(once.Format())
		if err != nil {
			t.Fatalf("%v in\n%s", err, once.Format())
		}
		if diff := cmp.Diff(once, again); diff != "" {
			t.Errorf("(-once +again)\n%s", diff)
		}
	})
}
