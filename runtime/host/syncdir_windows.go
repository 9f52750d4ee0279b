package host

import (
	"os"

	"golang.org/x/sys/windows"
)

// syncDir makes the entries of an open folder durable: names that were made, changed or removed before.
//
// This system flushes a folder as it flushes a file: what is changed of it in memory is written, and the device's cache
// emptied. It takes a handle that may write, as no folder opened by package os has. The right to make folders
// in it is asked for, which is the least that counts as such: whoever made something there has it, at the top
// of a drive too.
//
// File systems that cannot flush a folder, such as those of other machines, say so, and the error is returned: a node is
// better refused than told that something is durable when nobody knows. Where a name has reached the
// device before its folder was flushed, as the journal of NTFS may have it, nothing relies on that.
func syncDir(f *os.File) error {
	name, err := windows.UTF16PtrFromString(f.Name())
	if err != nil {
		return &os.PathError{Op: "sync", Path: f.Name(), Err: err}
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	h, err := windows.CreateFile(name, windows.FILE_APPEND_DATA|windows.SYNCHRONIZE, share, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_BACKUP_SEMANTICS, 0) // without this flag, no folder is opened
	if err != nil {
		return &os.PathError{Op: "sync", Path: f.Name(), Err: os.NewSyscallError("CreateFile", err)}
	}
	err = windows.FlushFileBuffers(h)
	if closeErr := windows.CloseHandle(h); err == nil {
		err = closeErr
	}
	if err != nil {
		return &os.PathError{Op: "sync", Path: f.Name(), Err: os.NewSyscallError("FlushFileBuffers", err)}
	}
	return nil
}
