//go:build unix

package proctest

import (
	"os"
	"syscall"
)

// pauses lists the steps in which servers are stopped and go on later, as a machine does that is busy elsewhere.
var pauses = []action{
	{name: "stop the leader", begin: func(s *schedule) { s.stop(s.leader()) }},
	{name: "stop one", begin: func(s *schedule) { s.stop(s.any()) }},
	{name: "stop all", begin: func(s *schedule) {
		for i := range size {
			s.stop(i)
		}
	}},
}

// stop halts a server that is running.
func (s *schedule) stop(i int) {
	s.alive(i)
	if err := s.members[i].cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		s.Fatal(err)
	}
	s.members[i].stopped = true
	s.count.stops++
}

// resume lets a server go on that was stopped.
func (s *schedule) resume(i int) {
	if err := s.members[i].cmd.Process.Signal(syscall.SIGCONT); err != nil {
		s.Fatal(err)
	}
	s.members[i].stopped = false
}

// drain asks every server to end, and wants it to end well.
func (p *processes) drain() {
	p.Helper()
	for i := range size {
		p.alive(i)
		if err := p.members[i].cmd.Process.Signal(os.Interrupt); err != nil {
			p.Fatal(err)
		}
	}
	for i := range size {
		p.await(i)
		if err := p.members[i].err; err != nil {
			p.Errorf("server %d ended with %v\n%s", i+1, err, p.logOf(i))
		}
	}
}
