package main

import "strings"

// modulePath is in front of our functions' names in a stack.
const modulePath = "github.com/octopii-go/octopii/"

// frames returns the calls of a stack, innermost first, one line each: function
// and place. Of several goroutines it takes the one that was at work. Those of the
// Go runtime are left out.
func frames(stack string) []string {
	var found []string
	lines := strings.Split(working(stack), "\n")
	for i := 0; i+1 < len(lines); i++ {
		place, ok := strings.CutPrefix(lines[i+1], "\t")
		if !ok {
			continue
		}
		function := lines[i]
		i++
		if strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "runtime/debug.") ||
			strings.HasPrefix(function, "panic(") || strings.HasPrefix(function, "created by ") {
			continue
		}
		if open := strings.LastIndexByte(function, '('); open > 0 {
			function = function[:open]
		}
		place, _, _ = strings.Cut(place, " ")
		found = append(found, strings.TrimPrefix(function, modulePath)+"  "+lastTwo(place))
	}
	return found
}

// working returns the part of a dump that is about the goroutine at work: the
// one that would run if the dump's own did not, or else the first.
func working(stack string) string {
	goroutines := strings.Split(stack, "\n\n")
	for _, g := range goroutines {
		if head, _, _ := strings.Cut(g, "\n"); strings.Contains(head, "[runnable") {
			return g
		}
	}
	return goroutines[0]
}

// lastTwo returns the last two parts of a path.
func lastTwo(path string) string {
	cut := strings.LastIndexByte(path, '/')
	if cut > 0 {
		cut = strings.LastIndexByte(path[:cut], '/')
	}
	return path[cut+1:]
}
