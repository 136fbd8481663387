package legacy

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a Bank counts.
type metrics struct {
	registry      *prometheus.Registry
	trades        prometheus.Counter
	retries       prometheus.Counter
	unknown       prometheus.Counter
	published     prometheus.Counter
	relayFailures prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	m.trades = counter("bank_trades_answered_total", "Trades in calls that were answered with their ids, repeats too.")
	m.retries = counter("bank_transaction_retries_total", "Transactions that were tried again.")
	m.unknown = counter("bank_outcome_unknown_total", "Commits without an answer.")
	m.published = counter("bank_events_published_total", "Events that the broker has and the outbox no longer.")
	m.relayFailures = counter("bank_relay_failures_total", "Failures of the relay.")
	return m
}
