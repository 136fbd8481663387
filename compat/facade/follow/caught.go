package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/idle"
)

// wait is what [Follower.Caught] knows while it waits.
type wait struct {
	ends  map[place]int64 // of the topics, at a time when Bank had sent all; nil: it has not
	noted time.Time       // when they were
	exact bool            // Bank says what it has not sent
	again bool            // it does not, but some time later the topics' ends were looked for once more
}

// Caught waits until all of Bank's events up to last are in the queue; nobody may write to Bank meanwhile, or it is true of those only that Bank did until some time after the
// call. An error says what is missing when ctx ended.
func (f *Follower) Caught(ctx context.Context, last bank.ID) error {
	var w wait
	missing := "nothing is known yet"
	for {
		what, err := f.lacks(ctx, &w, last)
		if err == nil && what == "" {
			return nil
		}
		if errors.Is(err, ErrGap) { // waiting does not help
			return fmt.Errorf("not all of Bank's events up to %s are in the queue: %w", last, err)
		}
		if err == nil {
			missing = what
		}
		if !idle.For(ctx, caughtPoll) {
			return errors.Join(fmt.Errorf("not all of Bank's events up to %s are in the queue (%s): %w", last, missing, context.Cause(ctx)), err)
		}
	}
}

// lacks says what is missing, "" for nothing.
func (f *Follower) lacks(ctx context.Context, w *wait, last bank.ID) (what string, err error) {
	open, ok, err := f.current(ctx)
	if err != nil {
		return "", err
	}
	if !ok {
		return "no window is open", nil
	}
	gaps, err := f.gaps(ctx)
	if err == nil {
		err = gapError(gaps)
	}
	if err != nil {
		return "", err
	}
	if w.ends == nil {
		place, err := f.cfg.Bank.ReplayPlace(ctx)
		if err != nil {
			return "", fmt.Errorf("ask Bank what it has not sent yet: %w", err)
		}
		first := place.FirstUnsentEventID
		if w.exact = first != nil; w.exact && *first != 0 && *first <= last {
			return fmt.Sprintf("Bank has not sent event %s to Kafka", first), nil
		}
		admin, err := f.administer()
		if err != nil {
			return "", err
		}
		if w.ends, err = ends(ctx, admin, &f.cfg); err != nil {
			return "", err
		}
		w.noted = time.Now()
	}
	if open.Seen < int64(last) {
		return fmt.Sprintf("the last that came is %d", open.Seen), nil
	}
	read, err := f.offsets(ctx)
	if err != nil {
		return "", err
	}
	for p, end := range w.ends {
		if read[p] < end {
			return fmt.Sprintf("%s/%d is read up to %d of %d", p.topic, p.partition, read[p], end), nil
		}
	}
	if w.exact || w.again {
		return "", nil
	}
	if time.Since(w.noted) >= f.cfg.Quiet {
		*w = wait{again: true}
	}
	return "Bank doesn't say what it has not sent, so it is waited for", nil
}

func (f *Follower) administer() (*kadm.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.admin == nil {
		client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(f.cfg.Brokers...)}, f.cfg.Options...)...)
		if err != nil {
			return nil, fmt.Errorf("make a Kafka client: %w", err)
		}
		f.admin = kadm.NewClient(client)
	}
	return f.admin, nil
}

// ends gives where Bank's topics end.
func ends(ctx context.Context, admin *kadm.Client, cfg *Config) (map[place]int64, error) {
	ends, _, err := listed(ctx, admin.ListEndOffsets, cfg)
	if err != nil {
		return nil, fmt.Errorf("look at the ends of Bank's topics: %w", err)
	}
	return ends, nil
}

// listed gives offsets of all partitions of Bank's topics. Topics that are not there are missing: Bank makes them when it first sends an event.
func listed(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error), cfg *Config) (offsets map[place]int64, missing string, err error) {
	found, err := list(ctx, cfg.Trades, cfg.Cash, cfg.Dates)
	if err != nil {
		return nil, "", err
	}
	offsets = map[place]int64{}
	var names []string
	for _, topic := range []string{cfg.Trades, cfg.Cash, cfg.Dates} {
		for _, o := range found[topic] {
			switch {
			case errors.Is(o.Err, kerr.UnknownTopicOrPartition):
				names = append(names, topic)
			case o.Err != nil:
				return nil, "", fmt.Errorf("%s/%d: %w", topic, o.Partition, o.Err)
			default:
				offsets[place{topic, o.Partition}] = o.Offset
			}
		}
	}
	return offsets, strings.Join(names, ", "), nil
}
