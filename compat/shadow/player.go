package shadow

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/bkledger/bk/compat/bank"
)

// player is one client.
type player struct {
	*desk
	dice
	number int
	trades int     // that it has named
	moves  int     // cash movements that it has named
	last   bank.ID // the highest trade id that it was given
	own    own
}

// own is what a client knows of the account that is its alone: its trades have come into force when they are booked, so that it knows its positions.
type own struct {
	account  bank.ID
	position map[string]bank.Decimal // by symbol
	trades   []*sent                 // that may be cancelled
}

// ownTrades is how many of its own account's trades a client has in mind.
const ownTrades = 20

func newPlayer(d *desk, number int) *player {
	return &player{
		desk: d, dice: newDice(d.traffic.Seed, uint64(number)), number: number,
		own: own{account: d.traffic.account(d.traffic.Accounts + number), position: map[string]bank.Decimal{}},
	}
}

// play makes requests until all clients together have taken enough steps.
func (p *player) play(ctx context.Context, steps *atomic.Int64) error {
	first := int64(p.traffic.Requests / 20)
	between := (int64(p.traffic.Requests) - first) / int64(p.traffic.Rolls)
	for ctx.Err() == nil {
		n := steps.Add(1)
		if n > int64(p.traffic.Requests) {
			return nil
		}
		step := p.step
		if n >= first && (n-first)%between == 0 {
			step = p.roll
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step makes what one draw says.
func (p *player) step(ctx context.Context) error {
	switch x := 100 * p.Float64(); {
	case x < 36:
		return p.book(ctx)
	case x < 46:
		return p.cancel(ctx)
	case x < 57:
		return p.correct(ctx)
	case x < 63:
		return p.repeat(ctx)
	case x < 66:
		return p.conflict(ctx)
	case x < 72:
		return p.bad(ctx)
	case x < 79:
		return p.ownBook(ctx)
	case x < 86:
		return p.cash(ctx)
	}
	return p.look(ctx)
}

// anyAccount is mostly a hot one.
func (p *player) anyAccount() bank.ID {
	if p.percent(60) {
		return pick(p.dice, p.hot...)
	}
	return pick(p.dice, p.cold...)
}

// another is an account that is not this one.
func (p *player) another(account bank.ID) bank.ID {
	for {
		if other := p.anyAccount(); other != account {
			return other
		}
	}
}

// trade draws a new trade of an account.
func (p *player) trade(account bank.ID) *sent {
	s := &sent{account: account, body: p.dice.trade(account, p.another(account), p.today())}
	p.name(s)
	return s
}

// name gives a trade a client's id that it has nowhere else: of letters, of digits, long, or hard to write in a URL.
func (p *player) name(s *sent) {
	for {
		p.trades++
		id := fmt.Sprintf("s%d-c%d-%d", p.traffic.Seed, p.number, p.trades)
		switch x := p.Float64() * 100; {
		case x < 3:
			id = strconv.Itoa(p.number*10_000_000 + p.trades + 1_000_000_000)
		case x < 4:
			id = strconv.FormatInt(int64(p.last)+p.Int64N(10), 10) // which may be a trade id as well
		case x < 7:
			id += "/ü %?&#+" + `"`
		case x < 9:
			id += strings.Repeat("ö", 200)
		}
		if p.claim(s.account, id) {
			s.clientID = id
			s.body["client_trade_id"] = id
			return
		}
	}
}
