package swap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// keptSurprises is how many are told in words.
const keptSurprises = 20

// score is what the clients saw.
type score struct {
	done atomic.Int64 // rows of the tape in calls that were answered

	mu        sync.Mutex
	answers   map[string]int
	surprised int
	surprises []string
	slowest   time.Duration
	ids       map[bank.ID]name
}

func (s *score) surprise(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.surprised++
	if len(s.surprises) < keptSurprises {
		s.surprises = append(s.surprises, fmt.Sprintf(format, args...))
	}
}

// answered notes an answer, and whether it is the one that had to come.
func (s *score) answered(what string, want bank.Type, err error, took time.Duration) (asExpected bool) {
	kind := string(bank.TypeOf(err))
	if err != nil && !errors.As(err, new(*bank.Error)) {
		kind = "no answer"
	}
	if err == nil {
		kind = "done"
	}
	s.mu.Lock()
	s.answers[what+": "+kind]++
	s.slowest = max(s.slowest, took)
	s.mu.Unlock()
	if asExpected = err == nil && want == "" || err != nil && kind == string(want); !asExpected {
		s.surprise("%s: %v, want %q", what, err, want)
	}
	return asExpected
}

// gave notes that a trade has an id, which no other may have.
func (s *score) gave(id bank.ID, n name) {
	s.mu.Lock()
	other, taken := s.ids[id]
	s.ids[id] = n
	s.mu.Unlock()
	if taken && other != n {
		s.surprise("%s of %s and %s of %s have both the id %s", other.client, other.account, n.client, n.account, id)
	}
}

// player is a client, who has some accounts to itself.
type player struct {
	*score
	pace *pace
	to   []*bank.Client // replicas, in turn
	ids  map[name]bank.ID
	last map[bank.ID]bank.ID // the highest id of each account
}

func (p *player) play(ctx context.Context, steps []step) error {
	for i := range steps {
		s := &steps[i]
		rows := 0
		if s.what == doBook {
			rows = len(s.trades)
		}
		if err := p.pace.take(ctx, rows, s.weight()); err != nil {
			return err
		}
		p.step(ctx, p.to[i%len(p.to)], s)
		p.done.Add(int64(rows))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

func (p *player) step(ctx context.Context, to *bank.Client, s *step) {
	began := time.Now()
	switch s.what {
	case doCancel:
		err := to.CancelTrade(ctx, bank.TradeRef{AccountID: s.name.account, ClientTradeID: s.name.client})
		p.answered(s.what, s.want, err, time.Since(began))
	case doRead:
		stored, err := to.Trade(ctx, bank.TradeRef{AccountID: s.name.account, ClientTradeID: s.name.client})
		if p.answered(s.what, s.want, err, time.Since(began)) && (stored.TradeID != p.ids[s.name] || (stored.State == bank.StateCanceled) != s.dead) {
			p.surprise("%s: is %s with id %s, was given %s; cancelled: %t", s.name.client, stored.State, stored.TradeID, p.ids[s.name], s.dead)
		}
	default:
		trades := make([]bank.Trade, len(s.trades))
		for i, t := range s.trades {
			trades[i] = *t
		}
		booked, err := to.BookTrades(ctx, trades)
		if p.answered(s.what, s.want, err, time.Since(began)) && err == nil {
			p.booked(trades, booked)
		}
	}
}

// booked checks the ids of a call: a trade's own where it is known, else one above all of its account.
func (p *player) booked(trades []bank.Trade, booked []bank.Booked) {
	for i := range booked {
		n, id := nameOf(&trades[i]), booked[i].TradeID
		known, again := p.ids[n]
		switch {
		case booked[i].ClientTradeID != n.client:
			p.surprise("the answer to %s is for %s", n.client, booked[i].ClientTradeID)
		case again && id != known:
			p.surprise("%s has the id %s, and had %s", n.client, id, known)
		case !again && id <= p.last[n.account]:
			p.surprise("%s has the id %s, and an earlier trade of the account %s", n.client, id, p.last[n.account])
		}
		if !again {
			p.ids[n] = id
			p.last[n.account] = max(p.last[n.account], id)
			p.gave(id, n)
		}
	}
}

// answers tells them in some lines.
func (r Report) answers() string {
	var b strings.Builder
	for _, what := range sortedKeys(r.Answers) {
		fmt.Fprintf(&b, "%8d  %s\n", r.Answers[what], what)
	}
	for _, s := range r.Surprises {
		fmt.Fprintf(&b, "surprise: %s\n", s)
	}
	return b.String()
}
