package main

import "runtime/debug"

// commit returns the revision that the binary was built from, with "+dirty"
// behind it if the tree had changes, or "unknown".
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if revision == "unknown" {
		dirty = ""
	}
	return revision + dirty
}
