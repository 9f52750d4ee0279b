package raft

import (
	"errors"
	"fmt"
	"slices"

	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

// shipFile is a snapshot file that peers may fetch.
type shipFile struct {
	meta   SnapshotMeta
	ready  bool // it has been read, and digest is known
	digest transport.Digest
}

// offer returns a snapshot file that peers may fetch. Before they may, it is read, and its digest
// computed from bytes that were found right: whatever the disk says then or later, no other ones are sent.
func (s *shipper) offer(meta SnapshotMeta) shipFile {
	at := slices.IndexFunc(s.files, func(f shipFile) bool { return f.meta == meta })
	if at >= 0 {
		return s.files[at]
	}
	n := s.node
	s.files = append(s.files, shipFile{meta: meta})
	job := &offerJob{path: n.keeper.path(snapshotName(meta)), meta: meta, hasher: s.lane.Hasher(int64(meta.Size))}
	n.env.Submit(laneSnapshot, job.execute, func(err error) {
		if n.phase != ended {
			s.offered(job, err)
			n.settle()
		}
	})
	return shipFile{}
}

// offered takes a file that has been read. If it could not be, the next timeout tries again; if it is
// damaged, a snapshot is taken that is not.
func (s *shipper) offered(j *offerJob, err error) {
	n := s.node
	at := slices.IndexFunc(s.files, func(f shipFile) bool { return f.meta == j.meta })
	if at < 0 {
		return // it was taken back
	}
	f := &s.files[at]
	if err == nil {
		f.digest, err = s.lane.OfferHashed(j.path, j.hasher)
	}
	if err != nil {
		n.refuse(laneSnapshot, err)
		s.files = slices.Delete(s.files, at, at+1)
		if errors.Is(err, ErrSnapshot) {
			s.damaged(j.meta)
		}
		return
	}
	f.ready = true
	for _, x := range s.shipments {
		if x.meta == f.meta && s.current(x) {
			s.tell(x)
		}
	}
}

// damaged gives up a snapshot that is damaged on disk, and has a new one taken in its place.
func (s *shipper) damaged(meta SnapshotMeta) {
	k := &s.node.keeper
	if meta == k.newest {
		k.damaged = true
		k.consider()
	}
	for _, x := range slices.Clone(s.shipments) {
		if x.meta == meta {
			s.finish(x, false)
		}
	}
}

// offerJob verifies a snapshot file and computes its digest, on the snapshot lane: it reads all of it, and the
// shipping lane must not stand still for that long.
type offerJob struct {
	path   string
	meta   SnapshotMeta
	hasher *transport.Hasher
}

func (j *offerJob) execute(fs runtime.FS) error {
	if err := readSnapshotFile(fs, j.path, j.meta, nil, j.hasher); err != nil {
		return fmt.Errorf("raft: offer %s: %w", j.path, err)
	}
	return nil
}

// withdraw ends the offer of a file that is to be removed. A peer in the midst of it goes on with other sources.
func (s *shipper) withdraw(meta SnapshotMeta) {
	s.files = slices.DeleteFunc(s.files, func(f shipFile) bool {
		if f.meta == meta && f.ready {
			s.lane.Withdraw(f.digest)
		}
		return f.meta == meta
	})
}
