package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// child is a worker process, as its supervisor sees it. It belongs to one goroutine.
type child struct {
	cmd      *exec.Cmd
	tasks    *json.Encoder
	stdin    io.Closer
	messages chan message // closed when its standard output ends
	stderr   *head
}

// startChild starts a worker.
func startChild(program string) (*child, error) {
	c := &child{cmd: exec.Command(program, workerName), messages: make(chan message), stderr: &head{}}
	c.cmd.Stderr = c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.stdin, c.tasks = stdin, json.NewEncoder(stdin)
	go func() {
		defer close(c.messages)
		for lines := json.NewDecoder(stdout); ; {
			var m message
			if lines.Decode(&m) != nil {
				return
			}
			c.messages <- m
		}
	}()
	return c, nil
}

// do has the worker carry out a task. It returns false if the worker cannot go
// on: it died, or stood still, which the outcome says, or quit was closed, and
// then there is no outcome.
func (c *child) do(t task, quit <-chan struct{}) (*outcome, bool) {
	c.stderr.reset()
	begun := time.Now()
	alarm := time.NewTimer(t.Stall)
	defer alarm.Stop()
	var last beat
	late := false // it has stood still for that long, and has not said where
	if c.tasks.Encode(t) != nil {
		return c.died(last, time.Since(begun)), false
	}
	for {
		select {
		case m, ok := <-c.messages:
			switch {
			case !ok:
				return c.died(last, time.Since(begun)), false
			case m.Outcome != nil:
				return m.Outcome, true
			case m.Beat != nil:
				if m.Beat.Steps != last.Steps {
					alarm.Reset(t.Stall)
					late = false
				}
				if last = *m.Beat; late && last.Stacks != "" {
					c.kill()
					return stalled(t, last, time.Since(begun)), false
				}
			}
		case <-alarm.C:
			if !late && last.Stacks == "" { // on a busy machine it may not have come to that
				late = true
				alarm.Reset(t.Stall)
				continue
			}
			c.kill()
			return stalled(t, last, time.Since(begun)), false
		case <-quit:
			return nil, false
		}
	}
}

// stalled describes a run that made no progress.
func stalled(t task, last beat, wall time.Duration) *outcome {
	text := fmt.Sprintf("killed by the watchdog: no progress in %v of wall time; a node's code, or the simulator, loops", t.Stall)
	return &outcome{
		Class: panicked, Steps: last.Steps, Virtual: last.Virtual, Wall: wall,
		Problem: &problem{Signature: signStall, Text: text, At: last.Virtual, Step: last.Steps, Stack: last.Stacks},
	}
}

// died describes a run in which the worker ended by itself.
func (c *child) died(last beat, wall time.Duration) *outcome {
	c.kill()
	said := c.stderr.String()
	first, rest, _ := bytes.Cut([]byte(said), []byte("\n"))
	text := fmt.Sprintf("the worker died (%v)", c.cmd.ProcessState)
	if len(first) > 0 {
		text += ": " + string(first)
	}
	return &outcome{
		Class: lost, Steps: last.Steps, Virtual: last.Virtual, Wall: wall,
		Problem: &problem{Signature: signLost, Text: text, At: last.Virtual, Step: last.Steps, Stack: string(rest)},
	}
}

// stop ends an idle worker, or one that nobody waits for.
func (c *child) stop() {
	c.stdin.Close()
	c.kill()
}

// kill ends the worker at once and waits until it is gone. More calls do nothing.
func (c *child) kill() {
	if c.cmd.ProcessState != nil {
		return
	}
	c.cmd.Process.Kill() // fails only if it is gone already
	for range c.messages {
		// The reader must reach the end before Wait may close the pipe.
	}
	c.cmd.Wait() // how it ended is in ProcessState
}

// headMax bounds what is kept of a worker's standard error.
const headMax = 16 << 10

// head keeps the first bytes written to it: a panic says at its beginning what it is.
type head struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer. It never fails.
func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, p[:min(len(p), headMax-len(h.text))]...)
	return len(p), nil
}

func (h *head) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = h.text[:0]
}

// String returns what was kept.
func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.text)
}
