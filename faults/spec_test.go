package faults

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	power := func(target Target, mean time.Duration) Crash { return Crash{Target: target, Power: true, Mean: mean} }
	for _, c := range []struct {
		text string
		want Spec
		form string // canonical; empty: the text itself
	}{
		{"none", Spec{}, ""},
		{"", Spec{}, "none"},
		{"io=0", Spec{}, "none"},
		{"io=0.15", Spec{IO: 150_000}, ""},
		{"io=0.150", Spec{IO: 150_000}, "io=0.15"},
		{"io=.5", Spec{IO: 500_000}, "io=0.5"},
		{"io=1", Spec{IO: Million}, ""},
		{"io=1.0", Spec{IO: Million}, "io=1"},
		{"io=00.0000010", Spec{IO: 1}, "io=0.000001"},
		{"crash=any", Spec{Crash: power(TargetAny, 5*time.Second)}, ""},
		{"crash=any:power/5s", Spec{Crash: power(TargetAny, 5*time.Second)}, "crash=any"},
		{"crash=leader/2s", Spec{Crash: power(TargetLeader, 2*time.Second)}, ""},
		{"crash=majority:kill", Spec{Crash: Crash{Target: TargetMajority, Mean: 5 * time.Second}}, ""},
		{"crash=all:kill/500ms", Spec{Crash: Crash{Target: TargetAll, Mean: 500 * time.Millisecond}}, ""},
		{"partition=flap", Spec{Partition: Partition{Shape: ShapeFlap, Mean: 5 * time.Second}}, ""},
		{"partition=oneway/1m", Spec{Partition: Partition{Shape: ShapeOneWay, Mean: time.Minute}}, "partition=oneway/1m0s"},
		{"delay=0s", Spec{}, "none"},
		{
			" delay=20ms , drop=0.05,dup=0.02, corrupt=0.001 ",
			Spec{Drop: 50_000, Dup: 20_000, Corrupt: 1000, Delay: 20 * time.Millisecond},
			"drop=0.05,dup=0.02,corrupt=0.001,delay=20ms",
		},
		{
			"partition=flap,io=0.10,torn=0.5,sync=0.01,crash=any,drop=0.05,dup=0.02",
			Spec{
				IO: 100_000, Sync: 10_000, Torn: 500_000, Crash: power(TargetAny, 5*time.Second),
				Partition: Partition{Shape: ShapeFlap, Mean: 5 * time.Second}, Drop: 50_000, Dup: 20_000,
			},
			"io=0.1,sync=0.01,torn=0.5,crash=any,partition=flap,drop=0.05,dup=0.02",
		},
	} {
		got, err := Parse(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
		form := c.form
		if form == "" {
			form = c.text
		}
		if got.String() != form {
			t.Errorf("%q: canonical form %q, want %q", c.text, got, form)
		}
	}
}

func TestParseErrorsNameTheKeyAndListTheValidOnes(t *testing.T) {
	const keys = " (valid keys: io, sync, after, close, torn, psow, fs, space, slow, stall, dead, rot, latent, phantom, misdirect, stale, astray, wipe, restore, swap, budget, crash, pause, lag, partition, clog, drop, dup, corrupt, delay, none)"
	const crash = ", want crash=any|leader|majority|all[:kill|power][/MEAN]"
	const partition = ", want partition=single|halves|leader|oneway|flap[/MEAN]"
	for text, want := range map[string]string{
		"oi=0.1":                       `unknown key "oi"`,
		"IO=0.1":                       `unknown key "IO"`,
		"a\nb=1":                       `unknown key "a\nb"`,
		"io=0.1,":                      `unknown key ""`,
		"io=0.1,none":                  `none stands alone`,
		"none,io=0.1":                  `none stands alone`,
		"io":                           `io has no value, want io=P`,
		"io=0.1,sync=0,io=.1":          `io is given twice`,
		"io=":                          `io=: not a decimal number, want io=P`,
		"io=.":                         `io=.: not a decimal number, want io=P`,
		"io=1.":                        `io=1.: not a decimal number, want io=P`,
		"io=-0.1":                      `io=-0.1: not a decimal number, want io=P`,
		"io=1e-3":                      `io=1e-3: not a decimal number, want io=P`,
		"io=15%":                       `io=15%: not a decimal number, want io=P`,
		"io=0.1\n":                     ``, // outer space is no error
		"io=0.\n1":                     `io="0.\n1": not a decimal number, want io=P`,
		"sync=1.000001":                `sync=1.000001: above 1, want sync=P`,
		"sync=15":                      `sync=15: above 1, want sync=P`,
		"sync=99999999999999999999999": `sync=99999999999999999999999: above 1, want sync=P`,
		"torn=0.0000001":               `torn=0.0000001: more than 6 decimals, want torn=P`,
		"crash=":                       `crash=: unknown target ""` + crash,
		"crash=some":                   `crash=some: unknown target "some"` + crash,
		"crash=any:":                   `crash=any:: unknown way to crash ""` + crash,
		"crash=any:fire":               `crash=any:fire: unknown way to crash "fire"` + crash,
		"crash=any/":                   `crash=any/: "" is not a duration such as 20ms` + crash,
		"crash=any/0s":                 `crash=any/0s: 0s is not from 1ms to 1h0m0s` + crash,
		"crash=any/2h":                 `crash=any/2h: 2h0m0s is not from 1ms to 1h0m0s` + crash,
		"crash=any/5s:kill":            `crash=any/5s:kill: "5s:kill" is not a duration such as 20ms` + crash,
		"partition=":                   `partition=: unknown shape ""` + partition,
		"partition=star":               `partition=star: unknown shape "star"` + partition,
		"partition=flap/1us":           `partition=flap/1us: 1µs is not from 1ms to 1h0m0s` + partition,
		"delay=20":                     `delay=20: "20" is not a duration such as 20ms, want delay=DURATION`,
		"delay=-1ms":                   `delay=-1ms: -1ms is not from 0s to 1m0s, want delay=DURATION`,
		"delay=2m":                     `delay=2m: 2m0s is not from 0s to 1m0s, want delay=DURATION`,
	} {
		s, err := Parse(text)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%q: no error", text)
			continue
		}
		if got := err.Error(); got != "faults: "+want+keys {
			t.Errorf("%q:\n got %s\nwant %s", text, got, "faults: "+want+keys)
		}
		if s != (Spec{}) {
			t.Errorf("%q: an error came with %v", text, s)
		}
	}
}

func TestHelpCoversEveryKey(t *testing.T) {
	help := Help()
	for _, f := range fields {
		for _, want := range []string{f.key + "=" + f.form, f.doc, "for example " + f.key + "=" + f.example} {
			if !strings.Contains(help, want) {
				t.Errorf("help lacks %q", want)
			}
		}
		s, err := Parse(f.key + "=" + f.example)
		if err != nil {
			t.Errorf("the example of %s: %v", f.key, err)
		}
		if got := s.String(); got != f.key+"="+f.example {
			t.Errorf("the example of %s is not canonical: %s", f.key, got)
		}
		if want := []Kind{f.kind}; f.kind != KindNone && !cmp.Equal(want, s.Enabled()) {
			diff := cmp.Diff(want, s.Enabled())
			t.Errorf("kinds of %s (-want +got):\n%s", f.key, diff)
		}
	}
	for line := range strings.Lines(help) {
		if len(line) > 101 || !strings.HasSuffix(line, "\n") {
			t.Errorf("help line of %d columns: %q", len(line), line)
		}
	}
}

func TestWithoutTurnsOffWhatDoesNothingThen(t *testing.T) {
	for _, c := range []struct{ spec, key, want string }{
		{"io=0.1,drop=0.05", "io", "drop=0.05"},
		{"io=0.1", "io", "none"},
		{"sync=0.01,after=any", "sync", "none"},
		{"torn=0.5,psow=0,fs=ext4,crash=any,drop=0.05", "crash", "drop=0.05"},
		{"torn=0.5,psow=0,crash=any", "torn", "crash=any"},
		{"fs=liar,crash=any", "crash", "fs=liar"},
		{"rot=1s,budget=over", "rot", "none"},
		{"rot=1s,restore=1s,swap=1s,budget=over", "budget", "rot=1s"},
		{"restore=1s,swap=1s,budget=over", "swap", "restore=1s,budget=over"},
	} {
		s, err := Parse(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		rest, off := s.Without(c.key)
		if rest.String() != c.want || !off || rest.Conflict() != nil {
			t.Errorf("%s without %s: %v, %v, %v, want %s", c.spec, c.key, rest, off, rest.Conflict(), c.want)
		}
		if again, off := rest.Without(c.key); again != rest || off {
			t.Errorf("%v without %s, which is off: %v, %v", rest, c.key, again, off)
		}
	}
}

func TestEveryTargetAndShapeCanBeTyped(t *testing.T) {
	for target := TargetAny; target <= TargetAll; target++ {
		if s, err := Parse("crash=" + targetNames[target]); err != nil || s.Crash.Target != target {
			t.Errorf("target %d: %v, %v", target, s, err)
		}
	}
	for shape := ShapeSingle; shape <= ShapeFlap; shape++ {
		if s, err := Parse("partition=" + shapeNames[shape]); err != nil || s.Partition.Shape != shape {
			t.Errorf("shape %d: %v, %v", shape, s, err)
		}
	}
}

// drawSpec draws any spec that can be typed.
func drawSpec(t *rapid.T) (s Spec) {
	for _, r := range []*uint32{&s.IO, &s.Sync, &s.Close, &s.Torn, &s.Stale, &s.Astray, &s.Drop, &s.Dup, &s.Corrupt} {
		*r = rapid.Uint32Range(0, Million).Draw(t, "ppm")
	}
	mean := rapid.Map(rapid.Int64Range(int64(meanLeast), int64(meanMost)), func(n int64) time.Duration { return time.Duration(n) })
	if target := Target(rapid.IntRange(0, int(TargetAll)).Draw(t, "target")); target != NoTarget {
		s.Crash = Crash{Target: target, Power: rapid.Bool().Draw(t, "power"), Mean: mean.Draw(t, "mean")}
	}
	if shape := Shape(rapid.IntRange(0, int(ShapeFlap)).Draw(t, "shape")); shape != NoShape {
		s.Partition = Partition{Shape: shape, Mean: mean.Draw(t, "mean")}
	}
	s.After = AfterSync(rapid.IntRange(0, int(AfterAny)).Draw(t, "after"))
	s.FS = Profile(rapid.IntRange(0, int(ProfileLiar)).Draw(t, "fs"))
	s.NoPSOW = rapid.Bool().Draw(t, "psow")
	s.Budget = Budget(rapid.IntRange(0, int(BudgetOver)).Draw(t, "budget"))
	if rapid.Bool().Draw(t, "damage") {
		for _, d := range []*time.Duration{&s.Rot, &s.Latent, &s.Phantom, &s.Misdirect, &s.Wipe, &s.Restore, &s.Swap} {
			*d = mean.Draw(t, "mean")
		}
	}
	if rapid.Bool().Draw(t, "trouble") {
		s.Space.Bytes = rapid.Int64Range(1, spaceMax).Draw(t, "space")
		s.Slow.Factor = rapid.Uint32Range(factorMin, factorMax).Draw(t, "slow")
		s.Stall = Stall{Max: time.Duration(rapid.Int64Range(int64(stallMin), int64(stallMax)).Draw(t, "stall")), Mean: mean.Draw(t, "mean")}
		s.Dead = Stall{Max: time.Duration(rapid.Int64Range(int64(stallMin), int64(stallMax)).Draw(t, "dead")), Mean: mean.Draw(t, "mean")}
		if rapid.Bool().Draw(t, "passes") {
			s.Space.Mean, s.Slow.Mean = mean.Draw(t, "mean"), mean.Draw(t, "mean")
		}
	}
	s.Delay = time.Duration(rapid.Int64Range(0, int64(delayMax)).Draw(t, "delay"))
	return s
}

func TestSpecRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSpec(t)
		got, err := Parse(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%s came back as %s", want, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "none", "io=0.15,sync=.01,torn=1", "crash=leader:kill/2s,partition=flap/1m", "delay=1h1ns,delay"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			if message := err.Error(); strings.ContainsAny(message, "\n\r") || !strings.Contains(message, "valid keys: io") {
				t.Errorf("%q: error %q", text, message)
			}
			return
		}
		again, err := Parse(s.String())
		if err != nil || again != s {
			t.Errorf("%q is %q, which is %v, %v", text, s, again, err)
		}
	})
}
