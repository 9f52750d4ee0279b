package faults

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Space says how full disks get. The zero Space leaves them room for everything.
type Space struct {
	// Bytes is, with a Mean, the most that is left when somebody else fills a
	// disk for a while, and without one the capacity of every disk for good.
	Bytes int64
	Mean  time.Duration
}

// Slow says how slow disks get. The zero Slow lets them be.
type Slow struct {
	// Factor is how many times longer file calls take: with a Mean on any disk in
	// bursts, without one on one disk for good.
	Factor uint32
	Mean   time.Duration
}

// Stall says for how long a disk, a process or a link stands still, or refuses everything, at
// most, and how often one does.
type Stall struct {
	Max  time.Duration
	Mean time.Duration
}

// Ranges of what may be typed.
const (
	spaceMax  = 1 << 40
	factorMin = 2
	factorMax = 10_000
	stallMin  = time.Millisecond
	stallMax  = 10 * time.Minute
)

// byteUnits are what sizes are typed in, the largest first.
var byteUnits = []struct {
	name string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func (s *Space) parse(text string) error {
	text, mean, err := cutForGood(text)
	if err != nil {
		return err
	}
	for _, unit := range byteUnits {
		digits, found := strings.CutSuffix(text, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 48)
		if err != nil || n == 0 || int64(n) > spaceMax/unit.size {
			return fmt.Errorf("%q is not a size from 1B to %dGiB", text, spaceMax>>30)
		}
		s.Bytes, s.Mean = int64(n)*unit.size, mean
		return nil
	}
	return fmt.Errorf("%q is not a size such as 256KiB", text)
}

// String returns the space as typed after "space=", empty if there is no bound.
func (s Space) String() string {
	if s.Bytes == 0 {
		return ""
	}
	for _, unit := range byteUnits {
		if s.Bytes%unit.size == 0 {
			return fmt.Sprintf("%d%s%s", s.Bytes/unit.size, unit.name, forGoodSuffix(s.Mean))
		}
	}
	panic("faults: no unit of one byte")
}

func (s *Slow) parse(text string) error {
	text, mean, err := cutForGood(text)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n < factorMin || n > factorMax {
		return fmt.Errorf("%q is not a factor from %d to %d", text, factorMin, factorMax)
	}
	s.Factor, s.Mean = uint32(n), mean
	return nil
}

// String returns the slowness as typed after "slow=", empty if there is none.
func (s Slow) String() string {
	if s.Factor == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(s.Factor), 10) + forGoodSuffix(s.Mean)
}

func (s *Stall) parse(text string) error {
	text, mean, err := cutMean(text)
	if err != nil {
		return err
	}
	s.Max, err = parseDuration(text, stallMin, stallMax)
	s.Mean = mean
	return err
}

// String returns the stalls as typed after "stall=", "dead=", "pause=" or "clog=", empty if there are none.
func (s Stall) String() string {
	if s.Max == 0 {
		return ""
	}
	return s.Max.String() + meanSuffix(s.Mean)
}

// every is an average time between two acts, off at zero.
type every time.Duration

func (e *every) parse(text string) error {
	mean, err := parseDuration(text, meanLeast, meanMost)
	*e = every(mean)
	return err
}

func (e *every) String() string {
	if *e == 0 {
		return ""
	}
	return time.Duration(*e).String()
}

// cutForGood splits "text/MEAN". Without a mean it returns zero: for good.
func cutForGood(text string) (before string, mean time.Duration, err error) {
	before, after, given := strings.Cut(text, "/")
	if !given {
		return before, 0, nil
	}
	mean, err = parseDuration(after, meanLeast, meanMost)
	return before, mean, err
}

// forGoodSuffix is what cutForGood cuts off.
func forGoodSuffix(mean time.Duration) string {
	if mean == 0 {
		return ""
	}
	return "/" + mean.String()
}
