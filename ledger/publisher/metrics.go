package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// metrics of one publisher, with the label shard.
type metrics struct {
	entries, events prometheus.Counter
	seconds         prometheus.Histogram
}

func newMetrics(p *Publisher, to prometheus.Registerer) (*metrics, error) {
	label := prometheus.Labels{"shard": strconv.Itoa(int(p.shard))}
	m := &metrics{
		entries: prometheus.NewCounter(prometheus.CounterOpts{Name: "bk_publisher_entries_total", ConstLabels: label,
			Help: "Journal entries published by this process."}),
		events: prometheus.NewCounter(prometheus.CounterOpts{Name: "bk_publisher_events_total", ConstLabels: label,
			Help: "Events published by this process: an entry is one for each customer that it touches."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "bk_publisher_transaction_seconds", ConstLabels: label,
			Help: "Duration of committed Kafka transactions.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}),
	}
	if to == nil {
		return m, nil
	}
	gauge := func(name, help string, extra prometheus.Labels, value func() float64) prometheus.Collector {
		labels := prometheus.Labels{"shard": label["shard"]}
		for k, v := range extra {
			labels[k] = v
		}
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value)
	}
	all := []prometheus.Collector{m.entries, m.events, m.seconds,
		gauge("bk_publisher_lag_entries", "Journal entries that are not in the stream yet; all of them until the checkpoint has been read.", nil, p.lagEntries),
		gauge("bk_publisher_lag_seconds", "Age of the oldest journal entry that is not in the stream yet.", nil, p.lagSeconds),
	}
	for _, state := range states {
		all = append(all, gauge("bk_publisher_state", "1 for the state that the publisher is in.", prometheus.Labels{"state": string(state)}, func() float64 {
			if p.Status().State == state {
				return 1
			}
			return 0
		}))
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, to.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *metrics) committed(b *batch, took time.Duration) {
	m.entries.Add(float64(b.entries))
	m.events.Add(float64(len(b.records)))
	m.seconds.Observe(took.Seconds())
}

func (p *Publisher) lagEntries() float64 {
	published := p.published.Load()
	return float64(max(p.cfg.Journal.Head().Seq, published) - published)
}

func (p *Publisher) lagSeconds() float64 {
	e := p.waiting.Load()
	if e == nil || e.ID.Seq() <= p.published.Load() {
		return 0
	}
	return max(0, time.Since(e.BookedAt).Seconds())
}

// kafkaLog hands the Kafka client's lines to slog, all as debug: what matters of them comes back as an error.
type kafkaLog struct{ log *slog.Logger }

// Level implements kgo.Logger.
func (l kafkaLog) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelNone
}

// Log implements kgo.Logger.
func (l kafkaLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	l.log.Debug(fmt.Sprintf("kafka client: %s", msg), append([]any{"kafka_level", level.String()}, keyvals...)...)
}
