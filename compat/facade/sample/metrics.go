package sample

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counts, for Prometheus and for [Sampler.Stats].
type metrics struct {
	reads, drops, results, divergences, explained, expired *prometheus.CounterVec
	pages, unkept                                          prometheus.Counter
	tookPrimary, tookSecondary                             func(time.Duration)

	mu    sync.Mutex
	stats Stats
}

// Stats are the counts of this replica since its start.
type Stats struct {
	Sampled     int64            `json:"sampled"` // reads that were taken
	Dropped     int64            `json:"dropped"` // for want of room, or too long
	Results     map[string]int64 `json:"results"` // how comparisons ended: equal, lagged, noise, explained, different, behind, timed_out, ...
	Divergences map[Kind]int64   `json:"divergences"`
	Explained   map[string]int64 `json:"explained"` // differences, by rule
	Expired     map[string]int64 `json:"expired"`   // divergences that a rule would have explained before it expired
	Waiting     int              `json:"waiting"`   // to be compared, or for the secondary to follow
}

// newMetrics registers the metrics; registry may be nil.
func newMetrics(registry prometheus.Registerer, routes []route, queued, parked, expired func() int) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotswap_sample_" + name, Help: help}, labels)
	}
	m := &metrics{
		reads:       counter("reads_total", "Reads that are compared.", "route"),
		drops:       counter("dropped_total", "Reads that would have been compared, had there been room, or had the answer been shorter.", "route"),
		results:     counter("results_total", "Comparisons, by how they ended.", "route", "result"),
		divergences: counter("divergences_total", "Differences that no rule explains.", "route", "kind"),
		explained:   counter("explained_total", "Differences that a rule explains.", "rule"),
		expired:     counter("expired_rule_total", "Divergences that a rule would explain, had it not expired.", "rule"),
		pages:       prometheus.NewCounter(prometheus.CounterOpts{Name: "hotswap_sample_pages_followed_total", Help: "Next pages of lists that were compared as well."}),
		unkept:      prometheus.NewCounter(prometheus.CounterOpts{Name: "hotswap_sample_not_kept_total", Help: "Differences that were counted but not kept for inspection."}),
		stats:       Stats{Results: map[string]int64{}, Divergences: map[Kind]int64{}, Explained: map[string]int64{}, Expired: map[string]int64{}},
	}
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hotswap_sample_seconds", Help: "How long the systems take to answer what they are asked for comparison.", Buckets: prometheus.ExponentialBuckets(100e-6, 4, 9),
	}, []string{"system"})
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hotswap_sample_" + name, Help: help}, func() float64 { return float64(value()) })
	}
	m.tookPrimary = func(d time.Duration) { seconds.WithLabelValues("primary").Observe(d.Seconds()) }
	m.tookSecondary = func(d time.Duration) { seconds.WithLabelValues("secondary").Observe(d.Seconds()) }
	// A count that isn't there before it is 1 can't be told from one that nobody makes.
	for _, r := range routes {
		for _, kind := range kinds() {
			m.divergences.WithLabelValues(r.path, string(kind))
		}
		for _, how := range results() {
			m.results.WithLabelValues(r.path, string(how))
		}
		m.reads.WithLabelValues(r.path)
		m.drops.WithLabelValues(r.path)
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.reads, m.drops, m.results, m.divergences, m.explained, m.expired, m.pages, m.unkept, seconds,
		gauge("queued", "Reads that wait to be compared.", queued), gauge("parked", "Reads that wait for the secondary to follow.", parked),
		gauge("rules_expired", "Rules that explain nothing any more.", expired),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) count(change func(*Stats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.stats)
}

func (m *metrics) sampled(on *route) {
	m.reads.WithLabelValues(on.path).Inc()
	m.count(func(s *Stats) { s.Sampled++ })
}

func (m *metrics) dropped(on *route) {
	m.drops.WithLabelValues(on.path).Inc()
	m.count(func(s *Stats) { s.Dropped++ })
}

func (m *metrics) followed() { m.pages.Inc() }

func (m *metrics) notKept(n int) { m.unkept.Add(float64(n)) }

func (m *metrics) ended(on *route, how result) {
	m.results.WithLabelValues(on.path, string(how)).Inc()
	m.count(func(s *Stats) { s.Results[string(how)]++ })
}

func (m *metrics) found(on *route, kind Kind, rule, expired string) {
	if rule != "" {
		m.explained.WithLabelValues(rule).Inc()
		m.count(func(s *Stats) { s.Explained[rule]++ })
		return
	}
	m.divergences.WithLabelValues(on.path, string(kind)).Inc()
	m.count(func(s *Stats) { s.Divergences[kind]++ })
	if expired != "" {
		m.expired.WithLabelValues(expired).Inc()
		m.count(func(s *Stats) { s.Expired[expired]++ })
	}
}

// Stats gives the counts.
func (s *Sampler) Stats() Stats {
	m := s.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.stats
	st.Results, st.Divergences, st.Explained, st.Expired = maps.Clone(st.Results), maps.Clone(st.Divergences), maps.Clone(st.Explained), maps.Clone(st.Expired)
	st.Waiting = len(s.queue) + int(s.parked.Load())
	return st
}
