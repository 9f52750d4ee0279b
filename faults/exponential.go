package faults

import (
	"fmt"
	"math/bits"
	"time"
)

// exponentialCap is the longest time Exponential returns, in means. One draw
// in 485 million would be longer.
const exponentialCap = 20

// meanMax is the longest mean Exponential takes, about nine years: the cap
// times it still fits a Duration.
const meanMax = time.Duration(1) << 58

// logTable holds log2(1 + i/64) as fractions of 2^32.
var logTable = [65]uint64{
	0x00000000, 0x05b9e5a1, 0x0b5d69bb, 0x10eb38a0, 0x1663f6fb, 0x1bc84241, 0x2118b11a, 0x2655d3c5,
	0x2b803474, 0x309857a0, 0x359ebc5b, 0x3a93dc98, 0x3f782d72, 0x444c1f6b, 0x49101eac, 0x4dc4933b,
	0x5269e12f, 0x570068e8, 0x5b888736, 0x6002958c, 0x646eea24, 0x68cdd82a, 0x6d1fafdd, 0x7164beb5,
	0x759d4f81, 0x79c9aa88, 0x7dea15a3, 0x81fed45d, 0x86082807, 0x8a064fd5, 0x8df988f5, 0x91e20ea1,
	0x95c01a3a, 0x9993e356, 0x9d5d9fd5, 0xa11d83f5, 0xa4d3c25e, 0xa8808c38, 0xac241135, 0xafbe7fa1,
	0xb3500472, 0xb6d8cb54, 0xba58feb2, 0xbdd0c7ca, 0xc1404eae, 0xc4a7ba58, 0xc80730b0, 0xcb5ed695,
	0xceaecfeb, 0xd1f73f9c, 0xd53847ac, 0xd8720936, 0xdba4a47b, 0xded038e6, 0xe1f4e517, 0xe512c6e5,
	0xe829fb69, 0xeb3a9f02, 0xee44cd5a, 0xf148a170, 0xf446359b, 0xf73da38e, 0xfa2f045e, 0xfd1a708c,
	0x100000000,
}

// Exponential draws a time with an exponential distribution of that mean,
// capped at 20 means: the gap to the next of events that strike at any moment
// with equal chance. A mean of zero draws nothing and returns zero.
// It panics if the mean is negative or above nine years.
func (x *Site) Exponential(mean time.Duration) time.Duration {
	if mean == 0 {
		return 0
	}
	if mean < 0 || mean > meanMax {
		panic(fmt.Sprintf("faults: mean %v at site %v, want 0 to %v", mean, x, meanMax))
	}
	hi, lo := bits.Mul64(uint64(mean), negativeLog(^x.Draw()))
	return time.Duration(hi<<32 | lo>>32)
}

// negativeLog returns -ln(w / 2^64) in units of 2^-32, at most the cap. The
// table is interpolated linearly, which errs by less than 1e-4.
func negativeLog(w uint64) uint64 {
	const (
		one  = 1 << 32
		ln2  = 0xb17217f7 // ln(2) in units of 2^-32
		most = exponentialCap * one
	)
	if w == 0 {
		return most
	}
	zeros := bits.LeadingZeros64(w)
	m := w << zeros // 2^63 <= m: 1.0 to 2.0 with the point after the first bit
	i := m >> 57 & 63
	rest := m >> 25 & (one - 1)
	frac := logTable[i] + (logTable[i+1]-logTable[i])*rest>>32
	log2 := uint64(zeros+1)*one - frac
	hi, lo := bits.Mul64(log2, ln2)
	return min(hi<<32|lo>>32, most)
}
