package group

import (
	"io"
	"path"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
)

// What a process leaves behind that dies between two file calls opens again, with everything that
// was acknowledged, and nothing that was not submitted. The images are
// taken while writers append, truncate, and segments come and go.
func TestKilledLogKeepsWhatItAcknowledged(t *testing.T) {
	const writers, images = 5, 6
	fs := folder(t)
	var calls sync.RWMutex // held for writing: no file call is under way
	l := open(t, &hookFS{FS: fs, around: func(_, _ string, call func() error) error {
		calls.RLock()
		defer calls.RUnlock()
		return call()
	}}, small())

	var stop atomic.Bool
	var begun, acked [writers]atomic.Uint64
	done := inBackground(writers, func(w int) {
		topic := walrus.Topic(w + 1)
		var b walrus.Batch
		for i := uint64(1); !stop.Load(); i++ {
			b.Reset()
			b.Entry(topic, i, 1, 0, payload(topic, i))
			if i%50 == 0 {
				b.TruncateFront(topic, i-40)
			}
			begun[w].Store(i)
			if err := l.Append(&b); err != nil {
				t.Error(err)
				return
			}
			acked[w].Store(i)
		}
	})
	for n := range images {
		l.until(t, "more groups", func() bool { return l.settled > uint64(60*n) })
		var atLeast, atMost [writers]uint64
		calls.Lock()
		for w := range writers {
			atLeast[w], atMost[w] = acked[w].Load(), begun[w].Load()
		}
		image := copyFolder(t, fs, "log")
		calls.Unlock()

		again := open(t, image, small())
		for w := range writers {
			next, err := verify(again, walrus.Topic(w+1))
			if err != nil || next <= atLeast[w] || next > atMost[w]+1 {
				t.Errorf("topic %d ends at %d: %d acknowledged, %d begun: %v", w+1, next, atLeast[w], atMost[w], err)
			}
		}
		check(t, again.Append(entry(100, 1, nil)))
		check(t, again.Close())
	}
	stop.Store(true)
	await(t, done, "the writers")
	check(t, l.Close())
}

// copyFolder copies the bytes of the files in a folder.
func copyFolder(t *testing.T, from *host.Folder, dir string) *host.Folder {
	to := folder(t)
	check(t, to.MkdirAll(dir))
	names, err := from.List(dir)
	check(t, err)
	for _, name := range names {
		name = path.Join(dir, name)
		data, err := readAll(from, name)
		check(t, err)
		f, err := to.Create(name)
		check(t, err)
		_, err = f.WriteAt(data, 0)
		check(t, err)
		check(t, f.Close())
	}
	return to
}

func readAll(fs runtime.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err == io.EOF {
		err = nil
	}
	return data[:n], err
}
