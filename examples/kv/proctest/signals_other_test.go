//go:build !unix

package proctest

// pauses is empty: here a process cannot be stopped for a while.
var pauses []action

func (s *schedule) resume(int) {}

// drain does nothing: here a process cannot be asked to end.
func (p *processes) drain() {}
