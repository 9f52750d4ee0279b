package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// bareFileBytes is the size of the bare loop's file, that of a segment elsewhere.
const bareFileBytes = 64 << 20

// bareChunkBytes is what the bare scan reads at once.
const bareChunkBytes = 1 << 20

// bareZeroBytes is what is zeroed at once. Larger pieces make larger folios in the page
// cache, and the loop up to a tenth slower.
const bareZeroBytes = 64 << 10

// bareStore is the physical limit: a write and an fdatasync on a file whose
// blocks were written and synced before. It goes round in its file, has no
// format, no index and no checksum, and cannot be recovered.
type bareStore struct {
	f      *os.File
	at     int64
	size   int64 // of the file; what was written up to it, when it is scanned
	buf    []byte
	noSync bool
	copies int // of what is appended, in one write
}

func openBare(s setup) (store, error) { return newBare(s, 1) }

// openBareTwice is what two topics cost that both get the payload, if nothing else does.
func openBareTwice(s setup) (store, error) { return newBare(s, 2) }

func newBare(s setup, copies int) (store, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "bare"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	b := &bareStore{f: f, size: bareFileBytes, noSync: s.noSync, copies: copies}
	return b, b.fill()
}

// fill writes zeros to the file's end.
func (b *bareStore) fill() error {
	b.room(bareZeroBytes)
	for at := int64(0); at < b.size; at += bareZeroBytes {
		if _, err := b.f.WriteAt(b.buf[:bareZeroBytes], at); err != nil {
			return err
		}
	}
	return b.f.Sync()
}

// room makes the buffer large enough.
func (b *bareStore) room(n int) {
	if len(b.buf) < n {
		b.buf = make([]byte, n)
	}
}

func (b *bareStore) append(payloads [][]byte) error {
	n := 0
	for _, p := range payloads {
		n += b.copies * len(p)
	}
	b.room(n)
	return b.put(b.buf[:n])
}

// put writes p where the last write ended, and syncs.
func (b *bareStore) put(p []byte) error {
	if err := b.write(p); err != nil || b.noSync {
		return err
	}
	return ignoringEINTR(func() error { return syscall.Fdatasync(int(b.f.Fd())) })
}

func (b *bareStore) write(payload []byte) error {
	if b.at+int64(len(payload)) > b.size {
		b.at = 0
	}
	_, err := b.f.WriteAt(payload, b.at)
	b.at += int64(len(payload))
	return err
}

func (b *bareStore) drain() error { return nil }

// grow makes the file as long as what a scan is to read.
func (b *bareStore) grow(size int64) error {
	b.size = size
	if err := b.f.Truncate(size); err != nil {
		return err
	}
	return b.fill()
}

func (b *bareStore) scan() (int64, error) {
	b.room(bareChunkBytes)
	var n int64
	for {
		got, err := b.f.ReadAt(b.buf[:bareChunkBytes], n)
		n += int64(got)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (b *bareStore) read(uint64) ([]byte, error) {
	b.room(entryBytes)
	at := rand.Int64N(b.size/entryBytes) * entryBytes
	_, err := b.f.ReadAt(b.buf[:entryBytes], at)
	return b.buf[:entryBytes], err
}

func (b *bareStore) shut() error { return nil }

// reopen reads as much as the headers of segments have.
func (b *bareStore) reopen() error {
	f, err := os.OpenFile(b.f.Name(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	var block [8 << 10]byte
	for at := int64(0); at < b.size && err == nil; at += bareFileBytes {
		_, err = f.ReadAt(block[:], at)
	}
	return errors.Join(err, f.Close())
}

// cutBack and cutFront cost the bare loop nothing.
func (b *bareStore) cutBack(_ int, payload []byte) error  { return b.put(payload) }
func (b *bareStore) cutFront(_ int, payload []byte) error { return b.put(payload) }

func (b *bareStore) close() error { return b.f.Close() }

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
