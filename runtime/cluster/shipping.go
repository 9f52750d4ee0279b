package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"github.com/octopii-go/octopii/transport"
)

// watchEvery is how often the progress of a fetch is told.
const watchEvery = 100 * time.Millisecond

// FilesDir returns the folder of the files that the member ships: those it offers are put there, by whatever means, and those it
// fetches appear there.
func (m *Member) FilesDir() string { return filepath.Join(m.cfg.Dir, filesDir) }

// within returns the name of a shipped file in the member's folder.
func within(name string) (string, error) {
	if !fs.ValidPath(name) || name == "." {
		return "", refused(fmt.Errorf("%w: file %q", ErrInvalid, name))
	}
	return path.Join(filesDir, name), nil
}

// OfferFile offers a file of FilesDir to all peers, and returns its digest when it has been read. It must not change until
// Withdraw. How peers get to know the digest is the service's business. Offers end with the member.
func (m *Member) OfferFile(ctx context.Context, name string) (transport.Digest, error) {
	file, err := within(name)
	if err != nil {
		return transport.Digest{}, err
	}
	offered := make(chan transport.Offered, 1)
	if !m.host.Post(func() {
		if err := m.node.OfferFile(file, func(o transport.Offered) { offered <- o }); err != nil {
			offered <- transport.Offered{Err: err}
		}
	}) {
		return transport.Digest{}, refused(m.stopped())
	}
	select {
	case o := <-offered:
		if o.Err != nil {
			return transport.Digest{}, refused(shippingError(o.Err))
		}
		return o.Digest, nil
	case <-ctx.Done():
		return transport.Digest{}, unknown(ctx.Err())
	case <-m.host.Done():
		return transport.Digest{}, refused(m.stopped())
	}
}

// OfferBytes offers bytes to all peers. They must not be changed until Withdraw.
func (m *Member) OfferBytes(data []byte) (d transport.Digest, err error) {
	if !m.onLoop(func() { d, err = m.node.OfferBytes(data) }) {
		return transport.Digest{}, refused(m.stopped())
	}
	if err != nil {
		return transport.Digest{}, refused(shippingError(err))
	}
	return d, nil
}

// Withdraw ends an offer. It returns false if there is none.
func (m *Member) Withdraw(d transport.Digest) (found bool) {
	return m.onLoop(func() { found = m.node.Withdraw(d) }) && found
}

// Fetch fetches an object from peers, and returns when it is complete: as a file of FilesDir with the name that is the order's
// Path, durably; or, if that is empty, as the bytes returned. It blocks until then, ctx is done, or the member ends; what
// was received of a file by then stays on disk, and the same order goes on from there. watch, if not nil, is told
// now and then how far it has come, on the caller's goroutine.
//
// The error matches ErrUnknown if a file may have got its name all the same. Among its reasons are transport.ErrTimeout, if no
// source had anything new for too long, and runtime.ErrNoSpace.
func (m *Member) Fetch(ctx context.Context, order transport.Order, watch func(transport.Progress)) ([]byte, error) {
	if order.Path != "" {
		file, err := within(order.Path)
		if err != nil {
			return nil, err
		}
		order.Path = file
	}
	ended := make(chan transport.Fetched, 1)
	var id transport.FetchID // the loop's
	if !m.host.Post(func() {
		var err error
		if id, err = m.node.Fetch(order, func(f transport.Fetched) { ended <- f }); err != nil {
			ended <- transport.Fetched{Err: refused(shippingError(err))}
		}
	}) {
		return nil, refused(m.stopped())
	}
	var ticks <-chan time.Time
	if watch != nil {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case f := <-ended:
			return fetched(&f)
		case <-ticks:
			var p transport.Progress
			var under bool
			if m.onLoop(func() { p, under = m.node.Progress(id) }) && under {
				watch(p)
			}
		case <-ctx.Done():
			m.host.Post(func() { m.node.CancelFetch(id) })
			return nil, unknown(ctx.Err())
		case <-m.host.Done():
			return nil, unknown(m.stopped())
		}
	}
}

// fetched translates how a fetch has ended.
func fetched(f *transport.Fetched) ([]byte, error) {
	switch {
	case f.Err == nil:
		return f.Data, nil
	case errors.Is(f.Err, ErrRefused):
		return nil, f.Err
	}
	return nil, unknown(f.Err)
}

// shippingError puts this package's errors in the place of transport's.
func shippingError(err error) error {
	switch {
	case errors.Is(err, transport.ErrBusy):
		return ErrBusy
	case errors.Is(err, transport.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return err
}
