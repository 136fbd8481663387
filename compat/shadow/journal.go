package shadow

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/bkledger/bk/compat/bank"
)

// sums are two running totals: by trade date and settled.
type sums struct{ traded, settled bank.Decimal }

func (s *sums) add(traded, settled bank.Decimal) {
	s.traded = bank.Decimal{Decimal: s.traded.Add(traded.Decimal)}
	s.settled = bank.Decimal{Decimal: s.settled.Add(settled.Decimal)}
}

// ledger is what a journal of an account adds up to.
type ledger struct {
	holdings map[string]*sums         // by symbol
	cash     map[string]*sums         // by currency
	opened   map[bank.ID]bank.Decimal // the position right after a trade opened
}

func newLedger() *ledger {
	return &ledger{holdings: map[string]*sums{}, cash: map[string]*sums{}, opened: map[bank.ID]bank.Decimal{}}
}

func (l *ledger) add(row bank.JournalRow) {
	at := func(of map[string]*sums, name string) *sums {
		if of[name] == nil {
			of[name] = &sums{}
		}
		return of[name]
	}
	at(l.cash, row.Currency).add(row.TDAmount, row.SDAmount)
	if row.TradeID == nil {
		return
	}
	holding := at(l.holdings, row.Symbol)
	holding.add(row.TDQuantity, row.SDQuantity)
	if row.Memo == "open" {
		l.opened[*row.TradeID] = holding.traded
	}
}

// account compares all that the systems say of an account, and what its journal adds up to with what they say.
func (c *check) account(ctx context.Context, id bank.ID) error {
	path := "/accounts/" + id.String()
	books, err := c.journal(ctx, id, path+"/journal")
	if err != nil {
		return err
	}
	due := map[listed]struct{}{}
	if c.All && books != nil {
		if due, err = c.every(ctx, id, slices.Collect(maps.Keys(books.opened))); err != nil {
			return err
		}
	}
	for _, day := range c.Days {
		due[listed{id, day, false}], due[listed{id, day, true}] = struct{}{}, struct{}{}
	}
	for list := range due {
		if err := c.listed(ctx, list, books); err != nil {
			return err
		}
	}
	holdings := map[string]sums{}
	err = c.list(ctx, KindPosition, id, path+"/positions?view=full", "symbol", func(row obj) error {
		var p bank.Position
		if err := json.Unmarshal(encode(row), &p); err != nil || p.SettledQuantity == nil {
			return fmt.Errorf("position %v: %w", row, err)
		}
		holdings[p.Symbol] = sums{p.Quantity, *p.SettledQuantity}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.one(ctx, KindBalance, id, path+"/balances"); err != nil {
		return err
	}
	if books == nil {
		return nil // the journals differ: which of them should add up?
	}
	var list bank.List[bank.Balance]
	if err := c.left.read(ctx, path+"/balances", &list); err != nil {
		return err
	}
	cash := map[string]sums{}
	for _, b := range list.Data {
		cash[b.Currency] = sums{b.TradeCash, b.SettledCash}
	}
	c.totals(id, books.holdings, holdings)
	c.totals(id, books.cash, cash)
	return nil
}

// listed compares a list of an account's trades, and their running positions with the journal's, if that is given.
func (c *check) listed(ctx context.Context, of listed, books *ledger) error {
	return c.list(ctx, KindListed, of.account, of.path(), "trade_id", func(row obj) error { return c.running(of.account, books, row) })
}

// journal compares journals row by row, in order, and adds them up; nil if they differ.
func (c *check) journal(ctx context.Context, id bank.ID, path string) (*ledger, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a page may be under way
	left, right, books := listOf(ctx, c.left, path), listOf(ctx, c.right, path), newLedger()
	for n := 1; ; n++ {
		l, err := left.next(ctx)
		if err != nil {
			return nil, err
		}
		r, err := right.next(ctx)
		if err != nil {
			return nil, err
		}
		if l == nil && r == nil {
			return books, nil
		}
		c.count(KindJournal)
		if l == nil || r == nil || !sameRow(l, r) { // whatever follows is shifted
			c.differ(Difference{Account: id, Kind: KindJournal, What: fmt.Sprintf("%d of the account", n), Left: string(l), Right: string(r)})
			return nil, nil
		}
		var row bank.JournalRow
		if err := json.Unmarshal(l, &row); err != nil {
			return nil, fmt.Errorf("%s: GET %s: %w in %s", c.left.system.Name, path, err, l)
		}
		books.add(row)
	}
}

// sameRow compares journal rows, without their ids.
func sameRow(left, right []byte) bool {
	return bytes.Equal(afterID(left), afterID(right)) || sameJSON(left, right, "journal_id")
}

// afterID gives what is behind the id of a row that is written as usual; it is the rest of a row either way, so that rows with equal rests are equal.
func afterID(row []byte) []byte {
	const head = `{"journal_id":"`
	if !bytes.HasPrefix(row, []byte(head)) {
		return row
	}
	rest := row[len(head):]
	return rest[bytes.IndexByte(rest, '"')+1:]
}

// running compares a listed trade's running position with the journal's.
func (c *check) running(account bank.ID, books *ledger, row obj) error {
	if books == nil {
		return nil
	}
	id, err := bank.ParseID(fmt.Sprint(row["trade_id"]))
	if err != nil {
		return fmt.Errorf("trade %v: %w", row, err)
	}
	c.count(KindRunning)
	want := any(nil)
	if sum, opened := books.opened[id]; opened {
		want = sum.String()
	}
	if row["running_position"] != want {
		c.differ(Difference{Account: account, Kind: KindRunning, What: "of trade " + id.String(), Left: fmt.Sprint(row["running_position"]), Right: fmt.Sprint(want) + " by the journal"})
	}
	return nil
}

// totals compares what journals add up to with what is said; what is not said is zero.
func (c *check) totals(account bank.ID, added map[string]*sums, said map[string]sums) {
	names := slices.AppendSeq(slices.Collect(maps.Keys(added)), maps.Keys(said))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		sum := added[name]
		if sum == nil {
			sum = &sums{}
		}
		c.count(KindTotal)
		if says := said[name]; !says.traded.Equal(sum.traded.Decimal) || !says.settled.Equal(sum.settled.Decimal) {
			c.differ(Difference{
				Account: account, Kind: KindTotal, What: name, Left: fmt.Sprintf("%s, settled %s", says.traded, says.settled),
				Right: fmt.Sprintf("%s, settled %s, by the journal", sum.traded, sum.settled),
			})
		}
	}
}
