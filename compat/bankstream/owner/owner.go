package owner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

// Owner says who publishes what on Bank's topics. Its methods may be called from any goroutine.
type Owner struct {
	cfg      Config
	known    atomic.Pointer[known]
	looking  chan struct{} // a token: one looks, the others wait for what it finds
	progress progress      // of Run alone

	mu     sync.Mutex
	status Status
}

// lookWithin bounds one look at the façade's database, BK and Bank.
const lookWithin = 2 * time.Second

// known is what Of goes by. It is replaced, never changed.
type known struct {
	through int64 // whose every entry up to here is, is decided
	parts   []part
	taken   map[int64]bool // epochs whose part the stream may publish
}

// New makes an owner. It calls nobody yet.
func New(cfg Config) (*Owner, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("owner of Bank's topics: configuration: %w", err)
	}
	o := &Owner{cfg: cfg, looking: make(chan struct{}, 1)}
	o.known.Store(&known{taken: map[int64]bool{}})
	return o, nil
}

// Of says whether the stream publishes an entry of BK's on Bank's topics, and what its event ids begin at there: base + 2 x sequence + leg. The entry must be in BK's journal
// already. For the same entry it says the same for ever. It waits for [Config].Wait at most, and for an answer of those that it asks (2 s), or until ctx ends: [ErrNotYet], with the reason.
func (o *Owner) Of(ctx context.Context, sequence int64) (base int64, owned bool, err error) {
	if base, owned, ok := o.known.Load().of(sequence); ok {
		return base, owned, nil
	}
	waiting, cancel := context.WithTimeout(ctx, o.cfg.Wait)
	defer cancel()
	for {
		looking, looked := context.WithTimeout(ctx, lookWithin)
		why := o.look(looking, sequence)
		looked()
		if base, owned, ok := o.known.Load().of(sequence); ok {
			return base, owned, nil
		}
		select {
		case <-waiting.Done():
			return 0, false, fmt.Errorf("entry %d: %w: %w", sequence, ErrNotYet, why)
		case <-time.After(o.cfg.Wait / 5):
		}
	}
}

// of gives what is known of an entry; ok is false where that is not enough.
func (k *known) of(sequence int64) (base int64, owned, ok bool) {
	if sequence > k.through {
		return 0, false, false
	}
	p, owned := find(k.parts, sequence)
	return p.base, owned, !owned || k.taken[p.epoch]
}

// look finds out what is missing to answer for an entry. The reason why it could not is never nil where it could not.
func (o *Owner) look(ctx context.Context, sequence int64) error {
	select {
	case o.looking <- struct{}{}:
		defer func() { <-o.looking }()
	case <-ctx.Done():
		return errors.New("another look at the façade's epochs takes its time")
	}
	k := o.known.Load()
	if _, _, ok := k.of(sequence); ok {
		return nil
	}
	if sequence > k.through {
		var err error
		if k, err = o.epochs(ctx, k, sequence); err != nil {
			return err
		}
		o.known.Store(k)
	}
	p, owned := find(k.parts, sequence)
	if !owned || k.taken[p.epoch] {
		return nil
	}
	if err := o.take(ctx, p); err != nil {
		return err
	}
	next := *k
	next.taken = maps.Clone(k.taken)
	next.taken[p.epoch] = true
	o.known.Store(&next)
	return nil
}

// epochs reads them anew. An epoch that is not among them begins behind all that was in BK's journal before, unless the step to it is under way.
func (o *Owner) epochs(ctx context.Context, k *known, sequence int64) (*known, error) {
	asking, asked := context.WithTimeout(ctx, lookWithin/2)
	head, err := o.cfg.BK.Head(asking) // before: so that there need not be a look for each entry
	asked()
	if err != nil {
		head = 0 // then there is one for each
	}
	history, latest, err := mode.Outlook(ctx, o.cfg.Pool)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the façade's database: %w", err)
	case len(history) == 0:
		return nil, errors.New("the façade has not begun in any mode")
	case changing(history, latest):
		return nil, fmt.Errorf("a step to %s is under way", latest.To)
	}
	return &known{through: max(head, sequence), parts: parts(history), taken: k.taken}, nil
}

// take finds out whether the stream may publish a part: Bank has sent all that comes before.
func (o *Owner) take(ctx context.Context, p part) error {
	var taken bool
	if err := o.cfg.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM facade.stream_taken WHERE epoch = $1)`, p.epoch).Scan(&taken); err != nil {
		return fmt.Errorf("the façade's database: %w", err)
	}
	if taken {
		return nil
	}
	relay, err := o.cfg.Bank.Relay(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("whether Bank has sent all before event %d: %w", p.from(), err)
	case int64(relay.From) < p.from():
		return fmt.Errorf("Bank's relay is not held before event %d but at %s", p.from(), relay.From)
	case relay.From == bank.ID(p.from()) && relay.FirstUnsent != 0: // it could not have been held further on before that was sent
		return fmt.Errorf("Bank has not sent event %s", relay.FirstUnsent)
	}
	if _, err := o.cfg.Pool.Exec(ctx, `INSERT INTO facade.stream_taken (epoch) VALUES ($1) ON CONFLICT DO NOTHING`, p.epoch); err != nil {
		return fmt.Errorf("the façade's database: %w", err)
	}
	o.cfg.Log.Info("Bank has sent all before the stream's first event", "event", p.from(), "epoch", p.epoch)
	return nil
}
