package books

import (
	"context"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/idle"
)

// atHead asks BK to read at the journal's head.
const atHead = "head"

// pageRows is how many rows are asked for at a time where all are needed.
const pageRows = 1000

type onceKey struct{}

// Once gives a context in which nothing is asked of BK a second time because it can't answer at the moment: for a caller who tries again by himself.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

func once(ctx context.Context) bool { return ctx.Value(onceKey{}) != nil }

// read asks BK, again where it can't answer at the moment, for ReadFor at most.
func read[Req, Res any](
	ctx context.Context, b *Ledger, ask func(context.Context, *connect.Request[Req]) (*connect.Response[Res], error), question *Req,
) (*Res, error) {
	began, pause := time.Now(), minPause
	for {
		tried, cancel := context.WithTimeout(ctx, b.cfg.CallTimeout)
		answer, err := ask(tried, connect.NewRequest(question))
		cancel()
		if err == nil {
			return answer.Msg, nil
		}
		if !client.Retryable(err) || once(ctx) || time.Since(began) > b.cfg.ReadFor || !idle.For(ctx, pause) {
			return nil, fmt.Errorf("ask BK: %w", err)
		}
		pause = min(2*pause, maxPause)
	}
}

// internal hides what a client of Bank can't use.
func (b *Ledger) internal(ctx context.Context, what string, err error) error {
	if bank.TypeOf(err) != "" {
		return err
	}
	if ctx.Err() == nil {
		b.cfg.Log.ErrorContext(ctx, what, "error", err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// cache keeps what never changes: between size and twice size entries, the ones that were used last among them. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	mu         sync.RWMutex
	size       int
	young, old map[K]V
	times      uint64 // how often it was cleared
}

func newCache[K comparable, V any](size int) *cache[K, V] {
	return &cache[K, V]{size: size, young: map[K]V{}}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	c.mu.RLock()
	v, ok := c.young[k]
	if ok {
		c.mu.RUnlock()
		return v, true
	}
	v, ok = c.old[k]
	since := c.times
	c.mu.RUnlock()
	if ok {
		c.put(since, k, v)
	}
	return v, ok
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old = map[K]V{}, nil
	c.times++
}

// now is what [cache.put] asks for. It is taken before the first look at what the value is made of.
func (c *cache[K, V]) now() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.times
}

// put keeps a value, unless the cache was cleared since: it may be of what was so before.
func (c *cache[K, V]) put(since uint64, k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if since != c.times {
		return
	}
	if len(c.young) >= c.size {
		c.old, c.young = c.young, make(map[K]V, c.size)
	}
	c.young[k] = v
}
