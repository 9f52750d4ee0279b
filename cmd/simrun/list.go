package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/octopii-go/octopii/scenarios"
)

var listCommand = command{
	name:  "list",
	doc:   "Lists the scenarios of the suite",
	usage: "  simrun list [--json]\n",
	help: `
  --json             one JSON object a scenario: scenario, nodes, ops, seeds, faults, doc
`,
	run: (*app).list,
}

// listed is a scenario as an object.
type listed struct {
	Scenario string `json:"scenario"`
	Nodes    int    `json:"nodes"`
	Ops      int    `json:"ops"`
	Seeds    int    `json:"seeds"`
	Faults   string `json:"faults"`
	Doc      string `json:"doc"`
}

func (a *app) list(_ context.Context, args []string) (class, error) {
	fs := newFlags("list")
	objects := fs.Bool("json", false, "")
	if _, err := parse(fs, args); err != nil {
		return usage, err
	}
	const form = "%-14s %5v %6v %5v  %s\n"
	if !*objects {
		fmt.Fprintf(a.stdout, form, "scenario", "nodes", "ops", "seeds", "what goes wrong")
	}
	for _, s := range scenarios.List() {
		faults := s.Setup.Faults.String()
		if *objects {
			line := listed{s.Name, s.Setup.Nodes, s.Setup.Ops, s.Seeds, faults, s.Doc}
			if err := json.NewEncoder(a.stdout).Encode(line); err != nil {
				return usage, err
			}
			continue
		}
		fmt.Fprintf(a.stdout, form, s.Name, s.Setup.Nodes, s.Setup.Ops, s.Seeds, s.Doc)
		if faults != "none" {
			fmt.Fprintf(a.stdout, form, "", "", "", "", faults)
		}
	}
	return pass, nil
}
