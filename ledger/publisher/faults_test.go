package publisher

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/migrations/kafkatest"
)

// load books all the time, until stop.
func load(m *memory, each int, pause time.Duration) (stop func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			m.book(each)
			select {
			case <-quit:
				return
			case <-time.After(pause):
			}
		}
	})
	return func() { close(quit); wg.Wait() }
}

// counts counts log lines by message.
type counts struct {
	slog.Handler
	mu   sync.Mutex
	seen map[string]int
}

func (c *counts) Handle(ctx context.Context, r slog.Record) error {
	c.mu.Lock()
	c.seen[r.Message]++
	c.mu.Unlock()
	return c.Handler.Handle(ctx, r)
}
func (c *counts) WithAttrs([]slog.Attr) slog.Handler { return c }

func (c *counts) of(part string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for msg, times := range c.seen {
		if strings.Contains(msg, part) {
			n += times
		}
	}
	return n
}

// The broker is killed again and again under load; the journal goes on meanwhile, and so does the publisher.
func TestBrokerKilled(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.Own(t), newMemory()
	cfg := config(t, b, m)
	cfg.AttemptTimeout = 5 * time.Second
	cfg.MaxEntries, cfg.DrainTimeout = 500, time.Millisecond
	logged := &counts{Handler: cfg.Log.Handler(), seen: map[string]int{}}
	cfg.Log = slog.New(logged)
	p := start(t, cfg)
	stop := load(m, 20, 5*time.Millisecond)
	const kills = 5
	for range kills {
		from := p.Status().Published.Seq
		eventually(t, "publishing again", func() bool { return p.Status().Published.Seq > from || p.gone() })
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // the moment is what is random here
		b.Kill()
		head := m.Head().Seq
		eventually(t, "down, the journal going on", func() bool { return p.gone() || m.Head().Seq > head+100 && p.Status().State == Down })
		if rand.IntN(2) == 0 { // the publisher is killed too
			p.stop()
			p = start(t, cfg)
		}
		b.Restart()
	}
	stop()
	p.caughtUp()
	p.stop()
	wantStream(t, b, cfg, m)
	if downs := logged.of("can't publish"); downs > 2*kills {
		t.Errorf("it said %d times that it is down, in %d kills", downs, kills)
	}
	t.Logf("%d entries, %d kills", m.Head().Seq, kills)
}

// through makes a proxy in front of the broker, and the options to use it: the address that a broker tells is replaced.
func through(t *testing.T, b *kafkatest.Broker) (*toxiproxy.Proxy, []kgo.Opt) {
	t.Helper()
	quiet := zerolog.New(io.Discard)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), quiet)
	proxy := toxiproxy.NewProxy(server, "kafka", "127.0.0.1:0", b.Addr())
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return proxy, []kgo.Opt{kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, proxy.Listen)
	})}
}

// A line to the broker that is slow, stalls, and breaks, both ways.
func TestSlowBroker(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.New(t), newMemory()
	proxy, opts := through(t, b)
	cfg := config(t, b, m)
	cfg.Kafka, cfg.AttemptTimeout, cfg.MaxEntries = opts, 4*time.Second, 4000
	p := start(t, cfg)
	for round, toxic := range []string{
		`{"type": "latency", "stream": "downstream", "attributes": {"latency": 100, "jitter": 50}}`,
		`{"type": "bandwidth", "stream": "upstream", "attributes": {"rate": 40}}`, // KB/s: a full batch takes longer than an attempt may
		`{"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}`,
		`{"type": "reset_peer", "stream": "upstream", "attributes": {"timeout": 30}}`,
		`{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 300}}`,
		`{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 900}}`,
		`{"type": "slicer", "stream": "downstream", "attributes": {"average_size": 40, "size_variation": 20, "delay": 20}}`,
	} {
		m.book(4000)
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatalf("%s: %v", toxic, err)
		}
		works := round < 2
		from, until := p.Status().Published.Seq, time.Now().Add(3*time.Second)
		for !p.gone() && (works && p.Status().Published.Seq <= from+100 || !works && time.Now().Before(until)) {
			m.book(3)
			time.Sleep(20 * time.Millisecond)
		}
		proxy.Toxics.ResetToxics(t.Context())
		p.caughtUp()
	}
	p.stop()
	cfg.Kafka = nil
	wantStream(t, b, cfg, m)
}

// lossy makes connections on which the answer to a commit gets lost, and after that every connection for a while.
type lossy struct {
	armed atomic.Bool
	until atomic.Int64
	lost  atomic.Int32
}

type lossyConn struct {
	net.Conn
	l *lossy
}

func (l *lossy) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if time.Now().UnixNano() < l.until.Load() {
		return nil, errors.New("no way to the broker")
	}
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	return lossyConn{c, l}, err
}

func (c lossyConn) Write(b []byte) (int, error) {
	const endTxn = 26
	n, err := c.Conn.Write(b)
	if len(b) > 6 && binary.BigEndian.Uint16(b[4:]) == endTxn && c.l.armed.CompareAndSwap(true, false) {
		c.l.lost.Add(1)
		c.l.until.Store(time.Now().Add(1500 * time.Millisecond).UnixNano())
		time.Sleep(20 * time.Millisecond) // the broker commits
		c.Conn.Close()
	}
	return n, err
}

// The outcome of commits is unknown: what the checkpoint says is true.
func TestLostCommitAnswer(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.New(t), newMemory()
	cfg := config(t, b, m)
	l := &lossy{}
	cfg.Kafka, cfg.AttemptTimeout, cfg.MaxEntries = []kgo.Opt{kgo.Dialer(l.dial)}, time.Second, 100
	l.armed.Store(true) // the claim too
	p := start(t, cfg)
	for round := int32(1); round <= 4; round++ {
		m.book(300)
		eventually(t, "lost", func() bool { return l.lost.Load() == round || p.gone() })
		p.caughtUp()
		l.armed.Store(true)
	}
	l.armed.Store(false)
	m.book(1)
	p.caughtUp()
	p.stop()
	cfg.Kafka = nil
	wantStream(t, b, cfg, m)
}

// What a broker loses is found, and Reset publishes anew.
func TestLostAndReset(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(context.Context, *kadm.Client, Config) error{
		"events deleted": func(ctx context.Context, adm *kadm.Client, cfg Config) error {
			_, err := adm.DeleteTopic(ctx, cfg.Events)
			return err
		},
		"checkpoints deleted": func(ctx context.Context, adm *kadm.Client, cfg Config) error {
			_, err := adm.DeleteTopic(ctx, cfg.Checkpoints)
			return err
		},
		"partitions added": func(ctx context.Context, adm *kadm.Client, cfg Config) error {
			_, err := adm.CreatePartitions(ctx, 1, cfg.Events)
			return err
		},
		"an older checkpoint": func(ctx context.Context, adm *kadm.Client, cfg Config) error { return forge(ctx, cfg, -100, 0) },
		"fewer events":        func(ctx context.Context, adm *kadm.Client, cfg Config) error { return forge(ctx, cfg, 0, 5) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, m := kafkatest.New(t), newMemory()
			m.book(300)
			cfg := config(t, b, m)
			p := start(t, cfg)
			p.caughtUp()
			p.stop()
			if err := newPublisher(t, cfg).Check(t.Context()); err != nil {
				t.Fatalf("Check of a whole stream: %v", err)
			}
			c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := damage(t.Context(), kadm.NewClient(c), cfg); err != nil {
				t.Fatal(err)
			}
			p2 := newPublisher(t, cfg)
			eventually(t, "found", func() bool { // the broker deletes when it likes
				err := p2.Check(t.Context())
				if err != nil && !errors.Is(err, ErrLost) {
					t.Logf("Check: %v", err)
				}
				return errors.Is(err, ErrLost)
			})
			if err := start(t, cfg).wait(); !errors.Is(err, ErrLost) {
				t.Errorf("Run: %v", err)
			}
			if r, err := p2.Verify(t.Context(), nil); err != nil || r.OK() {
				t.Errorf("Verify: %v, %+v", err, r)
			}
			if err := p2.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p2.Check(t.Context()); err != nil {
				t.Fatalf("Check after Reset: %v", err)
			}
			p = start(t, cfg)
			m.book(100)
			p.caughtUp()
			p.stop()
			wantStream(t, b, cfg, m)
		})
	}
}

// forge writes a checkpoint that is some entries or offsets off.
func forge(ctx context.Context, cfg Config, entries int, offsets int64) error {
	p, err := New(cfg)
	if err != nil {
		return err
	}
	s, err := p.connect()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.open(ctx, 0); err != nil {
		return err
	}
	at := s.at
	at.seq += uint64(entries)
	es, err := cfg.Journal.Read(ctx, at.seq-1, 1)
	if err != nil {
		return err
	}
	at.hash = es[0].Hash
	for i := range at.ends {
		at.ends[i] += offsets
	}
	if entries != 0 {
		at.ends = make([]int64, len(at.ends))
	}
	return errors.Join(s.begin(), s.commit(ctx, at))
}

// While Kafka is away from the beginning, the publisher waits, and its lag tells.
func TestNoBroker(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.Own(t), newMemory()
	b.Stop()
	cfg := config(t, b, m)
	p := start(t, cfg)
	eventually(t, "down", func() bool { return p.Status().State == Down })
	if err := p.Status().Err; err == nil {
		t.Error("down without a reason")
	}
	eventually(t, "lagging", func() bool {
		return p.lagEntries() == float64(m.Head().Seq) && p.lagSeconds() >= 0 && p.waiting.Load() != nil
	})
	if err := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return p.Check(ctx)
	}(); err == nil || permanent(err) {
		t.Errorf("Check without a broker: %v", err)
	}
	b.Restart()
	p.caughtUp()
	p.stop()
	wantStream(t, b, cfg, m)
}
