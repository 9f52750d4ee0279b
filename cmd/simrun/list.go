package main

import (
	"context"
	"fmt"

	"github.com/octopii-go/octopii/scenarios"
)

var listCommand = command{
	name:  "list",
	doc:   "Lists the scenarios of the suite",
	usage: "  simrun list\n",
	run:   (*app).list,
}

func (a *app) list(_ context.Context, args []string) (class, error) {
	if _, err := parse(newFlags("list"), args); err != nil {
		return usage, err
	}
	const form = "%-14s %5v %6v %5v  %s\n"
	fmt.Fprintf(a.stdout, form, "scenario", "nodes", "ops", "seeds", "what goes wrong")
	for _, s := range scenarios.List() {
		fmt.Fprintf(a.stdout, form, s.Name, s.Setup.Nodes, s.Setup.Ops, s.Seeds, s.Doc)
		if faults := s.Setup.Faults.String(); faults != "none" {
			fmt.Fprintf(a.stdout, form, "", "", "", "", faults)
		}
	}
	return pass, nil
}
