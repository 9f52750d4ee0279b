package walrus_test

import (
	"testing"

	"github.com/octopii-go/octopii/walrus"
)

func TestSizeCountsWhatIsPublished(t *testing.T) {
	d := opened(t)
	d.put(t, func(s *script) {
		for _, text := range []string{"one", "two", "three"} {
			s.entry(mainTopic, 1, 0, text)
		}
	})
	d.put(t, func(s *script) { s.truncateFront(mainTopic, 2) })
	for _, c := range []struct {
		topic walrus.Topic
		n     uint64
		bytes int64
	}{{mainTopic, 2, 8}, {recoveryTopic, 2, 0}, {99, 0, 0}} {
		if n, bytes := d.log.Size(c.topic); n != c.n || bytes != c.bytes {
			t.Errorf("topic %d: %d entries of %d bytes, want %d of %d", c.topic, n, bytes, c.n, c.bytes)
		}
	}
}
