package projections

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the runner's figures. The lag is worked out when it is scraped, and only by the process that runs the projection.
type metrics struct {
	r                 *Runner
	lagEntries        *prometheus.Desc
	lagSeconds        *prometheus.Desc
	stopped           *prometheus.Desc
	fold, store, size *prometheus.HistogramVec
}

func newMetrics(r *Runner, reg prometheus.Registerer) (*metrics, error) {
	label := []string{"projection"}
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("bk_projection_"+name, help, label, nil)
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "bk_projection_" + name, Help: help, Buckets: buckets}, label)
	}
	seconds := prometheus.ExponentialBuckets(0.0001, 2, 18)
	m := &metrics{
		r:          r,
		lagEntries: desc("lag_entries", "Entries in the journal that the active generation does not have yet."),
		lagSeconds: desc("lag_seconds", "How long ago the last entry was booked that the active generation has; 0 when it has all."),
		stopped:    desc("stopped", "1 if a fault stopped the projection."),
		fold:       histogram("fold_seconds", "Folding a chunk in memory.", seconds),
		store:      histogram("store_seconds", "Writing a chunk: the whole transaction.", seconds),
		size:       histogram("chunk_entries", "Entries of a chunk.", prometheus.ExponentialBuckets(1, 2, 15)),
	}
	if reg == nil {
		return m, nil
	}
	return m, reg.Register(m)
}

func (m *metrics) chunk(projection string, entries int, fold, store time.Duration) {
	m.fold.WithLabelValues(projection).Observe(fold.Seconds())
	m.store.WithLabelValues(projection).Observe(store.Seconds())
	m.size.WithLabelValues(projection).Observe(float64(entries))
}

// Describe is of prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.lagEntries
	ch <- m.lagSeconds
	ch <- m.stopped
	for _, h := range []*prometheus.HistogramVec{m.fold, m.store, m.size} {
		h.Describe(ch)
	}
}

// Collect is of prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	head := m.r.cfg.Source.Head().Seq
	for _, l := range m.r.lanes {
		at, running, fault, _ := l.progress.look()
		if !running && fault == nil {
			continue
		}
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, l.p.Name())
		}
		entries, seconds, stopped := 0.0, 0.0, 0.0
		if head > at.Seq {
			entries = float64(head - at.Seq)
			if !at.BookedAt.IsZero() {
				seconds = time.Since(at.BookedAt).Seconds()
			}
		}
		if fault != nil {
			stopped = 1
		}
		gauge(m.lagEntries, entries)
		gauge(m.lagSeconds, seconds)
		gauge(m.stopped, stopped)
	}
	for _, h := range []*prometheus.HistogramVec{m.fold, m.store, m.size} {
		h.Collect(ch)
	}
}
