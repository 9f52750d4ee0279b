package runtime

import (
	"errors"
	"io"
)

// Errors of an FS and its files, beside fs.ErrNotExist, fs.ErrExist,
// fs.ErrInvalid and fs.ErrClosed of io/fs. All are matched with errors.Is.
var (
	// ErrIO is the device's failure to read or write (EIO). Whether a failed
	// write left bytes behind is unknown.
	ErrIO = errors.New("input/output error")
	// ErrNoSpace means that the device is full (ENOSPC).
	ErrNoSpace = errors.New("no space left on device")
	// ErrLocked means that another process holds the lock.
	ErrLocked = errors.New("locked by another process")
)

// FS is the file system under one node's folder. Jobs receive one; several
// jobs on different lanes may use it at the same time.
//
// Names are slash-separated and relative, as fs.ValidPath says; others fail
// with fs.ErrInvalid. What a caller may rely on after a power loss:
//   - the bytes of a file, if a Sync or SyncData of it returned nil after they
//     were written, and
//   - a name created, renamed or removed, if a SyncDir of its directory
//     returned nil afterwards (for a rename: of both directories).
//
// Anything newer may be there, be missing, or be there in part.
// A process that dies without a power loss loses nothing it had written.
type FS interface {
	// Create makes a new, empty file, open for reading and writing. If the
	// name exists it fails with fs.ErrExist.
	Create(name string) (File, error)

	// Open opens an existing file for reading and writing, or fails with
	// fs.ErrNotExist.
	Open(name string) (File, error)

	// Rename gives a file another name, replacing what has that name. It is
	// atomic: no crash leaves neither.
	Rename(oldName, newName string) error

	// Remove takes away a name of a file or of an empty directory. An open
	// file stays usable until it is closed.
	Remove(name string) error

	// List returns the names in a directory, sorted, without the directory's
	// own name in front. "." is the node's folder.
	List(dir string) ([]string, error)

	// MkdirAll makes a directory and those above it that are missing. It is
	// not an error if it exists.
	MkdirAll(dir string) error

	// SyncDir makes the directory's entries durable. If it fails, which of
	// them are durable is unknown, and a later success proves nothing about them.
	SyncDir(dir string) error

	// Lock takes a lock that dies with the process, or fails at once with
	// ErrLocked. Close releases it. The name must not be used for anything else.
	Lock(name string) (io.Closer, error)
}

// File is an open file. All access is positional; there is no shared offset.
// Methods may be called from several lanes at once. A buffer belongs to the
// call until it returns.
type File interface {
	// ReadAt reads as io.ReaderAt says: fewer bytes than asked for come with an
	// error, io.EOF at the end of the file. Bytes never written read as zero.
	ReadAt(p []byte, off int64) (int, error)

	// WriteAt writes as io.WriterAt says, growing the file as needed. If it
	// returns fewer bytes than given, the error is not nil, and what the
	// range holds now is unknown. Writing no bytes changes nothing.
	WriteAt(p []byte, off int64) (int, error)

	// Allocate reserves space for n bytes at off, growing the file. With zero
	// it also writes zeros, so that later writes there change neither the size nor
	// the extents of the file. Only bytes past the old end are touched.
	// ErrNoSpace comes from here rather than from a later write. Reserving no
	// bytes changes nothing.
	Allocate(off, n int64, zero bool) error

	// Size returns the length of the file in bytes.
	Size() (int64, error)

	// Truncate sets the length. Bytes added read as zero.
	Truncate(size int64) error

	// SyncData makes the file's bytes durable, and its size where that is
	// needed to read them (fdatasync). After an error nothing written since the
	// last success may be assumed durable, and a later success proves nothing
	// about it: the bytes must be written anew, elsewhere.
	SyncData() error

	// Sync is SyncData and makes all metadata durable too (fsync).
	Sync() error

	// DropCache forgets clean cached bytes, so that the next read comes from
	// the device: after a failed sync the cache may show bytes the device never
	// got. Unsynced bytes stay.
	DropCache() error

	// Close releases the file. It makes nothing durable.
	Close() error
}
