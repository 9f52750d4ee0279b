package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	program, err := os.Executable()
	if err != nil {
		fmt.Fprintf(os.Stderr, "simrun: %v\n", err)
		os.Exit(int(lost))
	}
	a := &app{
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		engine:  simulator{},
		compile: goBuild,
		program: program,
	}
	os.Exit(int(a.main(os.Args[1:])))
}

// main runs the command that the arguments name and returns how it ended. An
// interrupt ends the command early; what is known by then is still printed.
func (a *app) main(args []string) class {
	if len(args) == 1 && args[0] == workerName {
		return a.worker(os.Stdin)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return a.dispatch(ctx, args)
}
