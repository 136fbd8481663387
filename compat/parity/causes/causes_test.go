package causes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// book makes the events of one account of one side, with totals that are right.
type book struct {
	account int64
	next    int64 // event id
	totals  map[string][2]decimal.Decimal
	events  []Event
}

func newBook(account int64) *book {
	return &book{account: account, next: 1, totals: map[string][2]decimal.Decimal{}}
}

// add adds an event of a trade of so many at 10 each; a cash movement has number 0 or less.
func (b *book) add(kind string, number, quantity int64) *book {
	e := Event{
		Place: Place{Topic: "bank.trades", Offset: b.next, EventID: b.next}, Kind: kind, BusinessDate: 20131007, Account: b.account, Number: number, Client: fmt.Sprint("c", number), Symbol: "IBM", Currency: "USD",
		Quantity: decimal.NewFromInt(quantity), Amount: decimal.NewFromInt(-10 * quantity), Price: decimal.NewFromInt(10), Canonical: true,
	}
	if number <= 0 {
		e.Cash, e.Number, e.Symbol, e.Topic, e.Amount, e.Quantity = true, 1-number, "", "bank.cash", decimal.NewFromInt(quantity), decimal.Zero
	}
	p, m := b.totals["IBM"], b.totals["USD"]
	wasOpen := slices.ContainsFunc(b.events, func(o Event) bool { return o.Number == number && o.Kind == bank.EventOpened })
	for total := Position; total < nTotals; total++ {
		change := e.effect(total, wasOpen)
		switch total {
		case Position:
			p[0] = p[0].Add(change)
		case SettledPosition:
			p[1] = p[1].Add(change)
		case Balance:
			m[0] = m[0].Add(change)
		case SettledBalance:
			m[1] = m[1].Add(change)
		}
	}
	b.totals["IBM"], b.totals["USD"] = p, m
	e.Totals = [nTotals]decimal.Decimal{p[0], m[0], p[1], m[1]}
	if e.Cash {
		e.Totals[Position], e.Totals[SettledPosition] = decimal.Zero, decimal.Zero
	}
	b.next++
	b.events = append(b.events, e)
	return b
}

// seal gives the events their hashes.
func seal(events []Event) []Event {
	all := slices.Clone(events)
	for i := range all {
		e := &all[i]
		text := fmt.Sprint(e.Cash, e.Kind, e.BusinessDate, e.Account, e.Number, e.Client, e.Symbol, e.Currency, e.Quantity, e.Amount, e.Price)
		for _, total := range e.Totals {
			text += "," + total.String()
		}
		for _, c := range text {
			e.Hash = e.Hash*31 + int64(c)
		}
	}
	return all
}

// name gives the findings of accounts, each Bank's events and BK's, as "kind side event number follows".
func name(t *testing.T, cfg Config, accounts ...[2][]Event) []string {
	t.Helper()
	var got []string
	cfg.Emit = func(f *Finding) {
		got = append(got, strings.Join(strings.Fields(fmt.Sprint(f.Kind, " ", f.Side, " ", f.Event, " ", f.Number, " +", f.Follows)), " "))
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		l, r := seal(a[0]), seal(a[1])
		for i := range r { // what SQL says of rows of the same name
			for j := range l {
				if l[j].key() == r[i].key() && l[j].Hash != r[i].Hash {
					r[i].Differs = append(r[i].Differs, Difference{l[j].Place, fieldsOf(&l[j], &r[i])})
				}
			}
		}
		n.Account(l, r)
	}
	n.Finish()
	slices.Sort(got)
	return got
}

// fieldsOf compares by column what these tests alter.
func fieldsOf(l, r *Event) (f Fields) {
	names := columns(l.Cash)
	set := func(name string, differs bool) {
		if at := slices.Index(names, name); differs && at >= 0 {
			f |= 1 << at
		}
	}
	set("quantity", !l.Quantity.Equal(r.Quantity))
	set("net_amount", !l.Amount.Equal(r.Amount))
	set("amount", !l.Amount.Equal(r.Amount))
	set("price", !l.Price.Equal(r.Price))
	set("business_date", l.BusinessDate != r.BusinessDate)
	set("client_trade_id", l.Client != r.Client)
	set("instrument_identifier", l.Symbol != r.Symbol)
	for i, total := range totalNames {
		set(total, !l.Totals[i].Equal(r.Totals[i]))
	}
	return f
}

// day is an account's usual one.
func day(account int64) *book {
	b := newBook(account)
	b.add(bank.Deposit, 0, 1000)
	for trade := int64(1); trade <= 6; trade++ {
		b.add(bank.EventOpened, trade, 10*trade)
	}
	b.add(bank.EventCanceled, 3, 30)
	b.add(bank.EventBooked, 7, 70)
	b.add(bank.EventCanceled, 7, 70)
	for _, trade := range []int64{1, 2, 4} {
		b.add(bank.EventSettled, trade, 10*trade)
	}
	return b
}

func without(events []Event, at int) []Event {
	return append(slices.Clone(events[:at]), events[at+1:]...)
}

func altered(events []Event, at int, change func(*Event)) []Event {
	all := slices.Clone(events)
	change(&all[at])
	return all
}

func TestNames(t *testing.T) {
	t.Parallel()
	whole := day(5).events
	never := newBook(5) // trade 2 was never booked: all totals after it are others
	never.add(bank.Deposit, 0, 1000)
	for _, trade := range []int64{1, 3, 4, 5, 6} {
		never.add(bank.EventOpened, trade, 10*trade)
	}
	never.add(bank.EventCanceled, 3, 30).add(bank.EventBooked, 7, 70).add(bank.EventCanceled, 7, 70).add(bank.EventSettled, 1, 10).add(bank.EventSettled, 4, 40)
	twice := newBook(5) // trade 2 was booked twice
	twice.add(bank.Deposit, 0, 1000).add(bank.EventOpened, 1, 10).add(bank.EventOpened, 2, 20).add(bank.EventOpened, 2, 20).add(bank.EventOpened, 3, 30)
	once := newBook(5)
	once.add(bank.Deposit, 0, 1000).add(bank.EventOpened, 1, 10).add(bank.EventOpened, 2, 20).add(bank.EventOpened, 3, 30)
	larger := newBook(5) // trade 2 is of 25, wherever it is told
	larger.add(bank.Deposit, 0, 1000).add(bank.EventOpened, 1, 10).add(bank.EventOpened, 2, 25).add(bank.EventOpened, 3, 30).add(bank.EventSettled, 2, 25).add(bank.EventOpened, 4, 40)
	smaller := newBook(5)
	smaller.add(bank.Deposit, 0, 1000).add(bank.EventOpened, 1, 10).add(bank.EventOpened, 2, 20).add(bank.EventOpened, 3, 30).add(bank.EventSettled, 2, 20).add(bank.EventOpened, 4, 40)
	one, two := newBook(5), newBook(6) // trade 2 is account 6's on BK's side, from its booking to its settlement
	one.add(bank.EventOpened, 1, 10).add(bank.EventOpened, 3, 30)
	two.add(bank.EventOpened, 2, 20).add(bank.EventOpened, 4, 40).add(bank.EventSettled, 2, 20)
	own, other := newBook(5), newBook(6)
	own.add(bank.EventOpened, 1, 10).add(bank.EventOpened, 2, 20).add(bank.EventOpened, 3, 30).add(bank.EventSettled, 2, 20)
	other.add(bank.EventOpened, 4, 40)
	jump := altered(whole, 4, func(e *Event) { e.Totals[Balance] = e.Totals[Balance].Add(decimal.NewFromInt(7)) })
	opening := slices.Clone(whole[1:4])
	before := newBook(5)
	before.add(bank.EventOpened, 1, 10).add(bank.EventOpened, 2, 20).add(bank.EventOpened, 3, 30).add(bank.EventCanceled, 1, 10)
	canceled := slices.Clone(before.events[2:]) // trade 1 opened before
	off := altered(canceled, 1, func(e *Event) { e.Totals[Balance] = e.Totals[Balance].Add(decimal.NewFromInt(7)) })
	late := slices.Clone(whole)
	late[2].Offset, late[2].EventID = 100, 100
	late = append(without(late, 2), late[2])
	swapped := slices.Clone(whole)
	swapped[2].Offset, swapped[3].Offset = swapped[3].Offset, swapped[2].Offset

	for _, c := range []struct {
		name string
		cfg  Config
		in   [][2][]Event
		want []string
	}{
		{"equal", Config{}, [][2][]Event{{whole, whole}}, nil},
		{"a repeat", Config{}, [][2][]Event{{whole, append(slices.Clone(whole[:3]), whole[2:]...)}}, nil},
		{"lost in the stream", Config{}, [][2][]Event{{whole, without(whole, 3)}}, []string{"missing bk opened 3 +0"}},
		{"lost in Bank's stream", Config{}, [][2][]Event{{without(whole, 3), whole}}, []string{"missing bank opened 3 +0"}},
		{"lost, that it was new", Config{}, [][2][]Event{{whole, without(whole, 8)}}, []string{"missing bk booked 7 +0"}},
		{"never booked", Config{}, [][2][]Event{{whole, never.events}}, []string{"missing bk opened 2 +10"}},
		{"booked twice", Config{}, [][2][]Event{{once.events, twice.events}}, []string{"doubled bk opened 2 +1"}},
		{"booked with another quantity", Config{}, [][2][]Event{{smaller.events, larger.events}}, []string{"wrong_decimal:quantity opened 2 +3"}},
		{"booked to another account", Config{}, [][2][]Event{{own.events, one.events}, {other.events, two.events}}, []string{"wrong_account bk opened 2 +4"}},
		{"one total", Config{}, [][2][]Event{{whole, jump}}, []string{"wrong_running_total opened 4 +0"}},
		{"one total on both sides", Config{}, [][2][]Event{{jump, jump}}, []string{"wrong_running_total bank opened 4 +0"}},
		{"late", Config{}, [][2][]Event{{whole, late}}, []string{"late bk opened 2 +0"}},
		{"swapped in Kafka", Config{}, [][2][]Event{{whole, swapped}}, []string{"out_of_order bk opened 2 +0"}},
		{"not from the beginning", Config{}, [][2][]Event{{opening, opening}}, []string{"wrong_running_total bank opened 1 +0"}},
		{"not from the beginning, as is known", Config{Opening: true}, [][2][]Event{{opening, opening}}, nil},
		{"canceled, and opened before", Config{Opening: true}, [][2][]Event{{canceled, canceled}}, nil},
		{"canceled, and opened before, by another amount", Config{Opening: true}, [][2][]Event{{off, off}}, []string{"wrong_running_total bank canceled 1 +0"}},
		{"canceled, and opened before, which is not known", Config{}, [][2][]Event{{canceled, canceled}}, []string{"wrong_running_total bank canceled 1 +0", "wrong_running_total bank opened 3 +0"}},
		{"pending", Config{}, [][2][]Event{{altered(whole, 12, func(e *Event) { e.Pending = true }), whole[:12]}}, nil},
		{"booked_at", Config{Moments: true}, [][2][]Event{{whole, altered(whole, 4, func(e *Event) { e.BookedAt = 5 })}}, []string{"wrong_field:booked_at opened 4 +0"}},
		{"booked_at, left out", Config{}, [][2][]Event{{whole, altered(whole, 4, func(e *Event) { e.BookedAt = 5 })}}, nil},
		{"spelling", Config{}, [][2][]Event{{whole, altered(whole, 4, func(e *Event) { e.Canonical = false })}}, []string{"not_canonical bk opened 4 +0"}},
		{"a price, then a loss of another", Config{}, [][2][]Event{{whole, without(altered(whole, 4, func(e *Event) { e.Price = decimal.NewFromInt(11) }), 2)}},
			[]string{"missing bk opened 2 +0", "wrong_decimal:price opened 4 +0"}},
		{"too many to hold", Config{MaxOpen: 1}, [][2][]Event{{whole, without(without(whole, 5), 3)}}, []string{"missing bk opened 3 +0", "missing bk opened 5 +0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := name(t, c.cfg, c.in...); !slices.Equal(got, c.want) {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}
