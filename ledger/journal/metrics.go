package journal

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/ledger"
)

// metrics are the pipeline's gauges; durations are in seconds.
type metrics struct {
	queueWait, appending, batch prometheus.Histogram
	entries, repeats, refused   prometheus.Counter
	rejected                    *prometheus.CounterVec
	inFlight, leading, head     prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "bk", Subsystem: "journal", Name: name, Help: help, Buckets: buckets})
		reg.MustRegister(h)
		return h
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "bk", Subsystem: "journal", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "bk", Subsystem: "journal", Name: name, Help: help})
		reg.MustRegister(g)
		return g
	}
	seconds := prometheus.ExponentialBuckets(0.0001, 2, 16)
	m := &metrics{
		queueWait: histogram("queue_seconds", "From the queue to the sequencer's decision.", seconds),
		appending: histogram("append_seconds", "The transaction of a batch: fence, COPY, COMMIT.", seconds),
		batch:     histogram("batch_entries", "Entries of a batch.", prometheus.ExponentialBuckets(1, 2, 15)),
		entries:   counter("entries_total", "Entries appended."),
		repeats:   counter("repeats_total", "Commands answered with the first answer to their key."),
		refused:   counter("refused_total", "Commands refused because the queue was full."),
		inFlight:  gauge("in_flight_units", "Commands accepted and not yet answered, by weight."),
		leading:   gauge("leading", "1 while this process is the writer."),
		head:      gauge("head", "Sequence number of the last committed entry."),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "bk", Subsystem: "journal", Name: "rejected_total", Help: "Commands rejected, by reason.",
		}, []string{"reason"}),
	}
	reg.MustRegister(m.rejected)
	return m
}

func (m *metrics) count(p *Pending) {
	for i := range p.outcomes {
		if rej := ledger.AsRejection(p.outcomes[i].Err); rej != nil {
			m.rejected.WithLabelValues(string(rej.Reason)).Inc()
		} else if p.outcomes[i].Receipt.Repeat {
			m.repeats.Inc()
		}
	}
}

func (m *metrics) appended(b *batch) {
	m.entries.Add(float64(len(b.entries)))
	m.head.Set(float64(b.seq))
}
