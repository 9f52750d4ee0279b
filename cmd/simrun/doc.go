// Simrun runs scenarios: one seed, many seeds, the suite, a seed kept in a
// file, planted bugs. "simrun help" lists its commands.
//
// # Processes
//
// Every run happens in a worker, a child process of the same binary, so that a
// run which hangs or tears its process down is a line of the report and not the
// end of it:
//
//	simrun --seeds 1-500
//	  |-- worker   task, task, task ...      one at a time, as it becomes free
//	  `-- worker   task, task, task ...
//
// A task is a line of JSON on the worker's standard input, with the setup as the
// text of a seed file. The worker answers with beats, which say how far the
// run has come, and one outcome, each a line of JSON on its standard output. The
// supervisor kills a worker whose beats show no progress for too long: that is
// the only use of wall time here that decides anything. A worker whose standard input
// ends exits, so none outlives its supervisor.
//
// # Exit status
//
//	0  pass            5  panic: a node's own code gave up, or would not return
//	1  safety          6  vacuous: a fault asked for never fired, an oracle saw nothing
//	2  usage           7  lost: the simulator itself failed
//	3  liveness      130  interrupted, with no failure seen by then
//	4  nondeterminism
//
// A command of many runs exits with the first of 4, 7, 5, 1, 3, 6 that any of
// them had. "go run" replaces all but 0 by 1 and prints the status itself.
//
// # Output
//
// Reports for people go to standard output. With --json standard output has one
// object a line and nothing else, and the reports go to standard error.
package main
