package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
	"github.com/octopii-go/octopii/transport"
)

func TestCallsAmongMembers(t *testing.T) {
	r := newRig(t, 3)
	r.startAll(nil)
	heard, given := make(chan string, 1), make(chan error, 1)
	began := make(chan struct{}, 1)
	for id, m := range r.members {
		m.Handle("echo", func(_ context.Context, from runtime.NodeID, body []byte) ([]byte, error) {
			return append([]byte(from.String()+" to "+id.String()+": "), body...), nil
		})
		m.Handle("fail", func(context.Context, runtime.NodeID, []byte) ([]byte, error) { return nil, errors.New("not today") })
		m.Handle("hear", func(_ context.Context, from runtime.NodeID, body []byte) ([]byte, error) {
			heard <- from.String() + " " + string(body)
			return nil, nil
		})
		m.Handle("wait", func(ctx context.Context, _ runtime.NodeID, _ []byte) ([]byte, error) {
			began <- struct{}{}
			<-ctx.Done()
			given <- ctx.Err()
			return nil, ctx.Err()
		})
		m.Handle("large", func(context.Context, runtime.NodeID, []byte) ([]byte, error) { return make([]byte, 2<<20), nil })
	}
	m, ctx := r.members[1], r.within()
	for id := range r.members {
		got, err := m.Call(ctx, id, "echo", []byte("hello"))
		if want := "n1 to " + id.String() + ": hello"; err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		_, err = m.Call(ctx, id, "fail", nil)
		var remote *transport.RemoteError
		if !errors.As(err, &remote) || string(remote.Message) != "not today" {
			t.Errorf("%v fails with %v", id, err)
		}
		_, err = m.Call(ctx, id, "nobody", nil)
		oneLine(t, err, cluster.ErrNoHandler)
		if cluster.OutcomeOf(err) != runtime.Refused {
			t.Errorf("nobody handles it: %v", err)
		}
	}
	if err := m.Notify(2, "hear", []byte("this")); err != nil {
		t.Error(err)
	}
	if got := <-heard; got != "n1 this" {
		t.Errorf("heard %q", got)
	}
	if _, err := m.Call(ctx, 2, "large", nil); err == nil {
		t.Error("an answer that is too large arrived")
	}
	_, err := m.Call(ctx, 4, "echo", nil)
	oneLine(t, err, cluster.ErrNoPeer, "n4")
	_, err = m.Call(ctx, 2, "echo", make([]byte, 2<<20))
	oneLine(t, err, cluster.ErrTooLarge)

	short, cancel := context.WithCancel(ctx)
	go func() {
		<-began
		cancel()
	}()
	_, err = m.Call(short, 2, "wait", nil)
	oneLine(t, err, context.Canceled)
	if cluster.OutcomeOf(err) != runtime.Unknown {
		t.Errorf("given up while it was handled: %v", err)
	}
	if err := <-given; err == nil {
		t.Error("the handler was not told")
	}
	r.kill(1)
	_, err = m.Call(ctx, 2, "echo", nil)
	oneLine(t, err, cluster.ErrStopped)
}

func TestShippingAmongMembers(t *testing.T) {
	r := newRig(t, 3)
	r.startAll(nil)
	ctx := r.within()
	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	for _, id := range []runtime.NodeID{1, 2} {
		if err := os.WriteFile(filepath.Join(r.members[id].FilesDir(), "report"), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	digest, err := r.members[1].OfferFile(ctx, "report")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.members[2].OfferFile(ctx, "report"); err != nil || again != digest {
		t.Fatalf("the other source offers %v, %v, want %v", again, err, digest)
	}
	order := transport.Order{Digest: digest, Sources: []runtime.NodeID{1, 2}, Path: "copy"}
	if _, err := r.members[3].Fetch(ctx, order, func(transport.Progress) {}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(r.members[3].FilesDir(), "copy"))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("the copy differs: %d bytes, %v", len(got), err)
	}

	digest, err = r.members[3].OfferBytes(content[:1000])
	if err != nil {
		t.Fatal(err)
	}
	got, err = r.members[1].Fetch(ctx, transport.Order{Digest: digest, Sources: []runtime.NodeID{3}}, nil)
	if err != nil || !bytes.Equal(got, content[:1000]) {
		t.Errorf("the bytes differ: %d, %v", len(got), err)
	}
	if !r.members[3].Withdraw(digest) || r.members[3].Withdraw(digest) {
		t.Error("an offer is withdrawn once")
	}

	_, err = r.members[1].OfferFile(ctx, "missing")
	oneLine(t, err, cluster.ErrRefused, "missing")
	_, err = r.members[1].OfferFile(ctx, "../member")
	oneLine(t, err, cluster.ErrInvalid)
	order.Sources = nil
	_, err = r.members[1].Fetch(ctx, order, nil)
	oneLine(t, err, cluster.ErrRefused)
	order.Sources, order.Path = []runtime.NodeID{2}, "/etc"
	_, err = r.members[1].Fetch(ctx, order, nil)
	oneLine(t, err, cluster.ErrInvalid)
	short, cancel := context.WithCancel(ctx)
	cancel()
	order.Path = "never"
	_, err = r.members[3].Fetch(short, order, nil)
	oneLine(t, err, context.Canceled)
}
