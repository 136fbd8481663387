package positions_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/positions"
)

const (
	alice = firstCustomer
	bob   = firstCustomer + 1
	share = firstSecurity
	day   = ledger.Date(20240304)
)

// want is a line as it should be: quantity (both buckets), cost, realised, average.
type want struct{ quantity, cost, realised, average string }

func line(t *testing.T, b *positions.Book, q positions.Query) positions.Row {
	t.Helper()
	if q.Account == 0 {
		q.Account = alice
	}
	q.Limit = 10
	page, err := b.Positions(q)
	if err != nil || len(page.Rows) != 1 {
		t.Fatalf("%+v: %+v, %v", q, page, err)
	}
	return page.Rows[0]
}

func check(t *testing.T, what string, r positions.Row, w want) {
	t.Helper()
	if got := (want{r.TradeDate().String(), r.Cost.String(), r.Realised.String(), r.AverageCost().String()}); got != w {
		t.Errorf("%s: %+v, should be %+v", what, got, w)
	}
}

func booked(t *testing.T, w *world) *positions.Book {
	t.Helper()
	b := positions.NewBook(w.dir)
	for _, e := range w.All() {
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestAverageCost: worked out by hand.
func TestAverageCost(t *testing.T) {
	t.Parallel()
	type fill struct{ quantity, price string }
	for _, c := range []struct {
		name  string
		fills []fill
		want  []want // after each
	}{
		{"a long one, closed in parts", []fill{{"100", "10"}, {"50", "13"}, {"-60", "12"}, {"-90", "9"}}, []want{
			{"100", "1000", "0", "10"}, {"150", "1650", "0", "11"},
			{"90", "990", "60", "11"}, // 720 for 660
			{"0", "0", "-120", "0"}}}, // 810 for 990: 60 - 180
		{"a short one, bought back in parts", []fill{{"-100", "10"}, {"-100", "12"}, {"50", "8"}, {"150", "14"}}, []want{
			{"-100", "-1000", "0", "10"}, {"-200", "-2200", "0", "11"},
			{"-150", "-1650", "150", "11"}, // received 550, paid 400
			{"0", "0", "-300", "0"}}},      // received 1650, paid 2100: 150 - 450
		{"from long to short", []fill{{"100", "10"}, {"-150", "12"}, {"50", "11"}}, []want{
			{"100", "1000", "0", "10"}, {"-50", "-600", "200", "12"}, {"0", "0", "250", "0"}}},
		{"from short to long", []fill{{"-100", "10"}, {"130", "7.5"}, {"-30", "7"}}, []want{
			{"-100", "-1000", "0", "10"}, {"30", "225", "250", "7.5"}, {"0", "0", "235", "0"}}},
		{"the last close takes what is left", []fill{{"3", "33.3333333333"}, {"-1", "40"}, {"-1", "40"}, {"-1", "40"}}, []want{
			{"3", "99.9999999999", "0", "33.3333333333"}, {"2", "66.6666666666", "6.6666666667", "33.3333333333"},
			{"1", "33.3333333333", "13.3333333334", "33.3333333333"}, {"0", "0", "20.0000000001", "0"}}},
		{"a third of a cost that is no multiple of three", []fill{{"1", "50"}, {"2", "25"}, {"-1", "40"}, {"-1", "40"}, {"-1", "40"}}, []want{
			{"1", "50", "0", "50"}, {"3", "100", "0", "33.3333333333"},
			{"2", "66.6666666667", "6.6666666667", "33.3333333334"},  // releases 33.3333333333; 33.33333333335 to even
			{"1", "33.3333333333", "13.3333333333", "33.3333333333"}, // releases 33.33333333335, to even: .3333333334
			{"0", "0", "20", "0"}}},
		{"half to even", []fill{{"0.5", "0.000000001"}, {"-0.25", "1"}, {"-0.25", "1"}}, []want{
			{"0.5", "0.0000000005", "0", "0.000000001"},
			{"0.25", "0.0000000003", "0.2499999998", "0.0000000012"}, // 2.5 units: releases 2
			{"0", "0", "0.4999999995", "0"}}},
		{"half to even, up", []fill{{"0.5", "0.0000000014"}, {"-0.25", "1"}, {"-0.25", "1"}}, []want{
			{"0.5", "0.0000000007", "0", "0.0000000014"},
			{"0.25", "0.0000000003", "0.2499999996", "0.0000000012"}, // 3.5 units: releases 4
			{"0", "0", "0.4999999993", "0"}}},
		{"a crossing whose closing part is rounded", []fill{{"0.000001", "1"}, {"-1", "0.1234567"}}, []want{
			{"0.000001", "0.000001", "0", "1"},
			// Closes 0.000001 at 0.1234567: 0.0000001234567, that is 0.0000001235; opens for 0.1234567 less that.
			{"-0.999999", "-0.1234565765", "-0.0000008765", "0.1234567"}}},
		{"for nothing", []fill{{"10", "0"}, {"-4", "5"}, {"-6", "0"}}, []want{{"10", "0", "0", "0"}, {"6", "0", "20", "0"}, {"0", "0", "20", "0"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(2, 1)
			for i, f := range c.fills {
				w.trade(terms{day: day, account: alice, instrument: share, quantity: f.quantity, price: f.price})
				r := line(t, booked(t, w), positions.Query{})
				check(t, f.quantity+" at "+f.price, r, c.want[i])
				if long, short := r.Long(), r.Short(); long.Sub(short) != r.TradeDate() || long.Sign() < 0 || short.Sign() < 0 || !long.IsZero() && !short.IsZero() {
					t.Errorf("long %s, short %s of %s", long, short, r.TradeDate())
				}
			}
		})
	}
}

// TestLargeNumbers: cost beyond what a single amount may have stays exact.
func TestLargeNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(1, 1)
	for range 20 {
		w.trade(terms{day: day, account: alice, instrument: share, quantity: "100000000000000", price: "9999.5"})
	}
	w.trade(terms{day: day, account: alice, instrument: share, quantity: "-700000000000000", price: "1"})
	check(t, "large", line(t, booked(t, w), positions.Query{}), want{"1300000000000000", "12999350000000000000", "-6998950000000000000", "9999.5"})
}

// TestBothParties: an allocation is a fill for both at gross, commission is in no cost, currencies are lines of their own.
func TestBothParties(t *testing.T) {
	t.Parallel()
	w := newWorld(2, 1)
	w.trade(terms{day: day, account: alice, instrument: share, quantity: "100", price: "10"})
	w.trade(terms{day: day, account: alice, target: bob, instrument: share, quantity: "-40", price: "11"})
	b := booked(t, w)
	check(t, "alice", line(t, b, positions.Query{}), want{"60", "600", "40", "10"})
	check(t, "bob", line(t, b, positions.Query{Account: bob}), want{"40", "440", "0", "11"})
	w.trade(terms{day: day, account: bob, instrument: share, quantity: "-40", price: "9", currency: "EUR"})
	page, err := booked(t, w).Positions(positions.Query{Account: bob, Limit: 5})
	if err != nil || len(page.Rows) != 2 || page.Rows[0].Currency != "EUR" || page.Rows[0].Short() != ledger.AmountOf(40) || page.Rows[1].Long() != ledger.AmountOf(40) {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestLifeAndTimes: a trade opens, settles, is corrected and cancelled; what was known before stays known.
func TestLifeAndTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(2, 1)
	first := w.trade(terms{day: day, account: alice, instrument: share, quantity: "100", price: "10"})             // 1
	w.trade(terms{day: day + 1, account: alice, instrument: share, quantity: "-50", price: "12"})                  // 2
	w.settleTrade(first, day+2)                                                                                    // 3
	corrected := w.correct(first, terms{day: day, account: alice, instrument: share, quantity: "80", price: "11"}) // 4, 5, 6
	w.cancel(corrected, false)                                                                                     // 7
	w.later(terms{day: day + 5, account: alice, instrument: share, quantity: "50", price: "9"})                    // 8, 9
	b := booked(t, w)
	for _, c := range []struct {
		q                  positions.Query
		unsettled, settled string
		want               want
	}{
		{positions.Query{KnownAt: 1}, "100", "0", want{"100", "1000", "0", "10"}},
		{positions.Query{KnownAt: 2}, "50", "0", want{"50", "500", "100", "10"}},
		{positions.Query{KnownAt: 3}, "-50", "100", want{"50", "500", "100", "10"}},
		{positions.Query{KnownAt: 3, AsOf: day}, "100", "0", want{"100", "1000", "0", "10"}},
		{positions.Query{KnownAt: 3, AsOf: day + 1}, "50", "0", want{"50", "500", "100", "10"}},
		{positions.Query{KnownAt: 4}, "50", "0", want{"50", "500", "100", "10"}},
		{positions.Query{KnownAt: 5}, "-50", "0", want{"-50", "-600", "0", "12"}},
		{positions.Query{KnownAt: 6}, "30", "0", want{"30", "330", "50", "11"}}, // in its place: before the sale
		{positions.Query{KnownAt: 6, AsOf: day}, "80", "0", want{"80", "880", "0", "11"}},
		{positions.Query{KnownAt: 8}, "-50", "0", want{"-50", "-600", "0", "12"}},
		{positions.Query{AsOf: day + 4}, "-50", "0", want{"-50", "-600", "0", "12"}},
		{positions.Query{AsOf: day}, "0", "0", want{"0", "0", "0", "0"}},
		{positions.Query{}, "0", "0", want{"0", "0", "150", "0"}},
	} {
		r := line(t, b, c.q)
		check(t, "as of "+c.q.AsOf.String(), r, c.want)
		if r.Unsettled.String() != c.unsettled || r.Settled.String() != c.settled {
			t.Errorf("%+v: %s unsettled, %s settled", c.q, r.Unsettled, r.Settled)
		}
	}
	if page, err := b.Positions(positions.Query{Account: alice, AsOf: day - 1, Limit: 1}); err != nil || len(page.Rows) != 0 {
		t.Errorf("before the first trade: %+v, %v", page, err)
	}
}

// TestBackDated: a trade of an earlier day comes before what is there; one of the same day after it.
func TestBackDated(t *testing.T) {
	t.Parallel()
	w := newWorld(2, 1)
	w.trade(terms{day: day, account: alice, instrument: share, quantity: "10", price: "10"})
	w.trade(terms{day: day, account: alice, instrument: share, quantity: "-10", price: "15"})
	w.trade(terms{day: day - 1, account: alice, instrument: share, quantity: "10", price: "20"})
	check(t, "the day before", line(t, booked(t, w), positions.Query{}), want{"10", "150", "0", "15"})
	w.trade(terms{day: day, account: alice, instrument: share, quantity: "-10", price: "16"})
	check(t, "the same day", line(t, booked(t, w), positions.Query{}), want{"0", "0", "10", "0"})
}

// TestMovements: what leaves takes its part of the cost along, without a profit; what arrives brings the cost that is stated.
func TestMovements(t *testing.T) {
	t.Parallel()
	w := newWorld(2, 1)
	w.trade(terms{day: day, account: alice, instrument: share, quantity: "100", price: "10"})
	w.move(day, alice, bob, share, "40", ledger.Settled, map[string]string{"cost": "400"})
	b := booked(t, w)
	r := line(t, b, positions.Query{})
	check(t, "alice", r, want{"60", "600", "0", "10"})
	if r.Unsettled.String() != "100" || r.Settled.String() != "-40" {
		t.Errorf("%+v", r)
	}
	check(t, "bob", line(t, b, positions.Query{Account: bob}), want{"40", "400", "0", "10"})
	w.move(day, location, bob, share, "10", ledger.Settled, nil) // brings none
	check(t, "bob", line(t, booked(t, w), positions.Query{Account: bob}), want{"50", "400", "0", "8"})
	w.move(day, bob, alice, share, "70", ledger.Settled, map[string]string{"cost": "77"}) // crosses zero: releases all, and opens with the cost stated
	b = booked(t, w)
	check(t, "bob", line(t, b, positions.Query{Account: bob}), want{"-20", "-77", "0", "3.85"})
	check(t, "alice", line(t, b, positions.Query{}), want{"130", "677", "0", "5.2076923077"})
}

// TestImpossible: what can't be is an error that says so.
func TestImpossible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what   string
		change func(*ledger.Entry)
		want   string
	}{
		{"an account that nobody knows", func(e *ledger.Entry) { e.Postings[0].Account = 77 }, "no account 77"},
		{"an instrument that nobody knows", func(e *ledger.Entry) { e.Postings[0].Instrument = 77 }, "no instrument 77"},
		{"a bucket that is neither", func(e *ledger.Entry) { e.Postings[0].Bucket = 'x' }, `bucket "x"`},
		{"a currency that is none", func(e *ledger.Entry) { e.Trade.Currency = "dollars" }, `currency is "dollars"`},
		{"a trade without terms", func(e *ledger.Entry) { e.Trade = nil }, "without its trade"},
		{"a cancel of what is not there", func(e *ledger.Entry) { e.Kind, e.Links.Reverses = ledger.KindCancel, ledger.MakeID(shard, 77) }, "cancels entry 77"},
	} {
		w := newWorld(1, 1)
		e := terms{day: day, account: alice, instrument: share, quantity: "1", price: "1"}.entry()
		c.change(e)
		w.book(e)
		if err := positions.NewBook(w.dir).Add(e); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	w := newWorld(1, 1)
	e := w.trade(terms{day: day, account: alice, instrument: share, quantity: "1", price: "1"})
	w.cancel(e, false)
	w.cancel(e, false)
	b, all := positions.NewBook(w.dir), w.All()
	if i := slices.IndexFunc(all, func(e *ledger.Entry) bool { return b.Add(e) != nil }); i != 2 {
		t.Errorf("the second cancel of a trade is taken; stopped at %d", i)
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	b := positions.NewBook(newWorld(1, 1).dir)
	for _, c := range []struct {
		q    positions.Query
		want error
	}{
		{positions.Query{}, positions.ErrLimit}, {positions.Query{Limit: -1}, positions.ErrLimit}, {positions.Query{Limit: positions.MaxLimit + 1}, positions.ErrLimit},
		{positions.Query{Limit: 1, AsOf: day}, positions.ErrAccount}, {positions.Query{Limit: 1, KnownAt: 1}, positions.ErrAccount},
		{positions.Query{Limit: 1, Account: 1, KnownAt: 1}, nil},
	} {
		if _, err := b.Positions(c.q); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
}
