package host

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/octopii-go/octopii/runtime"
)

// The buckets of histograms, in seconds: from what a turn of an idle loop takes to what nobody should ever see.
var (
	turnBuckets = prometheus.ExponentialBuckets(4e-6, 4, 11) // to 4 s
	diskBuckets = prometheus.ExponentialBuckets(2e-5, 2, 20) // to 10 s
)

// fileCall says what a job does with a file or a folder.
type fileCall uint8

const (
	callOpen fileCall = iota // create, open, lock
	callName                 // rename, remove, list, make a folder
	callRead
	callWrite
	callAllocate // and size, truncate, drop the cache
	callSync     // of a file or a folder
	callClose
	callCount
)

var callNames = [callCount]string{"open", "name", "read", "write", "allocate", "sync", "close"}

var channelNames = [runtime.ChannelCount]string{"control", "bulk", "rpc", "files"}

// metrics are what a host counts. All of it may be read from any goroutine.
type metrics struct {
	turns      prometheus.Histogram
	steps      prometheus.Counter
	jobs       [runtime.LaneCount]prometheus.Observer
	jobSeconds *prometheus.HistogramVec
	calls      [callCount]prometheus.Counter
	callsTotal *prometheus.CounterVec
	syncs      prometheus.Histogram
	read       prometheus.Counter
	written    prometheus.Counter
	frames     [runtime.ChannelCount][2]prometheus.Counter // received, sent
	bytes      [runtime.ChannelCount][2]prometheus.Counter
	framesSum  *prometheus.CounterVec
	bytesSum   *prometheus.CounterVec
	dropped    prometheus.Counter
	stalls     prometheus.Counter
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}
	}
	m := &metrics{
		turns: prometheus.NewHistogram(histogram("octopii_loop_turn_seconds",
			"How long the loop took for all that was waiting for it: the longest that anything waits behind.", turnBuckets)),
		steps: counter("octopii_loop_steps_total", "Steps of the loop: calls of the node, and ends of jobs."),
		jobSeconds: prometheus.NewHistogramVec(histogram("octopii_lane_job_seconds",
			"How long jobs of a lane took.", diskBuckets), []string{"lane"}),
		callsTotal: vector("octopii_file_calls_total", "Calls of jobs on files and folders.", "call"),
		syncs: prometheus.NewHistogram(histogram("octopii_file_sync_seconds",
			"How long syncs of files and folders took.", diskBuckets)),
		read:      counter("octopii_file_read_bytes_total", "Bytes read from files."),
		written:   counter("octopii_file_written_bytes_total", "Bytes written to files."),
		framesSum: vector("octopii_frames_total", "Frames that the node has received and sent.", "channel", "direction"),
		bytesSum:  vector("octopii_frame_bytes_total", "Bytes of those frames.", "channel", "direction"),
		dropped:   counter("octopii_frames_dropped_total", "Frames received that were dropped because too many waited."),
		stalls:    counter("octopii_disk_stalls_total", "Calls on files that took longer than the watchdog allows."),
	}
	for lane := range m.jobs {
		m.jobs[lane] = m.jobSeconds.WithLabelValues(strconv.Itoa(lane))
	}
	for call, name := range callNames {
		m.calls[call] = m.callsTotal.WithLabelValues(name)
	}
	for ch, name := range channelNames {
		for i, direction := range []string{"received", "sent"} {
			m.frames[ch][i] = m.framesSum.WithLabelValues(name, direction)
			m.bytes[ch][i] = m.bytesSum.WithLabelValues(name, direction)
		}
	}
	return m
}

// frame counts one that was received or sent.
func (m *metrics) frame(ch runtime.Channel, direction int, bytes int) {
	if ch < runtime.ChannelCount {
		m.frames[ch][direction].Inc()
		m.bytes[ch][direction].Add(float64(bytes))
	}
}

const (
	received = 0
	sent     = 1
)

// What is looked up when somebody asks.
var (
	loopQueue = prometheus.NewDesc("octopii_loop_queue", "What waits for the loop.", nil, nil)
	laneQueue = prometheus.NewDesc("octopii_lane_queue", "Jobs that wait for a lane.", []string{"lane"}, nil)
	laneStuck = prometheus.NewDesc("octopii_lane_call_seconds", "How long the call on a file that a lane is in has lasted.", []string{"lane"}, nil)
)

// Collector is what the host counts, for a registry. Two hosts of one process are told apart by labels, as
// prometheus.WrapRegistererWith adds. It may be collected until long after the host has ended.
func (h *Host) Collector() prometheus.Collector { return collector{h} }

type collector struct{ h *Host }

func (c collector) vectors() []prometheus.Collector {
	m := c.h.metrics
	return []prometheus.Collector{
		m.turns, m.steps, m.jobSeconds, m.callsTotal, m.syncs, m.read, m.written, m.framesSum, m.bytesSum, m.dropped, m.stalls,
	}
}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, v := range c.vectors() {
		v.Describe(to)
	}
	to <- loopQueue
	to <- laneQueue
	to <- laneStuck
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	for _, v := range c.vectors() {
		v.Collect(to)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(loopQueue, float64(c.h.inbox.length()))
	for lane := range c.h.lanes {
		name := strconv.Itoa(lane)
		gauge(laneQueue, float64(c.h.lanes[lane].length()), name)
		gauge(laneStuck, c.h.watches[lane].lasts().Seconds(), name)
	}
}
