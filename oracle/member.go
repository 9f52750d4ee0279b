package oracle

import (
	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// member is the ghost of one voter. Everything but the volatile part
// outlives its crashes.
type member struct {
	id       runtime.NodeID
	position int // in history.members

	// What the disk holds.
	disk     disk
	claimed  ballot                       // the newest hard state whose claim was found true
	snapshot raft.Index                   // the newest snapshot whose claim was found true, or that came back
	votes    map[raft.Term]runtime.NodeID // granted, by votes that left
	files    [fileNames]string            // names seen last, so that a record's need not be copied
	nextFile int

	volatile
}

// volatile is what a member has in memory, as its records tell it.
type volatile struct {
	up      bool   // between boot and death
	running bool   // after raft.Started
	since   uint64 // the number of the record of its boot
	role    raft.Role
	state   ballot
	voteEnd place // the last entry of the log when the vote was given
	canvass canvass
	log     shadow
	cut     place // the last truncation: from where, and in which term
	commit  raft.Index
	applied raft.Index
	found   store        // the log as it comes back at boot
	match   []raft.Index // by member, of the term this member leads
}

// canvass is a round of pre-votes: what a member asked for last, and who has
// granted it since.
type canvass struct {
	step    uint64 // of the records that asked
	term    raft.Term
	granted uint64 // by position
}

// begin notes that the member at the position asks for a term; its own pre-vote it
// has. All peers are asked in one step.
func (c *canvass) begin(step uint64, term raft.Term, position int) {
	if c.step != step || c.term != term {
		*c = canvass{step: step, term: term, granted: 1 << position}
	}
}

// fileNames is how many file names are remembered per member.
const fileNames = 4

// file returns the name as a string, mostly without copying it.
func (m *member) file(name []byte) string {
	for i := range m.files {
		if m.files[i] == string(name) {
			return m.files[i]
		}
	}
	m.nextFile = (m.nextFile + 1) % fileNames
	m.files[m.nextFile] = string(name)
	return m.files[m.nextFile]
}

// reset empties the volatile part, keeping its memory.
func (m *member) reset(up bool) {
	log, found, match := m.log, m.found, m.match
	log.reset(place{})
	found.log.reset(place{})
	found.state = ballot{}
	clear(match)
	m.volatile = volatile{up: up, log: log, found: found, match: match}
}

// leads reports whether the member is a leader that lives.
func (m *member) leads() bool { return m.up && m.role == raft.Leader }
