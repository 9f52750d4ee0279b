package host_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

// slowFS is a disk whose folders are synced when the test says so.
type slowFS struct {
	runtime.FS
	let <-chan struct{}
}

func (s slowFS) SyncDir(dir string) error {
	<-s.let
	return s.FS.SyncDir(dir)
}

// value returns what a registry shows under a name with these labels, summed up: for a histogram, the count.
func value(t *testing.T, r *prometheus.Registry, name string, labels ...string) (sum float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			text := m.String()
			if !containsAll(text, labels) {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		return sum
	}
	t.Errorf("there is no %s", name)
	return 0
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, `"`+w+`"`) {
			return false
		}
	}
	return true
}

func TestStalledDiskIsSaid(t *testing.T) {
	let, stalls, ended := make(chan struct{}), make(chan host.Stall, 10), make(chan error, 1)
	n := &node{}
	n.boot = func() {
		n.Submit(3, func(files runtime.FS) error { return files.SyncDir(".") }, func(err error) { ended <- err })
	}
	h := startWith(t, host.Config{
		ID: 1, Dir: t.TempDir(), StallAfter: 10 * time.Millisecond,
		Wrap:    func(files runtime.FS) runtime.FS { return slowFS{files, let} },
		Stalled: func(s host.Stall) { stalls <- s },
	}, n)
	r := prometheus.NewRegistry()
	if err := r.Register(h.Collector()); err != nil {
		t.Fatal(err)
	}
	if s := await(t, stalls, "a stall"); s.Lane != 3 || s.Over || s.For < 10*time.Millisecond {
		t.Errorf("told of %+v", s)
	}
	if v := value(t, r, "octopii_lane_call_seconds", "3"); v < 0.01 {
		t.Errorf("the lane is in its call for %v s", v)
	}
	close(let)
	if err := await(t, ended, "the end of the job"); err != nil {
		t.Error(err)
	}
	if s := await(t, stalls, "the end of the stall"); s.Lane != 3 || !s.Over {
		t.Errorf("told of %+v", s)
	}
	if v := value(t, r, "octopii_disk_stalls_total"); v != 1 {
		t.Errorf("%v stalls", v)
	}
}

func TestMetricsCountWhatHappens(t *testing.T) {
	ended := make(chan error, 1)
	n := &node{}
	n.boot = func() {
		n.Submit(1, func(files runtime.FS) error {
			f, err := files.Create("f")
			if err == nil {
				_, err = f.WriteAt(make([]byte, 1000), 0)
			}
			if err == nil {
				_, err = f.ReadAt(make([]byte, 300), 0)
			}
			if err == nil {
				err = f.SyncData()
			}
			return err
		}, func(err error) { ended <- err })
		n.Send(2, runtime.ChannelRPC, make([]byte, 70))
	}
	var receive host.Receiver
	h := startWith(t, host.Config{ID: 1, Dir: t.TempDir(), Join: func(to host.Receiver) (host.Link, error) {
		receive = to
		return voidLink{}, nil
	}}, n)
	receive(2, runtime.ChannelControl, make([]byte, 50))
	if err := await(t, ended, "the end of the job"); err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewRegistry()
	if err := prometheus.WrapRegistererWith(prometheus.Labels{"node": "n1"}, r).Register(h.Collector()); err != nil {
		t.Fatal(err)
	}
	h.Kill(nil)
	if err := wait(t, h); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"octopii_lane_job_seconds", []string{"1"}, 1},
		{"octopii_file_sync_seconds", nil, 1},
		{"octopii_file_calls_total", []string{"open"}, 1},
		{"octopii_file_calls_total", []string{"write"}, 1},
		{"octopii_file_written_bytes_total", nil, 1000},
		{"octopii_file_read_bytes_total", nil, 300},
		{"octopii_frames_total", []string{"rpc", "sent"}, 1},
		{"octopii_frame_bytes_total", []string{"rpc", "sent"}, 70},
		{"octopii_frame_bytes_total", []string{"control", "received", "n1"}, 50},
		{"octopii_frames_dropped_total", nil, 0},
		{"octopii_lane_queue", nil, 0},
		{"octopii_loop_queue", nil, 0},
	} {
		if got := value(t, r, c.name, c.labels...); got != c.want {
			t.Errorf("%s%q is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	if v := value(t, r, "octopii_loop_steps_total"); v < 2 {
		t.Errorf("%v steps", v)
	}
	if v := value(t, r, "octopii_loop_turn_seconds"); v < 1 {
		t.Errorf("%v turns", v)
	}
}

// voidLink leads nowhere.
type voidLink struct{}

func (voidLink) Route(runtime.NodeID, string)                 {}
func (voidLink) Send(runtime.NodeID, runtime.Channel, []byte) {}
func (voidLink) Close() error                                 { return nil }
