package publisher

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/kafkatest"
)

func TestPublish(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.New(t), newMemory()
	m.book(500)
	cfg := config(t, b, m)
	registry := prometheus.NewRegistry()
	cfg.Metrics = registry
	cfg.MaxEntries = 200
	p := start(t, cfg)
	p.caughtUp()
	m.book(700)
	p.caughtUp()
	eventually(t, "publishing", func() bool { return p.Status().State == Publishing })
	if err := p.Run(t.Context()); err == nil {
		t.Error("a second Run beside the first one")
	}
	p.stop()
	if s := p.Status(); s.State != Stopped || s.Err != nil || s.Published != m.Head() {
		t.Errorf("status %+v", s)
	}
	wantStream(t, b, cfg, m)

	if lag := []float64{p.lagEntries(), p.lagSeconds()}; lag[0] != 0 || lag[1] != 0 {
		t.Errorf("lag %v", lag)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	metrics := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			switch {
			case m.Counter != nil:
				metrics[f.GetName()] = m.Counter.GetValue()
			case m.Histogram != nil:
				metrics[f.GetName()] = float64(m.Histogram.GetSampleCount())
			default:
				metrics[f.GetName()] += m.Gauge.GetValue()
			}
		}
	}
	entries := float64(m.Head().Seq)
	if metrics["bk_publisher_entries_total"] != entries || metrics["bk_publisher_events_total"] <= entries || metrics["bk_publisher_state"] != 1 ||
		metrics["bk_publisher_transaction_seconds"] < entries/float64(cfg.MaxEntries) || len(metrics) != 6 {
		t.Errorf("metrics after %v entries: %v", entries, metrics)
	}
}

// Stopped at random places, with and without time to finish, it goes on where it was.
func TestRestart(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.New(t), newMemory()
	cfg := config(t, b, m)
	cfg.MaxEntries = 50
	cfg.Linger = -1
	for round := range 15 {
		m.book(300)
		cfg.DrainTimeout = time.Nanosecond
		if round%3 == 0 {
			cfg.DrainTimeout = 5 * time.Second
		}
		p := start(t, cfg)
		head := p.cfg.Journal.Head().Seq
		target := head - rand.Uint64N(min(head, 500))
		eventually(t, "far enough", func() bool { return p.Status().Published.Seq >= target || p.gone() })
		p.stop()
	}
	p := start(t, cfg)
	p.caughtUp()
	p.stop()
	wantStream(t, b, cfg, m)
}

// A second publisher takes the stream over, and the first one ends.
func TestFencing(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.New(t), newMemory()
	cfg := config(t, b, m)
	cfg.MaxEntries = 20
	last := start(t, cfg)
	for range 5 {
		m.book(1000)
		eventually(t, "publishing", func() bool { return last.Status().Published.Seq > 0 || last.gone() })
		next := start(t, cfg)
		m.book(1000)
		next.caughtUp()
		m.book(1) // so that the old one tries
		if err := last.wait(); !errors.Is(err, ErrFenced) {
			t.Fatalf("the old publisher: %v", err)
		}
		last = next
	}
	last.caughtUp()
	last.stop()
	wantStream(t, b, cfg, m)
}

// Several that start at once: one of them stays.
func TestFencingAtStart(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.New(t), newMemory()
	cfg := config(t, b, m)
	cfg.MaxEntries = 100
	var all []*running
	for range 4 {
		all = append(all, start(t, cfg))
	}
	left := func() (out []*running) {
		for _, p := range all {
			if !p.gone() {
				out = append(out, p)
			}
		}
		return out
	}
	eventually(t, "one left", func() bool {
		m.book(10) // one that has nothing to do doesn't notice
		return len(left()) == 1
	})
	left()[0].caughtUp()
	left()[0].stop()
	fenced := 0
	for _, p := range all {
		if err := p.wait(); errors.Is(err, ErrFenced) {
			fenced++
		}
	}
	if fenced != 3 {
		t.Errorf("%d were fenced", fenced)
	}
	wantStream(t, b, cfg, m)
}

// Another history, or less of this one, must never go into the stream.
func TestDiverged(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.New(t), newMemory()
	m.book(100)
	cfg := config(t, b, m)
	p := start(t, cfg)
	p.caughtUp()
	p.stop()
	for name, damage := range map[string]func(*memory){
		"shorter": func(o *memory) { o.book(10) },
		"other":   func(o *memory) { o.book(200) },
		"a hole": func(o *memory) {
			o.entries = append(append(o.entries, m.entries[len(o.entries):120]...), m.entries[121:]...)
			o.book(10)
		},
		"a hole ahead": func(o *memory) {
			o.entries = append(o.entries, m.entries[len(o.entries):]...)
			o.book(10)
			o.entries = append(o.entries[:len(o.entries)-5:len(o.entries)-5], o.entries[len(o.entries)-4:]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newMemory()
			o.shard, o.entries = m.shard, nil
			o.directory = ledger.NewDirectory()
			o.define()
			damage(o)
			other := config(t, b, o)
			if err := start(t, other).wait(); !errors.Is(err, ErrDiverged) {
				t.Errorf("Run: %v", err)
			}
			if err := newPublisher(t, other).Check(t.Context()); !errors.Is(err, ErrDiverged) && name != "a hole ahead" {
				t.Errorf("Check: %v", err)
			}
		})
	}
	wantStream(t, b, cfg, m)
}

func TestUnpublishable(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.New(t), newMemory()
	cfg := config(t, b, m)
	broken := errors.New("no protobuf for this")
	cfg.Encode = func(e *ledger.Entry) ([]byte, error) {
		if e.ID.Seq() == 30 {
			return nil, broken
		}
		return encode(e)
	}
	if err := start(t, cfg).wait(); !errors.Is(err, ErrUnpublishable) || !errors.Is(err, broken) || !strings.Contains(err.Error(), ":30") {
		t.Errorf("Run: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Events: "a", Checkpoints: "a", Partitions: -1, MaxEntries: -1, BackoffMin: time.Hour, MinInsync: 3, ReplicationFactor: 1})
	for _, want := range []string{"journal", "directory", "encode", "brokers", "events and checkpoints", "partitions", "max entries", "backoff", "min insync"} {
		if err == nil || !strings.Contains(err.Error(), want+":") {
			t.Errorf("%s isn't named: %v", want, err)
		}
	}
}
