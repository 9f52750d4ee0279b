package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// console is where people read: reports, and on a terminal a line that says
// how far things have come. It belongs to one goroutine.
type console struct {
	out      io.Writer
	colour   bool
	live     io.Writer // the terminal that shows progress; nil: none
	shown    bool      // a line of progress is on it
	progress time.Time // when it was drawn last
}

// console returns where reports for people go: standard error if standard output
// is for machines.
func (a *app) console(json bool) *console {
	c := &console{out: a.stdout}
	if json {
		c.out = a.stderr
	}
	c.colour = terminal(c.out)
	if terminal(a.stderr) {
		c.live = a.stderr
	}
	return c
}

// terminal reports whether somebody sees what is written to w as it comes.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// Printf prints part of a report.
func (c *console) Printf(format string, args ...any) {
	c.clear()
	fmt.Fprintf(c.out, format, args...)
}

// progressEvery is how often a line of progress is drawn anew.
const progressEvery = 200 * time.Millisecond

// status shows a line of progress in place of the one before, if there is a terminal.
func (c *console) status(format string, args ...any) {
	if c.live == nil || time.Since(c.progress) < progressEvery {
		return
	}
	c.progress = time.Now()
	fmt.Fprintf(c.live, "\r\x1b[K%.100s", fmt.Sprintf(format, args...))
	c.shown = true
}

// clear takes the line of progress away.
func (c *console) clear() {
	if c.shown {
		fmt.Fprint(c.live, "\r\x1b[K")
		c.shown = false
	}
}

// The colours, as terminals understand them.
const (
	red   = "31"
	green = "32"
	bold  = "1"
)

// paint returns the text in a colour, if there is a terminal.
func (c *console) paint(colour, text string) string {
	if !c.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// verdict returns the word for a class, in its colour.
func (c *console) verdict(k class) string {
	if k == pass {
		return c.paint(green, "pass")
	}
	return c.paint(red, "FAIL")
}
