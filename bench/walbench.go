package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// walBench measures logs on a real disk. Within a workload all systems have their logs
// open at once and take turns, a few milliseconds each, over many rounds. A
// ratio is the median of the ratios to the bare loop of the same round, so that
// what else the machine does meets both. It needs Linux.
type walBench struct {
	quick    bool
	dir      string
	only     string
	systems  string
	profile  string
	countOps int
	show     func(row)

	root    string             // the temporary folder
	disk    *diskCounter       // of its device
	appends map[string]float64 // syncs an append, by system, once counted
}

func (b *walBench) run() error {
	if b.countOps > 0 {
		return b.countRun()
	}
	root, remove, err := makeRoot(b.dir)
	if err != nil {
		return err
	}
	defer remove()
	b.root, b.appends = root, map[string]float64{}
	if b.disk, err = diskOf(root); err != nil {
		return err
	}
	stop, err := startProfile(b.profile)
	if err != nil {
		return err
	}
	defer stop()
	for _, w := range workloads(b.quick) {
		if !strings.Contains(w.name, b.only) {
			continue
		}
		if err := b.measure(w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// measure runs one workload and shows its rows.
func (b *walBench) measure(w workload) (err error) {
	lanes, err := b.openLanes(w)
	defer func() { err = errors.Join(err, closeLanes(lanes)) }()
	if err != nil {
		return err
	}
	if err := duel(lanes, w.rounds, w.ops); err != nil {
		return err
	}
	for _, l := range lanes {
		r := l.row(w)
		if w.count {
			if err := b.countCalls(w, l.system, r.Costs); err != nil {
				return err
			}
		}
		b.show(r)
	}
	return nil
}

// openLanes opens the workload's systems, the bare loop first.
func (b *walBench) openLanes(w workload) (lanes []*lane, err error) {
	for i, s := range systems() {
		if s.extra && !w.extras || s.crowd && !w.crowds || s.name != bareName && !strings.Contains(s.name, b.systems) {
			continue
		}
		l, err := openLane(w, s, filepath.Join(b.root, fmt.Sprint(i)))
		if errors.Is(err, errNotOffered) {
			continue
		}
		if err != nil {
			return lanes, fmt.Errorf("%s: %w", s.name, err)
		}
		l.disk = b.disk
		lanes = append(lanes, l)
	}
	return lanes, nil
}

// openLane opens one system in a folder that it makes.
func openLane(w workload, s system, dir string) (*lane, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	st, err := s.open(setup{dir: dir, noSync: w.noSync})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	l := &lane{system: s, store: st, dir: dir}
	if l.op, err = w.prepare(w, l); err == nil {
		// What preparing left to be written back would disturb whoever is measured first.
		err = syncFiles(dir, false)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func closeLanes(lanes []*lane) error {
	var errs []error
	for _, l := range lanes {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}
