package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/octopii-go/octopii/runtime"
)

func TestErrorsMatchTheContract(t *testing.T) {
	cases := []struct{ is, want error }{
		{syscall.EIO, runtime.ErrIO},
		{syscall.ENOSPC, runtime.ErrNoSpace},
		{syscall.EDQUOT, runtime.ErrNoSpace},
		{syscall.ENOENT, fs.ErrNotExist},
		{syscall.EEXIST, fs.ErrExist},
		{os.ErrClosed, fs.ErrClosed},
	}
	for _, tc := range cases {
		err := mapError(&fs.PathError{Op: "write", Path: "f", Err: tc.is})
		if !errors.Is(err, tc.want) || !errors.Is(err, tc.is) {
			t.Errorf("%v became %v, which does not match %v and itself", tc.is, err, tc.want)
		}
	}
	if errors.Is(mapError(syscall.EACCES), runtime.ErrIO) {
		t.Error("EACCES became ErrIO")
	}
	if mapError(nil) != nil {
		t.Error("nil became an error")
	}
}

// TestInterruptedCallIsRepeated checks the loop around system calls.
func TestInterruptedCallIsRepeated(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	calls := 0
	err = onDescriptor(f, func(uintptr) error {
		if calls++; calls < 3 {
			return os.NewSyscallError("test", syscall.EINTR)
		}
		return syscall.EIO
	})
	if calls != 3 || !errors.Is(err, syscall.EIO) {
		t.Errorf("%d calls, %v", calls, err)
	}
}
