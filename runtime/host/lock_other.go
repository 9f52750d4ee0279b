//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package host

import (
	"errors"
	"fmt"
)

// tryLock fails: a folder that cannot be locked must not be served.
func tryLock(fd uintptr) error {
	return fmt.Errorf("host: lock: %w on this system", errors.ErrUnsupported)
}

// tryShare fails for the same reason.
func tryShare(fd uintptr) error { return tryLock(fd) }
