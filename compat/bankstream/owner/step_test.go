package owner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/facade/mode"
)

// step is a step of the façade's, over the line at which Bank's topics change hands, with a blow at its moment.
type step struct {
	*crash
	to mode.Mode
	act

	began     time.Time
	done      chan error
	hit, made time.Duration // since then: the blow, and the step
}

// step makes one, and says how that went. What is left to be undone of the blow is act.after.
func (c *crash) step(to mode.Mode, at moment, b blow) (left act, line string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*patience)
	defer cancel()
	s := &step{crash: c, to: to, done: make(chan error, 1)}
	tries, kills := c.tries, c.kills
	if at != storm {
		s.act = b.of(c)
	}
	s.began = time.Now()
	switch at {
	case before:
		s.strike()
		if s.act.hit == nil { // there is nothing that lasts
			at = "before the step"
			s.mend()
		}
		s.begin(ctx)
		s.await(ctx)
		if s.act.hit != nil {
			s.mend()
		}
	case held, released:
		passing := s.watch(ctx, at)
		s.begin(ctx)
		goOn := s.pass(ctx, at, passing)
		s.strike()
		goOn()
		s.mend()
		s.await(ctx)
	case committed, taken, written:
		first := func() {}
		if at == written {
			first = s.first(ctx)
		}
		s.begin(ctx)
		s.await(ctx)
		first()
		if at == taken {
			c.world.await("the stream may publish on Bank's topics", func(ctx context.Context) bool {
				var may bool
				err := c.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM facade.stream_taken WHERE epoch = (SELECT max(epoch) FROM facade.mode))`).Scan(&may)
				return err == nil && may
			})
		}
		s.strike()
		s.mend()
	case storm:
		passing := s.watch(ctx, held)
		s.begin(ctx)
		goOn := s.pass(ctx, at, passing)
		s.hit = time.Since(s.began)
		for c.kills-kills < stormKills && !s.over(ctx) {
			name := c.any()
			c.kill(name)
			c.start(name)
			goOn()
			time.Sleep(stormMin + time.Duration(c.rng.Int64N(int64(stormMax-stormMin)))) // so it is a storm
		}
		s.await(ctx)
	}
	history, _, err := mode.Outlook(ctx, c.pool)
	if err != nil {
		c.t.Fatal(err)
	}
	now := history[len(history)-1]
	where := fmt.Sprintf("%.1f s", s.hit.Seconds())
	if at == storm {
		where += fmt.Sprintf(", %d times", c.kills-kills)
	}
	return s.act, fmt.Sprintf("to %s: made after %.1f s in %s, writes held for %.0f ms, epoch %d from entry %d\n     in it, %s: %s (%s)", to, s.made.Seconds(), attempts(c.tries-tries), now.HeldMS, now.Epoch,
		now.FirstSequence, at, b.name, where)
}

func attempts(n int) string {
	if n == 1 {
		return "one attempt"
	}
	return fmt.Sprint(n, " attempts")
}

// begin lets the façade make the step, tried again until it is made.
func (s *step) begin(ctx context.Context) {
	go func() {
		for {
			s.tries++
			err := s.facade.Switch(ctx, s.to)
			if history, _, look := mode.Outlook(ctx, s.pool); look == nil && history[len(history)-1].Mode == s.to {
				err = nil // whatever the answer was
			}
			if err == nil || ctx.Err() != nil {
				s.done <- err
				return
			}
			s.rest.Store(min(2*s.rest.Load(), int64(restMost)))
			s.t.Logf("     an attempt failed: %v", err)
		}
	}()
}

// await waits until the step is made.
func (s *step) await(ctx context.Context) {
	s.t.Helper()
	if err := <-s.done; err != nil {
		s.t.Fatalf("the step to %s: %v", s.to, err)
	}
	s.made = time.Since(s.began)
}

// over reports whether the step is made and Bank's relay goes on.
func (s *step) over(ctx context.Context) bool {
	if len(s.done) == 0 {
		return false
	}
	relay, err := s.bank.Relay(ctx)
	return err == nil && !relay.Held && relay.Prefix == prefixIn(s.to)
}

// watch gives a channel on which a call of Bank's relay is met that was answered, and whose caller has no answer yet: it has it when what came is closed.
func (s *step) watch(ctx context.Context, at moment) <-chan chan struct{} {
	passing := make(chan chan struct{})
	var hook func(bank.RelaySetting)
	hook = func(set bank.RelaySetting) {
		here := at == held && set.Held || at == released && !set.Held && set.Prefix == prefixIn(s.to)
		if !here || !s.gate.answered.CompareAndSwap(&hook, nil) {
			return
		}
		goOn := make(chan struct{})
		select {
		case passing <- goOn:
			<-goOn
		case <-ctx.Done():
		}
	}
	s.gate.answered.Store(&hook)
	return passing
}

// pass waits for such a call; goOn lets it have its answer, and may be called more than once.
func (s *step) pass(ctx context.Context, at moment, passing <-chan chan struct{}) (goOn func()) {
	s.t.Helper()
	select {
	case met := <-passing:
		return sync.OnceFunc(func() { close(met) })
	case <-ctx.Done():
		s.t.Fatalf("%s: not within %s", at, 2*patience)
		return nil
	}
}

func (s *step) strike() {
	s.hit = time.Since(s.began)
	s.do(s.act.hit)
}

func (s *step) mend() { s.do(s.act.mend) }

// first gives what waits for the first event that the stream writes on Bank's topics from now on, for who reads what is not committed too.
func (s *step) first(ctx context.Context) (wait func()) {
	s.t.Helper()
	topics := []string{bank.TopicTrades, bank.TopicCash}
	ends, err := s.admin.ListEndOffsets(ctx, topics...)
	if err = errors.Join(err, ends.Error()); err != nil {
		s.t.Fatal(err)
	}
	from := map[string]map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if from[o.Topic] == nil {
			from[o.Topic] = map[int32]kgo.Offset{}
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().At(o.Offset)
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(s.broker), kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(kgo.ReadUncommitted()), kgo.FetchMaxWait(20*time.Millisecond))
	if err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		defer client.Close()
		for there := false; !there; {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				there = there || slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == bankstream.HeaderEntry })
			})
			if ctx.Err() != nil {
				s.t.Fatalf("%s: not within %s", written, 2*patience)
			}
		}
	}
}
