package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// app is the program with all that it touches outside itself.
type app struct {
	stdout, stderr io.Writer
	engine         engine
	compile        compiler
	program        string // the binary that workers are started from
}

// command is one thing that simrun can do.
type command struct {
	name  string // empty: what simrun does without the name of a command
	doc   string // one line
	usage string // the lines that show how to call it
	help  string // all flags
	run   func(a *app, ctx context.Context, args []string) (class, error)
}

// commands returns all commands, in the order of the help.
func commands() []command {
	return []command{runCommand, listCommand, suiteCommand, replayCommand, mutantsCommand}
}

// usageError is a mistake in the arguments.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// misuse returns a usageError.
func misuse(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// dispatch runs the command that the arguments name. An error is one line; after
// a mistake in the arguments the command's usage follows.
func (a *app) dispatch(ctx context.Context, args []string) class {
	cmd, rest, err := choose(args)
	if err == nil && cmd == nil {
		fmt.Fprint(a.stdout, overview())
		return pass
	}
	var c class
	if err == nil {
		c, err = cmd.run(a, ctx, rest)
	}
	var wrong *usageError
	switch {
	case err == nil:
		return c
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(a.stdout, "usage:\n%s\n%s.\n%s", cmd.usage, cmd.doc, cmd.help)
		return pass
	case errors.As(err, &wrong):
		text := overview()
		if cmd != nil {
			text = "usage:\n" + cmd.usage + "see " + strings.TrimSpace("simrun help "+cmd.name) + "\n"
		}
		fmt.Fprintf(a.stderr, "simrun: %v\n%s", err, text)
	default:
		fmt.Fprintf(a.stderr, "simrun: %v\n", err)
	}
	return usage
}

// choose finds the command that the arguments name, and its own arguments. No
// command and no error means that help was asked for.
func choose(args []string) (*command, []string, error) {
	all := commands()
	switch {
	case len(args) == 0:
		return nil, nil, misuse("nothing to do")
	case args[0] == "help" && len(args) == 1:
		return nil, nil, nil
	case args[0] == "help" && len(args) == 2:
		args = []string{args[1], "-help"}
	case strings.HasPrefix(args[0], "-"):
		return &all[0], args, nil
	}
	i := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] })
	if i < 0 {
		return nil, nil, misuse("unknown command %q", args[0])
	}
	return &all[i], args[1:], nil
}

// overview lists the commands.
func overview() string {
	var b strings.Builder
	b.WriteString("usage:\n")
	for _, c := range commands() {
		b.WriteString(c.usage)
	}
	b.WriteString("simrun -help shows the flags of a run, simrun help COMMAND those of a command.\n")
	return b.String()
}

// newFlags returns an empty flag set that prints nothing by itself.
func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse parses flags, which may stand before and after the other arguments,
// and returns those. There must be as many as the names given for them.
func parse(fs *flag.FlagSet, args []string, names ...string) ([]string, error) {
	var others []string
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, misuse("%v", err)
		}
		if fs.NArg() == 0 {
			break
		}
		others = append(others, fs.Arg(0))
		args = fs.Args()[1:]
	}
	switch {
	case len(others) < len(names):
		return nil, misuse("%s is missing", names[len(others)])
	case len(others) > len(names):
		return nil, misuse("unexpected argument %q", others[len(names)])
	}
	return others, nil
}
