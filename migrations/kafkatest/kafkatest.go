package kafkatest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/bkledger/bk/migrations/embedded"
	"github.com/bkledger/bk/migrations/kafkatest/broker"
)

// HomeEnv names the environment variable with the folder of Apache Kafka's jars, as .ci/kafka/fetch prints it.
const HomeEnv = "BK_TEST_KAFKA_HOME"

// Broker is a running Kafka broker.
type Broker struct {
	t    testing.TB
	addr string
	real bool
	own  *broker.Broker // nil unless the test owns the broker
}

// New gives a broker that the test doesn't stop. It may be shared with the other tests of the binary.
func New(t testing.TB) *Broker {
	t.Helper()
	if home := os.Getenv(HomeEnv); home != "" {
		p := theShared.get(t, home)
		showLogOnFailure(t, p)
		return &Broker{t: t, addr: p.Addr(), real: true}
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
	p, err := broker.New(t.Context(), home, t.TempDir())
	if p != nil {
		showLogOnFailure(t, p)
		t.Cleanup(p.Kill)
	}
	if err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	return &Broker{t: t, addr: p.Addr(), real: home != "", own: p}
}

// Addr is the bootstrap address, "127.0.0.1:port".
func (b *Broker) Addr() string { return b.addr }

// Real says whether it is Apache Kafka.
func (b *Broker) Real() bool { return b.real }

// Kill ends the broker's process with SIGKILL and returns when it is gone. Only for a broker from Own.
func (b *Broker) Kill() {
	b.t.Helper()
	b.mustOwn("Kill")
	b.own.Kill()
}

// Stop ends the broker's process in order. Only for a broker from Own.
func (b *Broker) Stop() {
	b.t.Helper()
	b.mustOwn("Stop")
	if err := b.own.Stop(); err != nil {
		b.t.Fatalf("kafkatest: %v", err)
	}
}

// Restart starts the broker again after Kill or Stop, at the same address with the same data, and returns when it
// answers requests. Only for a broker from Own.
func (b *Broker) Restart() {
	b.t.Helper()
	b.mustOwn("Restart")
	if err := b.own.Start(b.t.Context()); err != nil {
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
	p    *broker.Broker
	end  *os.File // kept open until this process ends
	err  error
}

var theShared shared

func (s *shared) get(t testing.TB, home string) *broker.Broker {
	t.Helper()
	s.once.Do(func() {
		var dir string
		if dir, s.err = os.MkdirTemp("", "bk-kafkatest-"); s.err != nil {
			return
		}
		if s.end, s.err = removeAfterUs(dir); s.err != nil {
			return
		}
		s.p, s.err = broker.New(context.Background(), home, dir) // not the test's context: it outlives the test
		if s.err != nil && s.p != nil {
			s.err = fmt.Errorf("%w\n%s", s.err, s.p.LogTail())
		}
	})
	if s.err != nil {
		t.Fatalf("kafkatest: starting Apache Kafka for this test binary: %v", s.err)
	}
	return s.p
}

func showLogOnFailure(t testing.TB, p *broker.Broker) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the broker's log ends with:\n%s", p.LogTail())
		}
	})
}

// removeAfterUs removes a folder when this process has ended, however it ended: the shared broker has no test whose
// end it could wait for. The shell reads a pipe that nobody writes to; it ends when the file that is returned is closed.
func removeAfterUs(dir string) (end *os.File, err error) {
	reading, end, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a pipe for what removes %s: %w", dir, err)
	}
	defer reading.Close()
	cmd := exec.Command("sh", "-c", `cat; sleep 1; rm -rf -- "$0"`, dir) // the second is for the broker, which dies at the same time
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}                // an interrupt from the terminal isn't for it
	cmd.Stdin = reading
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting what removes %s: %w", dir, err)
	}
	return end, nil
}
