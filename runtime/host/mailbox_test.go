package host

import "testing"

func TestMailbox(t *testing.T) {
	m := newMailbox[func()]()
	var got []int
	for i := range 3 {
		if taken := m.post(func() { got = append(got, i) }, 2); taken != (i < 2) {
			t.Errorf("post %d: %v", i, taken)
		}
	}
	select {
	case <-m.ready:
	default:
		t.Error("not ready")
	}
	work := m.take(nil)
	for _, f := range work {
		f()
	}
	if len(got) != 2 || got[0] != 0 || got[1] != 1 {
		t.Errorf("got %v", got)
	}
	if work = m.take(work); len(work) != 0 {
		t.Errorf("%d left", len(work))
	}
	m.close()
	if m.post(func() {}, 10) || len(m.take(work)) != 0 {
		t.Error("closed, and takes more")
	}
}
