package facade

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/bkledger/bk/compat/facade/mode"
)

// bounds of latencies: 50 µs to 13 s.
var bounds = prometheus.ExponentialBuckets(50e-6, 2, 19)

// metrics are what the façade counts.
type metrics struct {
	service  *Service
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	total    *prometheus.HistogramVec
	added    *prometheus.HistogramVec
	upstream *prometheus.HistogramVec
	refused  *prometheus.CounterVec

	mu     sync.RWMutex
	series map[seriesKey]*series
}

type seriesKey struct {
	listener, route, method string
	mode                    mode.Mode
}

// series are the counts of one kind of call, found once.
type series struct {
	key                    seriesKey
	total, added, upstream prometheus.Observer
	requests               [6]prometheus.Counter // by the status's first digit; 0: no answer

	mu      sync.Mutex
	count   uint64
	errors  uint64
	buckets [20]uint64 // as bounds, and above
}

func newMetrics(s *Service) *metrics {
	labels := []string{"listener", "route", "method", "mode"}
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	}
	m := &metrics{
		service: s, registry: prometheus.NewRegistry(), series: map[seriesKey]*series{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotswap_requests_total", Help: "Calls, by the class of their status."}, append(labels, "status")),
		total:    histogram("hotswap_request_seconds", "From a call's arrival to the end of its answer."),
		added:    histogram("hotswap_added_seconds", "The part of a call's time that is not Bank's: the façade's own, and BK's where BK answers."),
		upstream: histogram("hotswap_upstream_seconds", "The part of a call's time that is waited for Bank."),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotswap_writes_refused_total", Help: "Writes that were sent to nobody, by reason."}, []string{"reason"}),
	}
	for _, reason := range []string{refusedBank, refusedFull, refusedWait, refusedDatabase} {
		m.refused.WithLabelValues(reason)
	}
	m.registry.MustRegister(m.refused, m.requests, m.total, m.added, m.upstream, m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// refuse counts a write that was sent to nobody.
func (m *metrics) refuse(reason string) { m.refused.WithLabelValues(reason).Inc() }

// served counts a call. Methods that the contract does not have are one.
func (m *metrics) served(listener, route, method string, in mode.Mode, status int, took, upstream time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete:
	default:
		method = "other"
	}
	s := m.find(seriesKey{listener, route, method, in})
	class := status / 100
	if class < 1 || class > 5 {
		class = 0
	}
	s.requests[class].Inc()
	s.total.Observe(took.Seconds())
	s.added.Observe((took - upstream).Seconds())
	if upstream > 0 {
		s.upstream.Observe(upstream.Seconds())
	}
	bucket := 0
	for bucket < len(bounds) && took.Seconds() > bounds[bucket] {
		bucket++
	}
	s.mu.Lock()
	s.count++
	if class == 0 || class >= 4 {
		s.errors++
	}
	s.buckets[bucket]++
	s.mu.Unlock()
}

func (m *metrics) find(key seriesKey) *series {
	m.mu.RLock()
	s := m.series[key]
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s = m.series[key]; s != nil {
		return s
	}
	labels := []string{key.listener, key.route, key.method, string(key.mode)}
	s = &series{key: key, total: m.total.WithLabelValues(labels...), added: m.added.WithLabelValues(labels...), upstream: m.upstream.WithLabelValues(labels...)}
	for class := range s.requests {
		name := "none"
		if class > 0 {
			name = strconv.Itoa(class) + "xx"
		}
		s.requests[class] = m.requests.WithLabelValues(append(labels, name)...)
	}
	m.series[key] = s
	return s
}

// RouteStatus is how one kind of call does, since the start.
type RouteStatus struct {
	Listener string    `json:"listener"`
	Route    string    `json:"route"`
	Method   string    `json:"method"`
	Mode     mode.Mode `json:"mode"`
	Count    uint64    `json:"count"`
	Errors   uint64    `json:"errors"`  // answers of 400 and above, and none
	Buckets  []uint64  `json:"buckets"` // by latency: up to 50 µs, 100 µs, ..., and above all
}

func (m *metrics) routes() []RouteStatus {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]RouteStatus, 0, len(m.series))
	for key, s := range m.series {
		s.mu.Lock()
		all = append(all, RouteStatus{key.listener, key.route, key.method, key.mode, s.count, s.errors, append([]uint64(nil), s.buckets[:]...)})
		s.mu.Unlock()
	}
	return all
}

var (
	modeDesc       = prometheus.NewDesc("hotswap_mode", "1 for the mode in force.", []string{"mode"}, nil)
	epochDesc      = prometheus.NewDesc("hotswap_epoch", "The epoch in force.", nil, nil)
	primaryDesc    = prometheus.NewDesc("hotswap_primary_up", "1 while the system that answers can be reached.", []string{"primary"}, nil)
	gateDesc       = prometheus.NewDesc("hotswap_gate_open", "1 while writes are taken.", nil, nil)
	inflightDesc   = prometheus.NewDesc("hotswap_writes_inflight", "Writes under way.", nil, nil)
	waitingDesc    = prometheus.NewDesc("hotswap_writes_waiting", "Writes that wait for the gate.", nil, nil)
	brakeDesc      = prometheus.NewDesc("hotswap_brake_seconds", "By which each write is slowed down, for a step that waits for its backlog.", nil, nil)
	rowsDesc       = prometheus.NewDesc("hotswap_backlog_rows", "What waits for the secondary.", []string{"backlog"}, nil)
	ageDesc        = prometheus.NewDesc("hotswap_backlog_age_seconds", "Age of the oldest of it.", []string{"backlog"}, nil)
	blockedDesc    = prometheus.NewDesc("hotswap_backlog_blocked", "What the secondary has rejected.", []string{"backlog"}, nil)
	gapDesc        = prometheus.NewDesc("hotswap_follow_gaps", "Parts of Bank's topics that Kafka had deleted before they were read: BK lacks them.", nil, nil)
	uploadsDesc    = prometheus.NewDesc("hotswap_uploads_unfinished", "Uploads that the façade has still to work off; no step is made while there are any.", nil, nil)
	heldDesc       = prometheus.NewDesc("hotswap_upload_row_failures", "How often the row has failed that they wait for, 0 while rows go through.", nil, nil)
	divergenceDesc = prometheus.NewDesc("hotswap_divergences", "What the secondary will not have, by kind.", []string{"backlog", "kind"}, nil)
)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{modeDesc, epochDesc, primaryDesc, gateDesc, inflightDesc, waitingDesc, brakeDesc, rowsDesc, ageDesc, blockedDesc, gapDesc, uploadsDesc, heldDesc, divergenceDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	flag := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	state, _ := m.service.keeper.State()
	for _, name := range mode.Modes() {
		gauge(modeDesc, flag(name == state.Mode), string(name))
	}
	gauge(epochDesc, float64(state.Epoch.Epoch))
	gauge(brakeDesc, state.BrakeMS/1000)
	primary := m.service.health.now()
	gauge(primaryDesc, flag(primary.Up), string(primary.Name))
	gate := m.service.keeper.Gate()
	gauge(gateDesc, flag(gate.Open))
	gauge(inflightDesc, float64(gate.Inflight))
	gauge(waitingDesc, float64(gate.Waiting))
	gauge(gapDesc, float64(len(m.service.gaps())))
	unfinished, failures := m.service.uploads.seen(), int64(0)
	if len(unfinished) > 0 && unfinished[0].Held != nil {
		failures = unfinished[0].Held.Attempts
	}
	gauge(uploadsDesc, float64(len(unfinished)))
	gauge(heldDesc, float64(failures))
	for _, b := range m.service.backlogs() {
		gauge(rowsDesc, float64(b.Rows), b.Name)
		gauge(ageDesc, b.AgeSeconds, b.Name)
		gauge(blockedDesc, float64(b.Blocked), b.Name)
		for kind, n := range b.Divergences {
			gauge(divergenceDesc, float64(n), b.Name, kind)
		}
	}
}
