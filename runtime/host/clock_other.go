//go:build !linux

package host

import "time"

// suspensionClock has nothing to read.
func suspensionClock() (time.Duration, bool) { return 0, false }
