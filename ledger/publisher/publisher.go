package publisher

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/bkledger/bk/ledger"
)

// State is what a publisher is doing.
type State string

// The states of a publisher.
const (
	Stopped    State = "stopped"    // Run isn't running
	Connecting State = "connecting" // before the first success
	Publishing State = "publishing"
	Down       State = "down" // Kafka or the journal is away, trying again
)

var states = []State{Stopped, Connecting, Publishing, Down}

// Status is a publisher's state at a moment.
type Status struct {
	State     State
	Published ledger.Token // the last entry known to be in the stream; sequence number 0 until the checkpoint has been read
	Err       error        // Down: why; Stopped: what ended Run, if anything did
}

// claimTime is how long an owner that was fenced leaves the stream alone, in case that it was by another publisher. From
// InitProducerID to the claim it takes milliseconds.
const claimTime = time.Second

func fenced(err error) bool {
	return errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidTxnState)
}

// Publisher copies one shard's journal into Kafka. Make one a process and shard; Run may be called again after it has returned.
type Publisher struct {
	cfg     Config
	shard   uint16
	owner   string // its name in the checkpoint, random
	metrics *metrics

	running   atomic.Bool
	published atomic.Uint64                // sequence number of the last entry in the stream
	waiting   atomic.Pointer[ledger.Entry] // the oldest entry that is known not to be in the stream yet

	mu     sync.Mutex
	status Status
}

// New checks the configuration; it connects to nothing.
func New(cfg Config) (*Publisher, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Publisher{cfg: cfg, shard: cfg.Journal.Head().Shard, status: Status{State: Stopped}}
	p.cfg.Log = cfg.Log.With("shard", p.shard)
	var err error
	if p.metrics, err = newMetrics(p, cfg.Metrics); err != nil {
		return nil, fmt.Errorf("publisher: registering metrics: %w", err)
	}
	return p, nil
}

// Status tells how publishing goes.
func (p *Publisher) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	s.Published = ledger.Token{Shard: p.shard, Seq: p.published.Load()}
	return s
}

// enter changes the state, and logs if it is another.
func (p *Publisher) enter(ctx context.Context, state State, err error) {
	p.mu.Lock()
	was := p.status.State
	p.status.State, p.status.Err = state, err
	p.mu.Unlock()
	if was == state {
		return
	}
	log := p.cfg.Log.With("was", string(was), "published", p.published.Load())
	switch {
	case state == Down:
		log.WarnContext(ctx, "the publisher can't publish, it keeps trying", "error", err)
	case err != nil:
		log.ErrorContext(ctx, "the publisher stopped for good", "error", err)
	default:
		log.Log(ctx, slog.LevelInfo, "the publisher is "+string(state))
	}
}

// Run publishes until ctx ends, and then returns nil; a transaction under way gets [Config].DrainTimeout to finish. While Kafka or
// the journal is away it tries again for ever. It ends by itself with [ErrFenced], [ErrDiverged], [ErrLost] or [ErrUnpublishable].
func (p *Publisher) Run(ctx context.Context) (err error) {
	if !p.running.CompareAndSwap(false, true) {
		return errors.New("publisher: it runs already")
	}
	defer p.running.Store(false)
	p.owner = rand.Text()
	p.published.Store(0)
	p.enter(ctx, Connecting, nil)
	defer func() { p.enter(ctx, Stopped, err) }()

	run := &run{Publisher: p}
	run.limit.Store(int64(p.cfg.MaxEntries))
	pause := p.cfg.BackoffMin
	for {
		progress, err := run.session(ctx)
		err = p.cfg.Access.explain(err)
		if ctx.Err() != nil && !permanent(err) {
			return nil
		}
		if permanent(err) {
			return fmt.Errorf("publishing shard %d: %w", p.shard, err)
		}
		p.enter(ctx, Down, err)
		run.seek(ctx)
		if progress {
			pause = p.cfg.BackoffMin
		}
		wait := pause/2 + mrand.N(pause) // two that begin together must not go on in step
		if run.term != 0 && fenced(err) {
			wait = max(wait, claimTime) // a new owner needs its time to claim; who comes back sooner fences it before it can
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		pause = min(2*pause, p.cfg.BackoffMax)
	}
}
