package cluster

import (
	"sync"
	"time"

	"github.com/octopii-go/octopii/runtime"
)

// repeatAfter is how long the same complaint is not made again.
const repeatAfter = 10 * time.Second

// complaints are what the log was told last of each subject: what is tried again and again is not to fill the log. Its methods may
// be called from any goroutine.
type complaints struct {
	mu   sync.Mutex
	last map[subject]complaint // no more than members, twice, and strangers
}

// subject is what a complaint is about.
type subject struct {
	peer    runtime.NodeID // zero: no member, or no peer at all
	inbound bool           // it dialed us
}

type complaint struct {
	text string
	at   time.Time
}

// fresh reports whether the complaint is another one than the last about that subject, or is due again.
func (c *complaints) fresh(about subject, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, any := c.last[about]; any && last.text == text && time.Since(last.at) < repeatAfter {
		return false
	}
	if c.last == nil {
		c.last = map[subject]complaint{}
	}
	c.last[about] = complaint{text, time.Now()}
	return true
}

// forget has the next complaint about the peer be made, whatever it is.
func (c *complaints) forget(peer runtime.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.last, subject{peer, false})
	delete(c.last, subject{peer, true})
}
