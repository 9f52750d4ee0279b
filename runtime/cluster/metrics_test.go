package cluster_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestCollector(t *testing.T) {
	r := newRig(t, 3)
	r.startAll(nil)
	registry := prometheus.NewPedanticRegistry() // holds that what is collected is what was described
	for id, m := range r.members {
		labels := prometheus.Labels{"member": id.String()}
		if err := prometheus.WrapRegistererWith(labels, registry).Register(m.Collector()); err != nil {
			t.Fatal(err)
		}
	}
	r.kill(3)                     // it is still shown
	r.put(r.members[2], "a", "b") // who leads now has executed it: of the others nothing is certain
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	shown, series := map[string]float64{}, map[string]int{}
	for _, f := range families {
		series[f.GetName()] = len(f.GetMetric())
		for _, m := range f.GetMetric() {
			shown[f.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	if shown["octopii_member_running"] != 2 || series["octopii_member_running"] != 3 {
		t.Errorf("%v members run, of %d", shown["octopii_member_running"], series["octopii_member_running"])
	}
	for _, name := range []string{
		"octopii_raft_term", "octopii_raft_commit_index", "octopii_raft_applied_index", "octopii_peer_frames_total",
		"octopii_peer_bytes_total", "octopii_file_sync_seconds", "octopii_loop_steps_total", "octopii_member_events_total",
	} {
		if shown[name] <= 0 {
			t.Errorf("%s is %v", name, shown[name])
		}
	}
}
