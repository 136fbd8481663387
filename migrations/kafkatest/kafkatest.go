package kafkatest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/migrations/embedded"
)

// HomeEnv names the environment variable with the folder of Apache Kafka's jars, as .ci/kafka/fetch prints it.
const HomeEnv = "BK_TEST_KAFKA_HOME"

const startTimeout = 90 * time.Second // Apache Kafka on two busy cores takes 5 to 15

// Broker is a running Kafka broker.
type Broker struct {
	t    testing.TB
	addr string
	real bool
	own  *process // nil unless the test owns the broker
}

// New gives a broker that the test doesn't stop. It may be shared with the other tests of the binary.
func New(t testing.TB) *Broker {
	t.Helper()
	if home := os.Getenv(HomeEnv); home != "" {
		p := theShared.get(t, home)
		showLogOnFailure(t, p)
		return &Broker{t: t, addr: p.addr, real: true}
	}
	k, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	t.Cleanup(func() { k.Stop() })
	return &Broker{t: t, addr: k.Addr()}
}

// Own gives a broker in a process of its own, which the test may stop, kill and start again.
func Own(t testing.TB) *Broker {
	t.Helper()
	home := os.Getenv(HomeEnv)
	p, err := startNew(t.Context(), home, t.TempDir())
	if p != nil {
		showLogOnFailure(t, p)
		t.Cleanup(p.kill)
	}
	if err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	return &Broker{t: t, addr: p.addr, real: home != "", own: p}
}

// Addr is the bootstrap address, "127.0.0.1:port".
func (b *Broker) Addr() string { return b.addr }

// Real says whether it is Apache Kafka.
func (b *Broker) Real() bool { return b.real }

// Kill ends the broker's process with SIGKILL and returns when it is gone. Only for a broker from Own.
func (b *Broker) Kill() {
	b.t.Helper()
	b.mustOwn("Kill")
	b.own.kill()
}

// Stop ends the broker's process in order. Only for a broker from Own.
func (b *Broker) Stop() {
	b.t.Helper()
	b.mustOwn("Stop")
	if err := b.own.stop(); err != nil {
		b.t.Fatalf("kafkatest: %v", err)
	}
}

// Restart starts the broker again after Kill or Stop, at the same address with the same data, and returns when it
// answers requests. Only for a broker from Own.
func (b *Broker) Restart() {
	b.t.Helper()
	b.mustOwn("Restart")
	if err := b.own.start(b.t.Context()); err != nil {
		b.t.Fatalf("kafkatest: starting the broker again: %v", err)
	}
}

func (b *Broker) mustOwn(what string) {
	b.t.Helper()
	if b.own == nil {
		b.t.Fatalf("kafkatest: %s needs a broker from Own, this one may be other tests' too", what)
	}
}

// shared is the one Apache Kafka of a test binary. It is package state, against the rule of the house: nothing else
// lives as long as the test binary, and a start for each test would cost seconds.
type shared struct {
	once sync.Once
	p    *process
	err  error
}

var theShared shared

func (s *shared) get(t testing.TB, home string) *process {
	t.Helper()
	s.once.Do(func() {
		var dir string
		if dir, s.err = os.MkdirTemp("", "bk-kafkatest-"); s.err != nil {
			return
		}
		if s.err = removeAfterUs(dir); s.err != nil {
			return
		}
		s.p, s.err = startNew(context.Background(), home, dir) // not the test's context: it outlives the test
		if s.err != nil && s.p != nil {
			s.err = fmt.Errorf("%w\n%s", s.err, s.p.logTail())
			s.p.kill()
		}
	})
	if s.err != nil {
		t.Fatalf("kafkatest: starting Apache Kafka for this test binary: %v", s.err)
	}
	return s.p
}

// startNew starts a broker on an empty folder: Apache Kafka from home, the in-process one without.
func startNew(ctx context.Context, home, dir string) (*process, error) {
	var p *process
	var err error
	for range 3 { // another test binary may take a port between our look and the broker's
		sub, e := os.MkdirTemp(dir, "kafka-")
		if e != nil {
			return nil, e
		}
		p = &process{log: filepath.Join(sub, "broker.log")}
		if home == "" {
			err = embeddedProcess(p, sub)
		} else {
			err = realProcess(ctx, p, home, sub)
		}
		if err != nil {
			return p, err
		}
		if err = p.start(ctx); err == nil || ctx.Err() != nil {
			return p, err
		}
		p.kill()
	}
	return p, err
}

// freePort looks for a port below the ephemeral range (from 32768 on Linux): a client that dials a dead broker's port
// can't be given that very port as its own, which would connect it to itself, and no other client holds it.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := 20000 + rand.IntN(12000)
		var ln net.Listener
		if ln, err = net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, ln.Close()
		}
	}
	return 0, fmt.Errorf("no free port between 20000 and 32000: %w", err)
}

// awaitReady waits until the broker at addr answers and counts itself among the cluster's brokers, or is gone.
func awaitReady(ctx context.Context, addr string, gone <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		return err
	}
	defer c.Close()
	adm := kadm.NewClient(c)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		meta, err := adm.BrokerMetadata(try)
		cancel()
		if err == nil && len(meta.Brokers) > 0 && meta.Controller >= 0 {
			return nil
		}
		select {
		case <-gone:
			return fmt.Errorf("the broker at %s ended while it started", addr)
		case <-ctx.Done():
			return fmt.Errorf("the broker at %s doesn't answer: %w", addr, cmp.Or(err, ctx.Err()))
		case <-tick.C:
		}
	}
}

func showLogOnFailure(t testing.TB, p *process) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the broker's log ends with:\n%s", p.logTail())
		}
	})
}
