package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// costs is what an operation needs beside time.
type costs struct {
	// Syncs is fsync, fdatasync and msync calls an operation, counted with strace in
	// a process of its own. For a truncation it is those it adds to an append.
	Syncs *float64 `json:"syncs_per_op,omitempty"`
	// Device is bytes sent to the device by bytes of payload, the file system's journal
	// included, by the kernel's count for the whole device. Others may write too, so it is
	// the lower quartile of the rounds. It is left out where nothing is synced.
	Device float64 `json:"device_bytes_per_payload_byte,omitempty"`
	// Written is bytes given to write calls by bytes of payload, counted like Syncs.
	Written float64 `json:"written_bytes_per_payload_byte,omitempty"`
	// CPU is microseconds of processor time an operation, of all processes.
	CPU float64 `json:"cpu_us_per_op,omitempty"`
	// Allocs is heap allocations by entry, of the whole process.
	Allocs float64 `json:"allocs_per_entry,omitempty"`
}

func (c *costs) text() string {
	var s string
	if c.CPU > 0 {
		s += fmt.Sprintf("cpu %7.1f us  ", c.CPU)
	}
	if c.Allocs > 0 {
		s += fmt.Sprintf("allocs %6.2f  ", c.Allocs)
	}
	if c.Syncs != nil {
		s += fmt.Sprintf("syncs %5.2f  ", *c.Syncs)
	}
	if c.Written > 0 {
		s += fmt.Sprintf("written %5.2f  ", c.Written)
	}
	if c.Device > 0 {
		s += fmt.Sprintf("device %5.2f  ", c.Device)
	}
	return s
}

// diskCounter reads the kernel's count of what was written to a device.
type diskCounter struct {
	number string // major and minor, as in /proc/diskstats
}

// diskOf returns the counter for the device a folder is on.
func diskOf(dir string) (*diskCounter, error) {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return nil, err
	}
	return &diskCounter{fmt.Sprint(unix.Major(stat.Dev), " ", unix.Minor(stat.Dev))}, nil
}

// written returns the bytes written so far, or zero if the kernel does not say.
func (d *diskCounter) written() uint64 {
	const sectorsWritten, sectorBytes = 9, 512 // see the kernel's iostats.rst
	text, err := os.ReadFile("/proc/diskstats")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > sectorsWritten && fields[0]+" "+fields[1] == d.number {
			n, _ := strconv.ParseUint(fields[sectorsWritten], 10, 64)
			return n * sectorBytes
		}
	}
	return 0
}

// How often the counted process runs the operation. What opening and closing a
// log needs is in both numbers, and so not in their difference.
const countFew, countMany = 8, 40

// countCalls sets c.Syncs and c.Written. Without strace they stay unknown.
func (b *walBench) countCalls(w workload, s system, c *costs) error {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil
	}
	syncs, bytes, err := b.slope(strace, w.name, s.name)
	if err != nil {
		return err
	}
	if w.cuts {
		if _, ok := b.appends[s.name]; !ok {
			if b.appends[s.name], _, err = b.slope(strace, appendWorkload, s.name); err != nil {
				return err
			}
		}
		syncs -= (appendsPerCut + 1) * b.appends[s.name]
	} else {
		c.Written = bytes / float64(w.entries*w.bytes)
	}
	if w.name == appendWorkload {
		b.appends[s.name] = syncs
	}
	c.Syncs = &syncs
	return nil
}

// slope returns what one more operation costs, in syncs and in bytes written.
func (b *walBench) slope(strace, workload, system string) (syncs, bytes float64, err error) {
	few, err := b.traced(strace, workload, system, countFew)
	if err != nil {
		return 0, 0, err
	}
	many, err := b.traced(strace, workload, system, countMany)
	if err != nil {
		return 0, 0, err
	}
	const more = countMany - countFew
	return float64(many.syncs-few.syncs) / more, float64(many.bytes-few.bytes) / more, nil
}

// calls is what a process asked of the kernel.
type calls struct {
	syncs, bytes int
}

// traced runs this program under strace.
func (b *walBench) traced(strace, workload, system string, ops int) (calls, error) {
	self, err := os.Executable()
	if err != nil {
		return calls{}, err
	}
	log := filepath.Join(b.root, "strace")
	args := []string{"-f", "-qq", "--seccomp-bpf", "-s", "0", "-o", log, "-e", "signal=none",
		"-e", "trace=fsync,fdatasync,msync,write,pwrite64,writev,pwritev,pwritev2",
		self, "wal", "--count-ops", strconv.Itoa(ops), "--dir", b.root, "--only", workload, "--systems", system}
	if out, err := exec.Command(strace, args...).CombinedOutput(); err != nil {
		return calls{}, fmt.Errorf("strace: %w: %s", err, out)
	}
	f, err := os.Open(log)
	if err != nil {
		return calls{}, err
	}
	defer f.Close()
	var c calls
	for lines := bufio.NewScanner(f); lines.Scan(); {
		c.add(lines.Text())
	}
	return c, os.Remove(log)
}

// add takes a line as "12 pwrite64(3, ""..., 8, 0) = 8", or one of the two that strace
// writes for a call during which another thread made one: the first ends with
// "<unfinished ...>", the second is as "12 <... pwrite64 resumed>) = 8".
func (c *calls) add(line string) {
	if strings.Contains(line, "sync(") {
		c.syncs++
		return
	}
	if at := strings.LastIndex(line, " = "); at >= 0 && strings.Contains(line, "write") {
		if n, err := strconv.Atoi(line[at+len(" = "):]); err == nil && n > 0 {
			c.bytes += n
		}
	}
}

// countRun is the counted process: one system, one workload, no clock.
func (b *walBench) countRun() error {
	for _, w := range workloads(false) {
		for _, s := range systems() {
			if w.name != b.only || s.name != b.systems {
				continue
			}
			l, err := openLane(w, s, filepath.Join(b.dir, "counted"))
			if err != nil {
				return err
			}
			_, err = l.op(b.countOps, &l.took)
			return errors.Join(err, l.close())
		}
	}
	return fmt.Errorf("no workload %q of system %q", b.only, b.systems)
}
