package history_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/api/bulk"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
)

// recorder is a builder that notes what it is asked for.
type recorder struct {
	*bulk.Builder
	done []string
}

func (r *recorder) Book(c *bkv1.Command, at time.Time) (bulk.Receipt, error) {
	receipt, err := r.Builder.Book(c, at)
	o, _ := bankmap.ParseOrigin(c.Source)
	what := fmt.Sprintf("%s %d", o.Kind, o.ID)
	if receipt.State != "" && o.Kind == bankmap.OriginTrade {
		what += " " + string(receipt.State)
	}
	r.done = append(r.done, what)
	return receipt, err
}

func (r *recorder) Roll(to int32, at time.Time) error {
	r.done = append(r.done, fmt.Sprintf("roll %d", to))
	return r.Builder.Roll(to, at)
}

// past is a history as a test writes it: each trade buys one share for one dollar.
type past struct {
	trades  []source.Trade
	journal []source.JournalRow
	cash    []source.Cash
	day     bank.Date
	end     bank.Date // the last business date, if a test needs another than it is told
}

func (p *past) trade(id, account bank.ID, date, settles bank.Date, state string, change ...func(*source.Trade)) {
	t := source.Trade{
		TradeID: id, AccountID: account, ClientTradeID: fmt.Sprint("c", id), TradeDate: date, SettleDate: settles, State: state, Symbol: "IBM", Currency: "USD", BookedAt: 1381132800000 + int64(id),
	}
	for _, d := range []*bank.Decimal{&t.Quantity, &t.Price, &t.GrossAmount} {
		*d, _ = bank.ParseDecimal("1")
	}
	t.NetAmount, _ = bank.ParseDecimal("-1")
	cancels := ""
	for _, f := range change {
		f(&t)
	}
	if t.Replaces != nil {
		cancels = fmt.Sprintf(`,"cancel_trade_id":"%d"`, *t.Replaces)
	}
	t.Request = fmt.Sprintf(`{"type":"exchange_trade","timestamp":1381132800000,"client_trade_id":%q,"date":%d,"account_id":%d,"quantity":"1","price":"1",
		"instrument":{"identifier":"IBM","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"buy"},"capacity":"agency","mic":"XNYS","exec_mpid":"E",
		"settlement":{"date":%d}%s}`, t.ClientTradeID, date, account, settles, cancels)
	p.trades = append(p.trades, t)
}

func canceled(at int64, by bank.ID) func(*source.Trade) {
	return func(t *source.Trade) {
		if t.CanceledAt = &at; by != 0 {
			t.ReplacedBy = &by
		}
	}
}

func replaces(id bank.ID) func(*source.Trade) { return func(t *source.Trade) { t.Replaces = &id } }

// row adds a journal row of a trade on the day.
func (p *past) row(id bank.ID, memo string) {
	i := slices.IndexFunc(p.trades, func(t source.Trade) bool { return t.TradeID == id })
	p.put(id, p.trades[i].AccountID, memo)
}

func (p *past) put(id, account bank.ID, memo string) {
	r := source.JournalRow{JournalID: bank.ID(len(p.journal) + 1), AccountID: account, Date: p.day, TradeID: &id, Symbol: "IBM", Currency: "USD", Memo: memo}
	one, _ := bank.ParseDecimal("1")
	less, _ := bank.ParseDecimal("-1")
	switch memo {
	case "open":
		r.TDQuantity, r.TDAmount = one, less
	case "cancel":
		r.TDQuantity, r.TDAmount = less, one
	default:
		r.SDQuantity, r.SDAmount = one, less
	}
	p.journal = append(p.journal, r)
}

func (p *past) deposit(id, account bank.ID) {
	amount, _ := bank.ParseDecimal("5")
	p.cash = append(p.cash, source.Cash{CashID: id, ClientID: fmt.Sprint("m", id), AccountID: account, Currency: "USD", Amount: amount, Kind: bank.Deposit, BookedAt: 1381132800000})
	p.journal = append(p.journal, source.JournalRow{
		JournalID: bank.ID(len(p.journal) + 1), AccountID: account, Date: p.day, CashID: &id, Currency: "USD", Memo: bank.Deposit, TDAmount: amount, SDAmount: amount,
	})
}

func list[T any](rows []T) history.Rows[T] {
	return func() (*T, error) {
		if len(rows) == 0 {
			return nil, io.EOF
		}
		row := rows[0]
		rows = rows[1:]
		return &row, nil
	}
}

// stage stages it, with chunks of a few rows, and gives what was done, and what came of it.
func (p *past) stage(t *testing.T, end bank.Date) ([]string, *built) {
	t.Helper()
	var runs []history.Run
	for chunk := range slices.Chunk(p.trades, 2) {
		runs = append(runs, transformed(t, &past{trades: chunk})...)
	}
	for chunk := range slices.Chunk(p.journal, 3) {
		runs = append(runs, transformed(t, &past{journal: chunk})...)
	}
	runs = append(runs, transformed(t, &past{cash: p.cash})...)
	r := &recorder{}
	b := p.book(t, p.input(runs, end), r)
	return r.done, b
}

// stageOf stages what it is given.
func (p *past) stageOf(t *testing.T, in history.Input) *built {
	t.Helper()
	return p.book(t, in, &recorder{})
}

func (p *past) book(t *testing.T, in history.Input, r *recorder) *built {
	t.Helper()
	b := &built{Rows: map[string][][]string{}, columns: map[string][]string{}}
	var err error
	if r.Builder, err = bulk.NewBuilder(bulk.BuilderConfig{Sink: func(bulk.Chunk) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	if b.Report, err = history.Stage(t.Context(), in, r, b); err != nil {
		t.Fatalf("%v, after %q", err, r.done)
	}
	return b
}

func (p *past) input(runs []history.Run, end bank.Date) history.Input {
	return history.Input{
		Runs: runs, BusinessDate: end, Entities: list([]source.Entity(nil)), Accounts: list([]source.Account{{AccountID: 1, Name: "a"}, {AccountID: 2, Name: "b"}}),
		Positions: p.positions(), Balances: p.balances(), Uploads: list([]source.Upload(nil)), Errors: list([]source.UploadError(nil)), GivenUp: list([]source.GivenUp(nil)),
	}
}

// positions and balances are what the journal adds up to.
func (p *past) positions() history.Rows[source.Position] {
	var rows []source.Position
	for account := bank.ID(1); account <= 2; account++ {
		sum := source.Position{AccountID: account, Symbol: "IBM"}
		for _, r := range p.journal {
			if r.AccountID == account && r.TradeID != nil {
				sum.Quantity.Decimal, sum.SettledQuantity.Decimal = sum.Quantity.Add(r.TDQuantity.Decimal), sum.SettledQuantity.Add(r.SDQuantity.Decimal)
			}
		}
		rows = append(rows, sum)
	}
	return list(rows)
}

func (p *past) balances() history.Rows[source.Balance] {
	var rows []source.Balance
	for account := bank.ID(1); account <= 2; account++ {
		sum := source.Balance{AccountID: account, Currency: "USD"}
		touched := false
		for _, r := range p.journal {
			if r.AccountID == account {
				touched = true
				sum.SettledCash.Decimal = sum.SettledCash.Add(r.SDAmount.Decimal)
				sum.UnsettledDebits.Decimal = sum.UnsettledDebits.Add(r.SDAmount.Sub(r.TDAmount.Decimal)) // only buys are open
			}
		}
		if touched {
			rows = append(rows, sum)
		}
	}
	return list(rows)
}

// TestOrder: where rows leave the order open or turn it round, it is Bank's nevertheless.
func TestOrder(t *testing.T) {
	t.Parallel()
	const fri, mon, tue, later = 20131004, 20131007, 20131008, 20131014
	for _, c := range []struct {
		name string
		past func(*past)
		end  bank.Date
		want string
	}{
		{"rows of two accounts cross", func(p *past) {
			p.trade(1, 1, mon, later, "open")
			p.trade(2, 2, mon, later, "open")
			p.day = mon
			p.deposit(1, 2)
			p.row(2, "open")
			p.row(1, "open")
			p.deposit(2, 1)
		}, mon, "roll 20131007, cash 1, trade 1 open, trade 2 open, cash 2"},
		{"a trade is booked before the first business date", func(p *past) {
			p.trade(1, 1, tue, later, "open")
			p.row(1, "open")
		}, mon, "trade 1 open, roll 20131007"},
		{"a roll opens what was new, and settles", func(p *past) {
			p.trade(1, 1, fri, mon, "settled")
			p.trade(2, 1, mon, later, "open")
			p.trade(3, 1, mon, later, "open")
			p.day = fri
			p.row(1, "open")
			p.day = mon
			p.row(2, "open")
			p.row(1, "settle")
			p.row(3, "open")
		}, mon, "roll 20131004, trade 1 open, trade 2 new, roll 20131005, roll 20131006, roll 20131007, trade 3 open"},
		{"all is booked behind the roll", func(p *past) {
			p.trade(1, 1, fri, mon, "settled")
			p.trade(2, 1, mon, later, "open")
			p.day = fri
			p.row(1, "open")
			p.day = mon
			p.row(1, "settle")
			p.row(2, "open")
		}, mon, "roll 20131004, trade 1 open, roll 20131005, roll 20131006, roll 20131007, trade 2 open"},
		{"a first business date on which nothing shows", func(p *past) {
			p.trade(1, 1, fri, mon, "settled")
			p.trade(2, 1, mon, later, "open")
			p.row(1, "open")
			p.day = mon
			p.row(2, "open")
			p.row(1, "settle")
		}, mon, "trade 1 open, roll 20131006, trade 2 new, roll 20131007"},
		{"cancelled while it was new, by itself", func(p *past) {
			p.trade(1, 1, fri, later, "settled")
			p.trade(2, 1, mon, later, "canceled", canceled(1381132800009, 0))
			p.trade(3, 1, mon, later, "settled")
			p.day = fri
			p.row(1, "open")
			p.day = mon
			p.row(3, "open")
			p.deposit(1, 1)
			p.day = later
			p.row(1, "settle")
			p.row(3, "settle")
		}, later, "roll 20131004, trade 1 open, trade 2 new, cancel 2, " +
			"roll 20131005, roll 20131006, roll 20131007, trade 3 open, cash 1, roll 20131008, roll 20131009, roll 20131010, roll 20131011, roll 20131012, roll 20131013, roll 20131014"},
		{"cancelled while it was new, nothing else happened", func(p *past) {
			p.trade(2, 1, mon, later, "canceled", canceled(1381132800009, 0))
		}, tue, "roll 20131006, trade 2 new, cancel 2, roll 20131007, roll 20131008"},
		{"cancelled while it was new, by its replacement, which is late", func(p *past) {
			p.trade(1, 1, tue, later, "canceled", canceled(1381132800002, 2))
			p.trade(2, 1, fri, later, "open", replaces(1))
			p.day = mon
			p.deposit(1, 2)
			p.row(2, "open")
			p.day = tue
			p.deposit(2, 2)
		}, tue, "roll 20131007, cash 1, trade 1 new, trade 2 open, roll 20131008, cash 2"},
		{"cancelled by itself, and linked later", func(p *past) {
			p.trade(1, 1, mon, later, "canceled", canceled(1381132800001, 3))
			p.trade(2, 2, mon, later, "open")
			p.trade(3, 1, mon, later, "open", replaces(1))
			p.day = mon
			p.row(1, "open")
			p.row(2, "open")
			p.row(1, "cancel")
			p.deposit(1, 1)
			p.row(3, "open")
		}, mon, "roll 20131007, trade 1 open, trade 2 open, cancel 1, cash 1, trade 3 open"},
		{"replaced by one that is new, which has no row", func(p *past) {
			p.trade(1, 1, mon, later, "canceled", canceled(1381132800002, 2))
			p.trade(2, 1, tue, later, "new", replaces(1))
			p.day = mon
			p.row(1, "open")
			p.row(1, "cancel")
			p.deposit(1, 1)
		}, mon, "roll 20131007, trade 1 open, trade 2 new, cash 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var p past
			c.past(&p)
			done, b := p.stage(t, c.end)
			if got := strings.Join(done, ", "); got != c.want {
				t.Errorf("done:\n%s\nnot\n%s", got, c.want)
			}
			for rule, n := range b.Report.Fired {
				if rule.Effect() != history.AsIs {
					t.Errorf("%s fired %d times: %+v %+v %+v", rule, n, b.Quarantined, b.Repaired, b.Adjusted)
				}
			}
		})
	}
}
