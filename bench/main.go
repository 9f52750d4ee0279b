// Command bench measures this project beside its peers, in one run on one
// machine, since only ratios between such numbers mean anything.
//
//	go run . sim [--quick] [--json]
//	go run . cluster [--quick] [--json] [--dir FOLDER]
//	go run . shipping [--quick] [--json] [--dir FOLDER]
//	go run . wal [--quick] [--json] [--dir FOLDER] [--only TEXT]
//
// A row says which benchmark, workload and system it is, how many operations
// a second it did, and the ratio to the row it is compared with. Systems take turns,
// and a row is the median of its rounds.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
)

// row is one line of the result. What does not apply to a benchmark is left out.
type row struct {
	Bench     string  `json:"bench"`
	Workload  string  `json:"workload"`
	System    string  `json:"system"`
	OpsPerSec float64 `json:"ops_per_s"`
	P50       float64 `json:"p50_us,omitempty"` // microseconds an operation, or a batch if there are batches
	P99       float64 `json:"p99_us,omitempty"`
	Ratio     float64 `json:"ratio"`          // to the peer or bar of the same run
	Note      string  `json:"note,omitempty"` // what the ratio is to
	Costs     *costs  `json:"costs,omitempty"`
}

var errUsage = errors.New("usage: bench sim|wal|cluster|shipping [--quick] [--json]")

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	if args[0] == "cluster-member" && len(args) == 2 { // started by ourselves
		return runMember(args[1])
	}
	flags := flag.NewFlagSet("bench "+args[0], flag.ExitOnError)
	quick := flags.Bool("quick", false, "a shorter run, within a minute")
	asJSON := flags.Bool("json", false, "one JSON object a row")
	profile := flags.String("cpuprofile", "", "write a CPU profile of our rounds to `FILE`")
	show := func(r row) { show(r, *asJSON) }
	switch args[0] {
	case "sim":
		_ = flags.Parse(args[1:]) // exits by itself
		rows, err := benchSim(*quick, *profile)
		for _, r := range rows {
			show(r)
		}
		return err
	case "cluster":
		b := clusterBench{show: show}
		flags.StringVar(&b.dir, "dir", "", "make the temporary files in `FOLDER`, which must be on a real disk")
		flags.IntVar(&b.clients, "clients", 0, "have only so many clients")
		flags.StringVar(&b.other, "other", "", "have a third cluster, of the members of another build of this program, take turns: `FILE`")
		flags.StringVar(&b.only, "only", "", "run only the part named: throughput, failover or syncs")
		_ = flags.Parse(args[1:])
		b.quick, b.profile = *quick, *profile
		return b.run()
	case "shipping":
		b := shipBench{show: show}
		flags.StringVar(&b.dir, "dir", "", "make the temporary files in `FOLDER`, which must be on a real disk")
		_ = flags.Parse(args[1:])
		b.quick, b.profile = *quick, *profile
		return b.run()
	case "wal":
		b := walBench{show: show}
		flags.StringVar(&b.dir, "dir", "", "make the temporary files in `FOLDER`, which must be on a real disk")
		flags.StringVar(&b.only, "only", "", "run only workloads whose name contains `TEXT`")
		flags.StringVar(&b.systems, "systems", "", "run only the bare loop and systems whose name contains `TEXT`")
		flags.IntVar(&b.countOps, "count-ops", 0, "run the one workload and system named, this often, and nothing else (for strace)")
		_ = flags.Parse(args[1:])
		b.quick, b.profile = *quick, *profile
		return b.run()
	}
	return errUsage
}

func show(r row, asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(os.Stdout).Encode(r) // a closed pipe ends the program anyway
		return
	}
	fmt.Printf("%-8s %-28s %-26s %10.0f /s ", r.Bench, r.Workload, r.System, r.OpsPerSec)
	if r.P50 > 0 {
		fmt.Printf("%9.1f %9.1f us ", r.P50, r.P99)
	}
	fmt.Printf("%6.2f  ", r.Ratio)
	if r.Costs != nil {
		fmt.Print(r.Costs.text())
	}
	fmt.Println(r.Note)
}
