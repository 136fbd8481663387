package projections

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the runner's figures. The lag is worked out when it is scraped, and only by the process that runs the projection: as
// long as it does, also where the projection can't go on.
type metrics struct {
	r                 *Runner
	lagEntries        *prometheus.Desc
	lagSeconds        *prometheus.Desc
	stopped, heldUp   *prometheus.Desc
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
		lagEntries: desc("lag_entries", "Entries in the journal that the active generation does not have yet; all until it was found."),
		lagSeconds: desc("lag_seconds", "Age of the oldest entry that the active generation does not have yet; 0 when it has all."),
		stopped:    desc("stopped", "1 if a fault stopped the projection."),
		heldUp:     desc("held_up", "1 while an error holds the projection or its rebuild up; it is tried again."),
		fold:       histogram("fold_seconds", "Folding a chunk in memory.", seconds),
		store:      histogram("store_seconds", "Writing a chunk: the whole transaction.", seconds),
		size:       histogram("chunk_entries", "Entries of a chunk.", prometheus.ExponentialBuckets(1, 2, 17)),
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
	ch <- m.heldUp
	for _, h := range []*prometheus.HistogramVec{m.fold, m.store, m.size} {
		h.Describe(ch)
	}
}

// Collect is of prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	head := m.r.cfg.Source.Head().Seq
	for _, l := range m.r.lanes {
		p := &l.progress
		p.mu.Lock()
		driven, at, oldest, stopped, heldUp := p.driven, p.at, p.oldest, p.fault != nil, p.heldUp() != ""
		p.mu.Unlock()
		if !driven {
			continue
		}
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, l.p.Name())
		}
		gauge(m.stopped, number(stopped))
		gauge(m.heldUp, number(heldUp))
		if head <= at.Seq {
			gauge(m.lagEntries, 0)
			gauge(m.lagSeconds, 0)
			continue
		}
		gauge(m.lagEntries, float64(head-at.Seq))
		if oldest.Seq != at.Seq+1 {
			next, err := m.r.cfg.Source.Read(ctx, at.Seq, 1)
			if err != nil || len(next) == 0 {
				continue // no age is better than a wrong one
			}
			oldest = Checkpoint{Seq: at.Seq + 1, BookedAt: next[0].BookedAt}
			p.mu.Lock()
			p.oldest = oldest
			p.mu.Unlock()
		}
		gauge(m.lagSeconds, max(0, time.Since(oldest.BookedAt).Seconds()))
	}
	for _, h := range []*prometheus.HistogramVec{m.fold, m.store, m.size} {
		h.Collect(ch)
	}
}

// scrapeTimeout bounds what a scrape reads of the journal: an entry for each projection that lags, mostly from memory.
const scrapeTimeout = time.Second

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
