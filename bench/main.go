// Command bench measures this project beside its peers, in one run on one
// machine, since only ratios between such numbers mean anything.
//
//	go run . sim [--quick] [--json]
//
// A row says which benchmark, workload and system it is, how many operations
// a second it did, and the ratio to the row it is compared with. Systems take turns,
// and a row is the median of its rounds.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

// row is one line of the result.
type row struct {
	Bench     string  `json:"bench"`
	Workload  string  `json:"workload"`
	System    string  `json:"system"`
	OpsPerSec float64 `json:"ops_per_s"`
	Ratio     float64 `json:"ratio"`          // to the peer or bar of the same run
	Note      string  `json:"note,omitempty"` // what the ratio is to
}

func main() {
	if len(os.Args) < 2 || os.Args[1] != "sim" {
		fmt.Fprintln(os.Stderr, "usage: bench sim [--quick] [--json]")
		os.Exit(2)
	}
	flags := flag.NewFlagSet("bench sim", flag.ExitOnError)
	quick := flags.Bool("quick", false, "a shorter run, within a minute")
	asJSON := flags.Bool("json", false, "one JSON object a row")
	profile := flags.String("cpuprofile", "", "write a CPU profile of our rounds to `FILE`")
	_ = flags.Parse(os.Args[2:]) // exits by itself
	rows, err := benchSim(*quick, *profile)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	for _, r := range rows {
		if *asJSON {
			_ = json.NewEncoder(os.Stdout).Encode(r) // a closed pipe ends the program anyway
			continue
		}
		fmt.Printf("%-5s %-28s %-26s %12.0f /s  %6.2f  %s\n", r.Bench, r.Workload, r.System, r.OpsPerSec, r.Ratio, r.Note)
	}
}
