package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/report"
)

// watch compares again and again, until ctx ends. A round that fails is counted, logged, and followed by the next.
func (p *parityFlags) watch(ctx context.Context, a *app) error {
	secondSignalKills(ctx)
	w := newParityMetrics()
	if p.metrics != "" {
		end, err := w.serve(ctx, p.metrics)
		if err != nil {
			return &usageError{fmt.Errorf("--metrics: %w", err)}
		}
		defer end()
		fmt.Fprintf(a.err, "metrics and the last report: http://%s\n", w.address)
	}
	for {
		began := time.Now()
		r, err := p.once(ctx, a.err)
		if err == nil {
			err = p.write(a.out, r)
		}
		if ctx.Err() != nil {
			return nil // it was told to end
		}
		if err != nil {
			w.failures.Inc()
			p.cfg.Log.Error("the comparison failed", "error", err)
		} else {
			w.take(r, time.Since(began))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(p.every):
		}
	}
}

// parityMetrics are the figures of the last round, and its report.
type parityMetrics struct {
	registry                                                *prometheus.Registry
	compared, equal, pending, oldest, seconds, last, differ prometheus.Gauge
	findings                                                *prometheus.GaugeVec
	runs, failures                                          prometheus.Counter
	page                                                    atomic.Pointer[[]byte]
	address                                                 net.Addr
}

func newParityMetrics() *parityMetrics {
	w := &parityMetrics{registry: prometheus.NewRegistry()}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "parity_" + name, Help: help})
		w.registry.MustRegister(g)
		return g
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "parity_" + name, Help: help})
		w.registry.MustRegister(c)
		return c
	}
	w.compared = gauge("compared_events", "Events that were compared in the last round.")
	w.equal = gauge("equal_events", "Of those, events that both sides have alike.")
	w.pending = gauge("pending_events", "Events that only one side has, and is waited for.")
	w.oldest = gauge("oldest_pending_seconds", "How long ago the oldest pending event was landed.")
	w.differ = gauge("unexplained", "First events of what differs that no rule explains.")
	w.seconds = gauge("round_seconds", "How long the last round took.")
	w.last = gauge("last_round_timestamp_seconds", "When the last round ended that did not fail.")
	w.runs = counter("rounds_total", "Rounds that ended.")
	w.failures = counter("failed_rounds_total", "Rounds that failed.")
	w.findings = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "parity_findings", Help: "First events of what differs, by kind and by whether a rule explains them."}, []string{"kind", "explained"})
	w.registry.MustRegister(w.findings)
	return w
}

func (w *parityMetrics) take(r *parity.Report, took time.Duration) {
	w.compared.Set(float64(r.Compared))
	w.equal.Set(float64(r.Equal))
	w.pending.Set(float64(r.Pending))
	w.oldest.Set(0)
	if !r.PendingFrom.IsZero() && r.Pending > 0 {
		w.oldest.Set(r.At.Sub(r.PendingFrom).Seconds())
	}
	w.differ.Set(float64(r.Unexplained))
	w.seconds.Set(took.Seconds())
	w.last.SetToCurrentTime()
	w.runs.Inc()
	w.findings.Reset()
	for _, c := range r.Causes {
		w.findings.WithLabelValues(c.Kind, fmt.Sprint(c.ExplainedBy != "")).Add(float64(c.Findings))
	}
	var page bytes.Buffer
	if report.HTML(&page, r) == nil {
		text := page.Bytes()
		w.page.Store(&text)
	}
}

// serve listens until the function that it gives is called.
func (w *parityMetrics) serve(ctx context.Context, address string) (end func(), err error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	w.address = l.Addr()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(to http.ResponseWriter, _ *http.Request) { fmt.Fprintln(to, "ok") })
	mux.HandleFunc("GET /{$}", func(to http.ResponseWriter, _ *http.Request) {
		page := w.page.Load()
		if page == nil {
			http.Error(to, "no round has ended yet", http.StatusServiceUnavailable)
			return
		}
		to.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = to.Write(*page) // who has gone away needs no page
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			w.failures.Inc()
		}
	}()
	return func() {
		_ = server.Close()
		<-done
	}, nil
}
