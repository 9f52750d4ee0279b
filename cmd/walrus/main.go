// Walrus looks at the folders of write-ahead logs of package walrus: it prints
// what they hold, verifies them, copies what is good of a damaged one into a new folder, and
// measures how fast a log on a disk is. "walrus help" lists its commands.
//
// # Safety
//
// dump, verify and repair change nothing in the log's folder and open its files for
// reading only, so that they work on a copy that cannot be written to. They hold the
// log's lock while they read, shared: a log that a node has open is refused, and
// a node that starts meanwhile is.
//
// # Exit status
//
//	0  clean: all was read and nothing is wrong
//	1  damaged: something is wrong with the log, the output says what
//	2  usage: a mistake in the arguments
//	3  unreadable: the folder or a file could not be read or written, or is in use
//
// The standard output has the report or, with --json, one object a line. Errors
// are one line on the standard error.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// status is how a command ended: the exit status.
type status int

const (
	clean      status = 0
	damaged    status = 1
	usage      status = 2
	unreadable status = 3
)

// command is one thing that walrus can do.
type command struct {
	name  string
	usage string // one line
	help  string // what it does and its flags
	run   func(out io.Writer, args []string) (status, error)
}

// commands returns all commands, in the order of the help.
func commands() []command {
	return []command{dumpCommand, verifyCommand, repairCommand, benchCommand}
}

func main() {
	os.Exit(int(dispatch(os.Stdout, os.Stderr, os.Args[1:])))
}

// usageError is a mistake in the arguments.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// misuse returns a usageError.
func misuse(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// dispatch runs the command that the arguments name.
func dispatch(stdout, stderr io.Writer, args []string) status {
	cmd, rest, err := choose(args)
	if err == nil && cmd == nil {
		fmt.Fprint(stdout, overview())
		return clean
	}
	var s status
	if err == nil {
		s, err = cmd.run(stdout, rest)
	}
	var wrong *usageError
	switch {
	case err == nil:
		return s
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "usage: %s\n\n%s", cmd.usage, cmd.help)
		return clean
	case errors.As(err, &wrong):
		text := overview()
		if cmd != nil {
			text = "usage: " + cmd.usage + "\n"
		}
		fmt.Fprintf(stderr, "walrus: %v\n%s", err, text)
		return usage
	}
	fmt.Fprintf(stderr, "walrus: %s\n", strings.TrimPrefix(err.Error(), "walrus: "))
	return unreadable
}

// choose finds the command that the arguments name, and its own arguments. No
// command and no error means that help was asked for.
func choose(args []string) (*command, []string, error) {
	all := commands()
	switch {
	case len(args) == 0:
		return nil, nil, misuse("nothing to do")
	case slices.Contains([]string{"-h", "-help", "--help"}, args[0]), args[0] == "help" && len(args) == 1:
		return nil, nil, nil
	case args[0] == "help" && len(args) == 2:
		args = []string{args[1], "-help"}
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
		b.WriteString("  " + c.usage + "\n")
	}
	b.WriteString("walrus help COMMAND says more. Exit status: 0 clean, 1 damaged, 2 usage, 3 unreadable.\n")
	return b.String()
}

// newFlags returns an empty flag set that prints nothing by itself.
func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parseArgs parses flags, which may stand before and after the folder, and returns the folder.
func parseArgs(fs *flag.FlagSet, args []string) (dir string, err error) {
	var others []string
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			return "", err
		} else if err != nil {
			return "", misuse("%v", err)
		}
		if fs.NArg() == 0 {
			break
		}
		others = append(others, fs.Arg(0))
		args = fs.Args()[1:]
	}
	switch {
	case len(others) == 0 || others[0] == "":
		return "", misuse("DIR is missing")
	case len(others) > 1:
		return "", misuse("unexpected argument %q", others[1])
	}
	return others[0], nil
}

// whole is a flag for a whole number that may be left out.
type whole struct {
	n   uint64
	set bool
}

func (w *whole) String() string { return "" }

func (w *whole) Set(text string) error {
	if _, err := fmt.Sscanf(text+"\n", "%d\n", &w.n); err != nil || strings.HasPrefix(text, "+") {
		return errors.New("want a whole number")
	}
	w.set = true
	return nil
}
