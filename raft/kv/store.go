package kv

import (
	"bytes"
	"slices"
)

// pageMax is how many items a page holds at most. A page that is full splits in
// two; one that shares its items with the next within pageJoin takes them over.
const (
	pageMax  = 64
	pageJoin = pageMax / 2
)

// item is one key and its value. The bytes are never changed in place: pages
// and images share them.
type item struct {
	key, value []byte
}

// page is a run of items in the order of their keys, never empty. It may be
// changed only by the store whose epoch it has; any other page is shared.
type page struct {
	epoch uint64
	items []item
}

// store is a sorted set of items that can be captured at no cost. A capture
// begins a new epoch: from then on the pages of earlier epochs, and the
// list of pages, belong to the capture too, and are copied before a change.
type store struct {
	epoch     uint64
	listEpoch uint64 // of the list of pages
	pages     []*page
	count     int
}

// capture returns the pages as they are now. They will not change.
func (s *store) capture() []*page {
	s.epoch++
	return s.pages
}

// locate returns the page that holds the key, or would, and the place in it.
// Without a page it returns 0, 0.
func (s *store) locate(key []byte) (pageAt, itemAt int, found bool) {
	lo, hi := 0, len(s.pages)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if bytes.Compare(s.pages[mid].items[0].key, key) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return 0, 0, false
	}
	items := s.pages[lo-1].items
	from, to := 0, len(items)
	for from < to {
		mid := int(uint(from+to) / 2)
		switch bytes.Compare(items[mid].key, key) {
		case 0:
			return lo - 1, mid, true
		case -1:
			from = mid + 1
		default:
			to = mid
		}
	}
	return lo - 1, from, false
}

// get returns the value of a key. The caller must not change it.
func (s *store) get(key []byte) ([]byte, bool) {
	at, i, found := s.locate(key)
	if !found {
		return nil, false
	}
	return s.pages[at].items[i].value, true
}

// put sets the value of a key. The store keeps value, and a copy of a new key.
func (s *store) put(key, value []byte) {
	at, i, found := s.locate(key)
	if found {
		s.own(at).items[i].value = value
		return
	}
	s.count++
	added := item{key: bytes.Clone(key), value: value}
	if len(s.pages) == 0 {
		s.ownList()
		s.pages = append(s.pages, s.newPage([]item{added}))
		return
	}
	p := s.own(at)
	if len(p.items) == pageMax {
		right := s.newPage(p.items[pageMax/2:])
		clear(p.items[pageMax/2:])
		p.items = p.items[:pageMax/2]
		s.pages = slices.Insert(s.pages, at+1, right)
		if i > pageMax/2 {
			p, i = right, i-pageMax/2
		}
	}
	p.items = slices.Insert(p.items, i, added)
}

// remove takes a key away and reports whether it was there.
func (s *store) remove(key []byte) bool {
	at, i, found := s.locate(key)
	if !found {
		return false
	}
	s.count--
	p := s.own(at)
	p.items = slices.Delete(p.items, i, i+1)
	switch {
	case len(p.items) == 0:
		s.pages = slices.Delete(s.pages, at, at+1)
	case at+1 < len(s.pages) && len(p.items)+len(s.pages[at+1].items) <= pageJoin:
		p.items = append(p.items, s.pages[at+1].items...)
		s.pages = slices.Delete(s.pages, at+1, at+2)
	}
	return true
}

// appendLast adds an item whose key is greater than all others; it keeps both
// slices.
func (s *store) appendLast(key, value []byte) {
	s.count++
	last := len(s.pages) - 1
	if last < 0 || len(s.pages[last].items) >= pageMax*3/4 {
		s.ownList()
		s.pages = append(s.pages, s.newPage(nil))
		last++
	}
	p := s.own(last)
	p.items = append(p.items, item{key: key, value: value})
}

// own returns the page at that place, as one that may be changed.
func (s *store) own(at int) *page {
	s.ownList()
	p := s.pages[at]
	if p.epoch != s.epoch {
		p = s.newPage(p.items)
		s.pages[at] = p
	}
	return p
}

// ownList makes the list of pages one that may be changed.
func (s *store) ownList() {
	if s.listEpoch != s.epoch {
		s.pages = slices.Clone(s.pages)
		s.listEpoch = s.epoch
	}
}

// newPage returns a page of this epoch with a copy of the items.
func (s *store) newPage(items []item) *page {
	return &page{epoch: s.epoch, items: append(make([]item, 0, pageMax), items...)}
}
