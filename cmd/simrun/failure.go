package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/octopii-go/octopii/faults"
)

// What a failure's report may have of each, so that it fits on a screen.
const (
	storyLines = 12
	stackLines = 8
	textLines  = 4
	columns    = 118
)

// failure prints what was wrong in a run, in at most a screen; seedFile is where
// its seed was left, if it was, and replay the command that runs it again.
func (c *console) failure(e ended, seedFile, replay string) {
	p := e.Problem
	where := fmt.Sprintf("seed %d  %s  %v  %s  at %s  step %d", e.setup.Seed, e.setup.Scenario, e.Class, p.Signature, seconds(p.At), p.Step)
	if p.Node != 0 {
		where += "  " + p.Node.String()
	}
	c.Printf("%s  %s\n", c.verdict(e.Class), c.paint(bold, where))
	c.block("", wrap(p.Text), textLines)
	c.Printf("  run     %s\n", describeSetup(e))
	story := squeeze(p.Story)
	if n := len(story); n > storyLines {
		c.Printf("          the last %d of %d events that matter:\n", storyLines, n)
		story = story[n-storyLines:]
	}
	c.block("  ", story, storyLines)
	c.block("  ", frames(p.Stack), stackLines)
	c.counts(e)
	if seedFile != "" {
		c.Printf("  seed    %s\n", seedFile)
	}
	if replay != "" {
		c.Printf("  replay  %s\n", replay)
	}
}

// block prints indented lines, at most that many, cut at the edge of the screen.
func (c *console) block(indent string, lines []string, most int) {
	for _, line := range lines[:min(len(lines), most)] {
		c.Printf("  %s%.*s\n", indent, columns, line)
	}
}

// squeeze makes one line of equal ones that follow each other.
func squeeze(lines []string) []string {
	var fewer []string
	for i := 0; i < len(lines); {
		n := 1
		for i+n < len(lines) && lines[i+n] == lines[i] {
			n++
		}
		line := lines[i]
		if n > 1 {
			line += fmt.Sprintf(" (%d times)", n)
		}
		fewer = append(fewer, line)
		i += n
	}
	return fewer
}

// wrap breaks a text into lines that fit on the screen.
func wrap(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		for len(line) > columns {
			cut := strings.LastIndexByte(line[:columns], ' ')
			if cut <= 0 {
				cut = columns
			}
			lines = append(lines, line[:cut])
			line = strings.TrimPrefix(line[cut:], " ")
		}
		lines = append(lines, line)
	}
	return lines
}

// passed prints what a run that passed has shown.
func (c *console) passed(e ended) {
	c.Printf("%s  %s\n", c.verdict(e.Class), c.paint(bold, fmt.Sprintf("seed %d  %s", e.setup.Seed, e.setup.Scenario)))
	c.Printf("  run     %s\n", describeSetup(e))
	c.counts(e)
}

// counts prints what happened in a run in numbers.
func (c *console) counts(e ended) {
	c.Printf("  fired   %s\n", describeFired(e))
	c.Printf("  ops     %d done, %d refused, %d unknown; %d leader changes\n", e.Ops.Done, e.Ops.Refused, e.Ops.Unknown, e.LeaderChanges)
	c.Printf("  time    %s virtual, %d steps, %s of wall time; digest %016x\n", seconds(e.Virtual), e.Steps, round(e.Wall), e.Digest)
}

func describeSetup(e ended) string {
	s := e.setup
	text := fmt.Sprintf("%d nodes, %d ops of %d clients on %d keys, faults %v", s.Nodes, s.Ops, s.Clients, s.Keys, s.Faults)
	if n := len(s.Overrides); n > 0 {
		text += fmt.Sprintf(", %d overrides", n)
	}
	if e.check {
		text += ", run twice"
	}
	return text
}

// describeFired lists the kinds of fault that fired or should have.
func describeFired(e ended) string {
	var parts []string
	e.Fired.Each(func(k faults.Kind, n uint64) { parts = append(parts, fmt.Sprintf("%v %d", k, n)) })
	for _, k := range e.Missing {
		parts = append(parts, k.String()+" never")
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// seconds renders a virtual time as the story's lines do.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%d.%06ds", d/time.Second, d%time.Second/time.Microsecond)
}

// round renders a wall time with three digits or so.
func round(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}
