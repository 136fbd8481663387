package shadow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// sent is a trade that a client has sent: what the desk knows of it.
type sent struct {
	body     obj
	account  bank.ID
	clientID string
	id       bank.ID // that it was given; 0 while it has none

	touched  int  // cancels and corrections of it that were begun
	canceled bool // it is cancelled
	settled  bool // it is settled
}

// movement is a cash movement that was acknowledged.
type movement struct {
	body []byte
	id   bank.ID
}

// remembered is how many of the last trades, and of the last cash movements, can be cancelled, corrected and repeated.
const remembered = 2000

// maxSurprises is how many surprises are kept in words.
const maxSurprises = 50

// name is what a client calls a trade.
type name struct {
	account  bank.ID
	clientID string
}

// desk is what all clients of a play share.
type desk struct {
	*caller
	traffic Traffic
	hot     []bank.ID // accounts that most trades are of
	cold    []bank.ID
	rolling sync.Mutex // one roll after another

	mu     sync.Mutex
	day    bank.Date // the business date, as far as it was acknowledged; 0 before
	recent []*sent   // a ring of the last trades
	booked int       // trades that have been in it
	names  map[name]struct{}
	ids    map[bank.ID]struct{}
	moved  []movement
	played Played
}

func newDesk(t Traffic) *desk {
	d := &desk{
		traffic: t, caller: newCaller(t.Target, t.Clients, t.Timeout), names: map[name]struct{}{}, ids: map[bank.ID]struct{}{},
		played: Played{Answers: map[string]int{}},
	}
	for i := range t.Accounts {
		if i < t.Hot {
			d.hot = append(d.hot, t.account(i))
		} else {
			d.cold = append(d.cold, t.account(i))
		}
	}
	return d
}

// surprise keeps what should not have been.
func (d *desk) surprise(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.played.Surprised++
	if len(d.played.Surprises) < maxSurprises {
		d.played.Surprises = append(d.played.Surprises, fmt.Sprintf(format, args...))
	}
}

// today is the business date; before there is one, the first that will be.
func (d *desk) today() bank.Date {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.day == 0 {
		return d.traffic.FirstDay
	}
	return d.day
}

// claim gives a client's id to one trade of an account, once.
func (d *desk) claim(account bank.ID, clientID string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := name{account, clientID}
	_, taken := d.names[n]
	d.names[n] = struct{}{}
	return !taken
}

// enter keeps a trade that was booked. A share of them can be chosen for what comes later.
func (d *desk) enter(s *sent, id bank.ID, share bool) {
	d.mu.Lock()
	_, known := d.ids[id]
	d.ids[id] = struct{}{}
	s.id = id
	if share {
		if len(d.recent) < remembered {
			d.recent = append(d.recent, s)
		} else {
			d.recent[d.booked%remembered] = s
		}
		d.booked++
	}
	d.mu.Unlock()
	if known {
		d.surprise("trade id %d was given to two trades, the second is %s of account %d", id, s.clientID, s.account)
	}
}

// choose gives a trade that was booked: mostly one of the last. ok is false where there is none yet.
func (d *desk) choose(dice dice) (s *sent, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.recent)
	if n == 0 {
		return nil, false
	}
	back := dice.IntN(n)
	if dice.percent(60) {
		back = dice.IntN(min(n, 40))
	}
	return d.recent[(d.booked-1-back+n)%n], true
}

// facts are what is known of a trade at a moment.
type facts struct {
	touched           int
	canceled, settled bool
}

// touch says what was known of a trade before a cancel, or a correction, of it begins.
func (d *desk) touch(s *sent) facts {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := facts{s.touched, s.canceled, s.settled}
	s.touched++
	return before
}

func (d *desk) know(s *sent) facts {
	d.mu.Lock()
	defer d.mu.Unlock()
	return facts{s.touched, s.canceled, s.settled}
}

// learn keeps what an answer says about a trade.
func (d *desk) learn(s *sent, canceled, settled bool) {
	d.mu.Lock()
	both := s.canceled && settled || s.settled && canceled
	s.canceled, s.settled = s.canceled || canceled, s.settled || settled
	d.mu.Unlock()
	if both {
		d.surprise("trade %d is said to be cancelled, and to be settled", s.id)
	}
}

// ask makes a call until its outcome is known, as a client does that follows the contract: the same again.
func (d *desk) ask(ctx context.Context, r request) (answer, error) {
	const firstPause, lastPause = 20 * time.Millisecond, time.Second
	began, pause, retried := time.Now(), firstPause, false
	for {
		a, err := d.send(ctx, r)
		d.mu.Lock()
		d.played.Requests++
		switch {
		case err != nil:
			d.played.Lost++
		case a.code == bank.OutcomeUnknown.Status():
			d.played.Unknown++
		case a.code >= bank.Internal.Status():
			d.played.Internal++
		}
		d.mu.Unlock()
		if err == nil && a.code < bank.Internal.Status() {
			a.retried = retried
			return a, nil
		}
		if err == nil {
			err = fmt.Errorf("%s: %s: %s", r, a.token(), a.short())
		}
		if time.Since(began) > d.traffic.Patience {
			return answer{}, fmt.Errorf("no outcome after %s: %w", d.traffic.Patience, err)
		}
		retried = true
		select {
		case <-ctx.Done():
			return answer{}, err
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// expect makes a call and says which of the tokens its answer has; "" and a surprise where it is none of them.
func (d *desk) expect(ctx context.Context, what string, r request, tokens ...string) (answer, string, error) {
	a, err := d.ask(ctx, r)
	if err != nil {
		return a, "", fmt.Errorf("%s: %w", what, err)
	}
	return a, d.judge(what, r, a, tokens...), nil
}

func (d *desk) judge(what string, r request, a answer, tokens ...string) string {
	token := a.token()
	d.mu.Lock()
	d.played.Answers[what+": "+token]++
	d.mu.Unlock()
	if slices.Contains(tokens, token) {
		return token
	}
	d.surprise("%s: %s %.600s: %s, not %v: %s", what, r, r.body, token, tokens, a.short())
	return ""
}

// result is what was played.
func (d *desk) result() Played {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.played
	p.Trades = slices.Sorted(maps.Keys(d.ids))
	p.cash = slices.Clone(d.moved)
	return p
}
