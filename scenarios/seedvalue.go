package scenarios

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/octopii-go/octopii/faults"
)

// seedText is a word or a line; empty: not said.
type seedText string

func (v *seedText) parse(text string) error {
	*v = seedText(text)
	return nil
}

func (v *seedText) lines() []string {
	if *v == "" {
		return nil
	}
	return []string{string(*v)}
}

// seedNote is any number of lines.
type seedNote string

func (v *seedNote) parse(text string) error {
	if *v != "" {
		*v += "\n"
	}
	*v += seedNote(text)
	return nil
}

func (v *seedNote) lines() []string {
	if *v == "" {
		return nil
	}
	return strings.Split(string(*v), "\n")
}

// seedNumber is a number of 64 bits.
type seedNumber uint64

func (v *seedNumber) parse(text string) error {
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return errors.New("want a whole number")
	}
	*v = seedNumber(n)
	return nil
}

func (v *seedNumber) lines() []string { return []string{strconv.FormatUint(uint64(*v), 10)} }

// seedCount is a number of things.
type seedCount int

func (v *seedCount) parse(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return errors.New("want a whole number")
	}
	*v = seedCount(n)
	return nil
}

func (v *seedCount) lines() []string { return []string{strconv.Itoa(int(*v))} }

// seedSwitch is on, or left out.
type seedSwitch bool

func (v *seedSwitch) parse(text string) error {
	if text != "true" {
		return errors.New("want true, or no such line")
	}
	*v = true
	return nil
}

func (v *seedSwitch) lines() []string {
	if !*v {
		return nil
	}
	return []string{"true"}
}

// seedDuration is a whole number of a unit, such as 30s or 1500ms.
type seedDuration time.Duration

// durationUnits are the units, the longest first.
var durationUnits = []struct {
	name string
	unit time.Duration
}{{"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond}}

func (v *seedDuration) parse(text string) error {
	digits := strings.TrimRight(text, "smun")
	n, err := strconv.ParseUint(digits, 10, 63)
	for _, u := range durationUnits {
		if err == nil && text[len(digits):] == u.name && n <= math.MaxInt64/uint64(u.unit) {
			*v = seedDuration(n) * seedDuration(u.unit)
			return nil
		}
	}
	return errors.New("want a duration such as 30s or 1500ms")
}

func (v *seedDuration) lines() []string {
	d := time.Duration(*v)
	for _, u := range durationUnits {
		if d%u.unit == 0 {
			return []string{strconv.FormatInt(int64(d/u.unit), 10) + u.name}
		}
	}
	panic(fmt.Sprintf("scenarios: %d ns is no whole number of ns", int64(d)))
}

// seedFaults is what was typed, in its canonical form.
type seedFaults faults.Spec

func (v *seedFaults) parse(text string) error {
	spec, err := faults.Parse(text)
	*v = seedFaults(spec)
	return err
}

func (v *seedFaults) lines() []string { return []string{faults.Spec(*v).String()} }

// seedOverrides has one override a line: site, counter and value.
type seedOverrides []faults.Override

// overridesMax bounds the overrides of a seed file.
const overridesMax = 1_000_000

func (v *seedOverrides) parse(text string) error {
	words := strings.Fields(text)
	if len(words) != 3 {
		return errors.New("want site, counter and value")
	}
	if len(*v) == overridesMax {
		return fmt.Errorf("more than %d overrides", overridesMax)
	}
	var numbers [3]seedNumber
	for i, word := range words {
		if err := numbers[i].parse(word); err != nil {
			return err
		}
	}
	*v = append(*v, faults.Override{Site: uint64(numbers[0]), Counter: uint64(numbers[1]), Value: uint64(numbers[2])})
	return nil
}

func (v *seedOverrides) lines() []string {
	var lines []string
	for _, o := range *v {
		lines = append(lines, fmt.Sprintf("0x%016x %d %d", o.Site, o.Counter, o.Value))
	}
	return lines
}

// seedVerdict is a verdict by its name.
type seedVerdict Verdict

func (v *seedVerdict) parse(text string) error {
	i := slices.Index(verdictNames, text)
	if i < 0 {
		return fmt.Errorf("want one of %s", strings.Join(verdictNames, ", "))
	}
	*v = seedVerdict(i)
	return nil
}

func (v *seedVerdict) lines() []string { return []string{Verdict(*v).String()} }

// seedService is a service by its name, KV if it is left out.
type seedService Service

func (v *seedService) parse(text string) error {
	i := slices.Index(serviceNames[:], text)
	if i < 0 {
		return fmt.Errorf("want one of %s", strings.Join(serviceNames[:], ", "))
	}
	*v = seedService(i)
	return nil
}

func (v *seedService) lines() []string {
	if Service(*v) == KV {
		return nil
	}
	return []string{Service(*v).String()}
}
