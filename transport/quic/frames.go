package quic

import (
	"slices"
	"sync"
)

// What is kept of the memory of frames. Small frames are not worth it.
const (
	keptMin   = 16 << 10 // bytes of a frame
	keptBytes = 4 << 20  // bytes of all frames
)

// frames is memory that frames were in and that others will be in: the large ones come and go at the rate of the network, and
// to allocate and to clear each anew costs more than to copy it. Its zero value is ready for use.
type frames struct {
	mu    sync.Mutex
	free  [][]byte // the latest last: it is still in the processor's cache
	bytes int
}

// take returns memory for a frame, whatever is in it.
func (f *frames) take(size int) []byte {
	if size < keptMin {
		return make([]byte, size)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.free) - 1; i >= 0; i-- {
		p := f.free[i]
		if len(p) < size || len(p) > 2*size {
			continue
		}
		f.free = slices.Delete(f.free, i, i+1)
		f.bytes -= len(p)
		return p[:size]
	}
	return make([]byte, size)
}

// give takes the memory of a frame back. What lies beyond its length may be another frame's.
func (f *frames) give(p []byte) {
	if len(p) < keptMin {
		return
	}
	p = p[:len(p):len(p)]
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.free) > 0 && f.bytes+len(p) > keptBytes { // those are of a size that is not asked for
		f.bytes -= len(f.free[0])
		f.free = slices.Delete(f.free, 0, 1)
	}
	f.free, f.bytes = append(f.free, p), f.bytes+len(p)
}
