package bankstream

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

// metrics are what an instance counts.
type metrics struct {
	read, published, aborted, retries, poisoned, sessions prometheus.Counter
	transactions, restores                                prometheus.Histogram
}

func newMetrics(s *Service, to prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "hotswap_stream_" + name, Help: help})
	}
	m := &metrics{
		read:      counter("events_read_total", "Events of BK's that were told."),
		published: counter("events_published_total", "Records published, on shadow topics and Bank's together."),
		aborted:   counter("transactions_aborted_total", "Transactions that were done again: rebalances, and records that Kafka refused."),
		retries:   counter("waits_total", "Times that a partition had to wait for what it needs."),
		poisoned:  counter("poisoned_total", "Times that a partition came to an event that can't be told."),
		sessions:  counter("sessions_failed_total", "Sessions that ended by an error."),
		transactions: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotswap_stream_transaction_seconds",
			Help: "Duration of committed transactions.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}),
		restores: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotswap_stream_restore_seconds",
			Help: "Duration of restores of a partition's state.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 14)}),
	}
	if to == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.read, m.published, m.aborted, m.retries, m.poisoned, m.sessions, m.transactions, m.restores, &gauges{s}} {
		errs = append(errs, to.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *metrics) transaction(works []*work, committed bool, took time.Duration) {
	if !committed {
		m.aborted.Inc()
		return
	}
	m.transactions.Observe(took.Seconds())
	for _, w := range works {
		m.read.Add(float64(w.events))
		m.published.Add(float64(w.output.count))
	}
}

func (m *metrics) restored(took time.Duration) { m.restores.Observe(took.Seconds()) }

// gauges shows the status.
type gauges struct{ s *Service }

var (
	readyDesc    = prometheus.NewDesc("hotswap_stream_ready", "1 if the instance has joined the group and all its partitions run.", nil, nil)
	phaseDesc    = prometheus.NewDesc("hotswap_stream_partition_phase", "1 for the phase that a partition is in.", []string{"partition", "phase"}, nil)
	lagDesc      = prometheus.NewDesc("hotswap_stream_lag_offsets", "Offsets of BK's topic that are not told yet.", []string{"partition"}, nil)
	holdingsDesc = prometheus.NewDesc("hotswap_stream_holdings", "Holdings in a partition's state.", []string{"partition"}, nil)
	tradesDesc   = prometheus.NewDesc("hotswap_stream_trades", "Live trades in a partition's state.", []string{"partition"}, nil)
	skippedDesc  = prometheus.NewDesc("hotswap_stream_skipped", "Events of a partition that people have left out, ever.", []string{"partition"}, nil)
)

// Describe implements prometheus.Collector.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{readyDesc, phaseDesc, lagDesc, holdingsDesc, tradesDesc, skippedDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	status := g.s.Status()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	flag := map[bool]float64{true: 1}
	gauge(readyDesc, flag[status.Ready])
	for _, p := range status.Partitions {
		id := strconv.Itoa(int(p.Partition))
		for _, phase := range []Phase{Restoring, Running, Waiting, Poisoned, Lost} {
			gauge(phaseDesc, flag[p.Phase == phase], id, string(phase))
		}
		gauge(lagDesc, float64(p.Lag), id)
		gauge(holdingsDesc, float64(p.Holdings), id)
		gauge(tradesDesc, float64(p.Trades), id)
		gauge(skippedDesc, float64(p.Skipped), id)
	}
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
