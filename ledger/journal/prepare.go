package journal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bkledger/bk/ledger"
)

// prepare is the first stage of the pipeline, in the caller's goroutine: everything that needs no order. It lets the rules make the
// postings, opens house accounts they need, and looks up keys and trades that may be in the journal. It knows the journal up to
// p.asOf; what came after, the sequencer knows.
func (j *Journal) prepare(ctx context.Context, p *Pending, commands []*ledger.Command) error {
	var house []string
	for i, c := range commands {
		p.draft(i, c, j)
		for _, code := range p.items[i].draft.NeedHouse {
			if !slices.Contains(house, code) {
				house = append(house, code)
			}
		}
	}
	if house != nil {
		if err := j.openHouse(ctx, house); err != nil {
			return err
		}
		for i, c := range commands {
			if p.items[i].draft.NeedHouse != nil {
				p.draft(i, c, j)
			}
			if p.items[i].draft.NeedHouse != nil {
				panic(fmt.Sprintf("journal: the rule of %s asks for ever more house accounts: %v", c.Kind, p.items[i].draft.NeedHouse))
			}
		}
	}
	return j.lookUp(ctx, p)
}

// draft prepares one command. A rejection that a key conflict would take precedence over is kept and stands only when the key is
// known to be new.
func (p *Pending) draft(i int, c *ledger.Command, j *Journal) {
	draft, rej := j.cfg.Rules.Prepare(c, j.directory, time.Now())
	p.items[i] = item{draft: draft}
	p.outcomes[i] = Outcome{}
	if rej != nil {
		p.outcomes[i].Err = rej
		p.items[i].settled = draft.Entry == nil || c.Key == ""
	}
}

// lookUp finds committed entries with the commands' keys, and the trades that the commands act on.
func (j *Journal) lookUp(ctx context.Context, p *Pending) error {
	ctx, cancel := context.WithTimeout(ctx, j.cfg.AppendTimeout) // a roll waits for bookings that have begun
	defer cancel()
	p.asOf, _, _ = j.tail.position()
	known, trades, err := j.find(ctx, p)
	if err != nil {
		return err
	}
	for i := range p.items {
		it := &p.items[i]
		if it.settled {
			continue
		}
		c := it.draft.Command
		if it.known = known[c.Key]; it.known != nil && c.Key != "" {
			p.outcomes[i] = repeatOf(it, p.asOf)
			it.settled = true
			continue
		}
		if target := targetOf(c); target != nil {
			if booked := trades.of(j.cfg.Shard, target, known); booked != nil {
				it.target = trades.lives[booked.ID]
			}
		}
	}
	return nil
}

// repeatOf is the outcome of a command whose key is known; all that came of it then is booked up to upTo.
func repeatOf(it *item, upTo uint64) Outcome {
	if it.known.Content != it.draft.Content {
		return Outcome{Err: ledger.Reject(ledger.ReasonKeyConflict, "key", "%q was used for entry %d, with other content", it.known.Key, it.known.ID)}
	}
	return Outcome{Receipt: Receipt{Entry: it.known, UpTo: max(upTo, it.known.ID.Seq()), Repeat: true}}
}

func targetOf(c *ledger.Command) *ledger.Target {
	if c.Target != nil {
		return c.Target
	}
	return c.Replaces
}

type tradesFound struct {
	bySeq map[uint64]*ledger.Entry
	lives map[ledger.ID]ledger.Life
}

// of gives the booking that a target names, by key before id, nil if it was not found.
func (f *tradesFound) of(shard uint16, target *ledger.Target, known map[string]*ledger.Entry) *ledger.Entry {
	if e := known[target.Key]; target.Key != "" && e != nil && e.Kind.IsTrade() {
		return e
	}
	if target.Trade == 0 || target.Trade.Shard() != shard {
		return nil
	}
	if e := f.bySeq[target.Trade.Seq()]; e != nil && e.Kind.IsTrade() {
		return e
	}
	return nil
}

// find asks Postgres for all keys that the filter does not rule out and for all trades, in two or three queries a group, and in none
// for a group of new keys.
func (j *Journal) find(ctx context.Context, p *Pending) (map[string]*ledger.Entry, tradesFound, error) {
	hashes := make([]int64, 0, len(p.items))
	var targets []*ledger.Target
	for i := range p.items {
		if p.items[i].settled {
			continue
		}
		c := p.items[i].draft.Command
		if c.Key != "" {
			hashes = append(hashes, KeyHash(c.Key))
		}
		if target := targetOf(c); target != nil {
			targets = append(targets, target)
			if target.Key != "" {
				hashes = append(hashes, KeyHash(target.Key))
			}
		}
	}
	if filter := j.filter.Load(); filter != nil {
		var upTo uint64
		hashes, upTo = filter.maybe(hashes)
		p.asOf = min(p.asOf, upTo)
	}
	if len(hashes) == 0 && targets == nil {
		return nil, tradesFound{}, nil
	}
	known, err := j.store.byKeyHashes(ctx, hashes)
	if err != nil {
		return nil, tradesFound{}, fmt.Errorf("%w: look up keys: %w", ErrUnavailable, err)
	}
	trades, err := j.findTrades(ctx, targets, known)
	if err != nil {
		return nil, tradesFound{}, fmt.Errorf("%w: look up trades: %w", ErrUnavailable, err)
	}
	return known, trades, nil
}

// findTrades gives the committed ones of the trades that commands act on, with all that happened to them.
func (j *Journal) findTrades(ctx context.Context, targets []*ledger.Target, known map[string]*ledger.Entry) (found tradesFound, err error) {
	var seqs []int64
	for _, target := range targets {
		if target.Trade != 0 && target.Trade.Shard() == j.cfg.Shard {
			seqs = append(seqs, int64(target.Trade.Seq()))
		}
	}
	if found.bySeq, err = j.store.bySeqs(ctx, seqs); err != nil {
		return found, err
	}
	var booked []*ledger.Entry
	for _, target := range targets {
		if e := found.of(j.cfg.Shard, target, known); e != nil {
			booked = append(booked, e)
		}
	}
	found.lives, err = j.store.lives(ctx, booked)
	return found, err
}
