package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// nothing is the spec of a run without faults.
const nothing = "none"

// Ranges of what may be typed.
const (
	meanLeast = time.Millisecond
	meanMost  = time.Hour
	delayMax  = time.Minute
)

// Parse reads a spec such as "io=0.15,crash=leader:kill/2s". An empty text is
// "none". The error is one line that names the key at fault and lists the valid ones.
func Parse(text string) (Spec, error) {
	var s Spec
	if text = strings.TrimSpace(text); text == "" || text == nothing {
		return s, nil
	}
	var seen []string
	for item := range strings.SplitSeq(text, ",") {
		key, val, given := strings.Cut(strings.TrimSpace(item), "=")
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		var err error
		switch {
		case key == nothing:
			err = fmt.Errorf("faults: %s stands alone", nothing)
		case i < 0:
			err = fmt.Errorf("faults: unknown key %q", key)
		case slices.Contains(seen, key):
			err = fmt.Errorf("faults: %s is given twice", key)
		case !given:
			err = fmt.Errorf("faults: %s has no value, want %s=%s", key, key, fields[i].form)
		default:
			if bad := fields[i].of(&s).parse(val); bad != nil {
				err = fmt.Errorf("faults: %s=%s: %w, want %s=%s", key, printable(val), bad, key, fields[i].form)
			}
		}
		if err != nil {
			return Spec{}, fmt.Errorf("%w (valid keys: %s)", err, validKeys())
		}
		seen = append(seen, key)
	}
	return s, nil
}

// validKeys lists all keys and "none".
func validKeys() string {
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	return strings.Join(append(keys, nothing), ", ")
}

// printable returns text as it is, or quoted if it would spoil a line.
func printable(text string) string {
	if quoted := fmt.Sprintf("%q", text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

// rate is a chance in parts per million, typed as a decimal fraction.
type rate uint32

// rateDigits is how many decimals a part per million has.
const rateDigits = 6

func (r *rate) parse(text string) error {
	whole, frac, point := strings.Cut(text, ".")
	digits := whole + frac
	if digits == "" || point && frac == "" || strings.Trim(digits, "0123456789") != "" {
		return fmt.Errorf("not a decimal number")
	}
	frac = strings.TrimRight(frac, "0")
	if len(frac) > rateDigits {
		return fmt.Errorf("more than %d decimals", rateDigits)
	}
	var ppm uint64
	for _, d := range []byte(whole + frac + strings.Repeat("0", rateDigits-len(frac))) {
		if ppm = ppm*10 + uint64(d-'0'); ppm > Million {
			return fmt.Errorf("above 1")
		}
	}
	*r = rate(ppm)
	return nil
}

func (r *rate) String() string {
	if *r == 0 {
		return ""
	}
	text := fmt.Sprintf("%d.%06d", *r/Million, *r%Million)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// extraDelay is a duration that is off at zero.
type extraDelay time.Duration

func (d *extraDelay) parse(text string) error {
	parsed, err := parseDuration(text, 0, delayMax)
	*d = extraDelay(parsed)
	return err
}

func (d *extraDelay) String() string {
	if *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}

func (c *Crash) parse(text string) (err error) {
	text, c.Mean, err = cutMean(text)
	if err != nil {
		return err
	}
	name, how, given := strings.Cut(text, ":")
	i := slices.Index(targetNames, name)
	if i < 0 || name == "" {
		return fmt.Errorf("unknown target %q", name)
	}
	if given && how != "kill" && how != "power" {
		return fmt.Errorf("unknown way to crash %q", how)
	}
	c.Target, c.Power = Target(i), how != "kill"
	return nil
}

// String returns the crash as typed after "crash=", empty if there is none.
func (c Crash) String() string {
	if c.Target == NoTarget {
		return ""
	}
	how := ":kill"
	if c.Power {
		how = ""
	}
	return targetNames[c.Target] + how + meanSuffix(c.Mean)
}

func (p *Partition) parse(text string) (err error) {
	text, p.Mean, err = cutMean(text)
	if err != nil {
		return err
	}
	i := slices.Index(shapeNames, text)
	if i < 0 || text == "" {
		return fmt.Errorf("unknown shape %q", text)
	}
	p.Shape = Shape(i)
	return nil
}

// String returns the partition as typed after "partition=", empty if there is none.
func (p Partition) String() string {
	if p.Shape == NoShape {
		return ""
	}
	return shapeNames[p.Shape] + meanSuffix(p.Mean)
}

// cutMean splits "text/MEAN". Without a mean it returns the default.
func cutMean(text string) (before string, mean time.Duration, err error) {
	before, after, given := strings.Cut(text, "/")
	if !given {
		return before, MeanDefault, nil
	}
	mean, err = parseDuration(after, meanLeast, meanMost)
	return before, mean, err
}

// meanSuffix is what cutMean cuts off; nothing for the default.
func meanSuffix(mean time.Duration) string {
	if mean == MeanDefault {
		return ""
	}
	return "/" + mean.String()
}

// parseDuration reads a duration such as 20ms or 1m30s, within the range.
func parseDuration(text string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration such as 20ms", text)
	case d < least || d > most:
		return 0, fmt.Errorf("%v is not from %v to %v", d, least, most)
	}
	return d, nil
}
