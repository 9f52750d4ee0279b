package sim_test

import (
	"testing"
	"time"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/fstest"
)

// TestDiskConforms runs the suite that every file system must pass, each case
// on a disk of its own.
func TestDiskConforms(t *testing.T) {
	for _, c := range fstest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			result, ended := error(nil), false
			w, _ := newScripted(t, nil, func() runtime.Node {
				return &script{boot: func(env runtime.Env) {
					env.Submit(0, c.Run, func(err error) { result, ended = err, true })
				}}
			})
			runFor(w, time.Minute)
			if !ended {
				t.Fatalf("the case did not end: %+v", w.Findings())
			}
			if result != nil {
				t.Error(result)
			}
		})
	}
}
