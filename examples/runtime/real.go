package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/host"
)

// realRun runs three counters on this machine's disk and clock, and counts with them.
func realRun(ctx context.Context, dir string, out io.Writer) error {
	ids := []runtime.NodeID{1, 2, 3}
	var net host.Loopback // the three are in one process; transport/quic connects those that are not
	for boot := range 2 {
		for _, id := range ids {
			h, err := host.Start(host.Config{ID: id, Dir: filepath.Join(dir, id.String()), Join: net.Join(id)}, newCounter(ids))
			if err != nil {
				return err
			}
			last := uint64(0)
			for done := 0; done < 5; {
				outcome, resp, err := h.Call(ctx, nil)
				switch {
				case outcome == runtime.Done:
					last = binary.LittleEndian.Uint64(resp)
					done++
				case err != nil:
					return err
				}
			}
			h.Kill(nil)
			if err := h.Wait(); err != nil {
				return err
			}
			fmt.Fprintf(out, "%v counts to %d in its life %d\n", id, last, boot+1)
		}
	}
	return nil
}
