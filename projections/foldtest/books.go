package foldtest

import (
	"slices"
	"time"

	"github.com/bkledger/bk/ledger"
)

// Books is a whole ledger in memory: commands go through the rules as in the journal, one after the other, and its entries can be folded. It serves
// one goroutine.
type Books struct {
	*Journal
	Directory *ledger.Directory
	Rules     *ledger.Rules
	Day       ledger.BusinessDay
	Now       func() time.Time // when entries are booked; must not go back

	keys  map[string]*ledger.Entry
	lives map[ledger.ID]ledger.Life
}

// NewBooks makes an empty ledger with the standard rules, whose clock moves on a microsecond with each command.
func NewBooks(shard uint16) *Books {
	now := time.Date(2013, 10, 7, 12, 0, 0, 0, time.UTC)
	return &Books{
		Journal: NewJournal(shard), Directory: ledger.NewDirectory(), Rules: ledger.StandardRules(),
		Now:  func() time.Time { now = now.Add(time.Microsecond); return now },
		keys: map[string]*ledger.Entry{}, lives: map[ledger.ID]ledger.Life{},
	}
}

// Book books a command and gives its entry; that of the first time, if it is a repeat.
func (b *Books) Book(c *ledger.Command) (*ledger.Entry, *ledger.Rejection) {
	at := b.Now()
	draft, rej := b.Rules.Prepare(c, b.Directory, at)
	if known := b.keys[c.Key]; c.Key != "" && known != nil && draft.Entry != nil {
		if known.Content != draft.Content {
			return nil, ledger.Reject(ledger.ReasonKeyConflict, "key", "%q was used for entry %d, with other content", c.Key, known.ID)
		}
		return known, nil
	}
	if rej != nil {
		return nil, rej
	}
	if draft.NeedHouse != nil {
		for _, code := range draft.NeedHouse {
			if _, rej := b.Book(ledger.HouseAccount(code)); rej != nil {
				return nil, rej
			}
		}
		return b.Book(c)
	}
	if c.IsDefinition() {
		if exists, rej := b.Directory.Reserve(draft.Entry); exists || rej != nil {
			return draft.Entry, rej
		}
	}
	head := b.Head()
	entries, rej := b.Rules.Decide(nil, &draft, b.target(c), ledger.Moment{Next: ledger.MakeID(head.Shard, head.Seq+1), Day: b.Day, Books: b.Directory})
	if rej != nil {
		return nil, rej
	}
	for _, e := range entries {
		e.Epoch, e.BookedAt = 1, at.UTC().Truncate(time.Microsecond)
		b.Directory.Apply(e)
		b.Day = b.Day.After(e)
		if e.Key != "" {
			b.keys[e.Key] = e
		}
		if e.Links.Trade != 0 {
			b.lives[e.Links.Trade] = append(b.lives[e.Links.Trade], e)
		}
	}
	b.Append(entries...)
	return draft.Entry, nil
}

// Life gives all entries about a trade.
func (b *Books) Life(trade ledger.ID) ledger.Life { return b.lives[trade] }

// target finds the trade that a command names.
func (b *Books) target(c *ledger.Command) ledger.Life {
	target := c.Target
	if target == nil {
		target = c.Replaces
	}
	if target == nil {
		return nil
	}
	trade := target.Trade
	if booked := b.keys[target.Key]; booked != nil && booked.Kind.IsTrade() {
		trade = booked.ID
	}
	life := b.lives[trade]
	if len(life) == 0 || life[0].ID != trade {
		return nil
	}
	return life
}

// Roll takes the business date forward to a day, day by day, as package dayroll does. cut gives the cut of the day from the entries so far.
func (b *Books) Roll(to ledger.Date, street bool, cut func(ledger.Date) (rows int64, hash [32]byte)) *ledger.Rejection {
	day := b.Day.Date.Next()
	if b.Day.Date == 0 {
		day = to
	}
	for ; day <= to; day = day.Next() {
		if _, rej := b.Book(&ledger.Command{Kind: ledger.KindDayBegin, Day: &ledger.Day{Date: day, To: to, Street: street}}); rej != nil {
			return rej
		}
		end := ledger.Day{Date: day, To: to, Street: street}
		var rej *ledger.Rejection
		if end.Opened, rej = b.due(ledger.KindTradeOpen, ledger.TradeNew, func(e *ledger.Entry) bool { return e.TradeDate <= day }); rej != nil {
			return rej
		}
		if end.Settled, rej = b.due(ledger.KindSettle, ledger.TradeOpen, func(e *ledger.Entry) bool { return e.SettleDate <= day }); rej != nil {
			return rej
		}
		end.CutRows, end.CutHash = cut(day)
		if _, rej := b.Book(&ledger.Command{Kind: ledger.KindDayEnd, Day: &end}); rej != nil {
			return rej
		}
	}
	return nil
}

// due takes every trade in a state that is due one step further, in booking order.
func (b *Books) due(kind ledger.Kind, state ledger.TradeState, due func(*ledger.Entry) bool) (n int64, rej *ledger.Rejection) {
	var ids []ledger.ID
	for id, life := range b.lives {
		if life.State() == state && due(life[0]) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		if _, rej := b.Book(&ledger.Command{Kind: kind, Target: &ledger.Target{Trade: id}}); rej != nil {
			return n, rej
		}
		n++
	}
	return n, nil
}
