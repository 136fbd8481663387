package positions_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/positions"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const shard = 1

// The accounts and instruments of a world.
const (
	firstCustomer = 1001
	firm          = 900_001
	street        = 900_002
	location      = 900_003
	dollar        = 1
	euro          = 2
	firstSecurity = 3
)

// world books entries as the ledger does, with as much of its rules as positions depend on.
type world struct {
	*foldtest.Journal
	dir    *ledger.Directory
	now    time.Time
	live   []*ledger.Entry // trades that may be cancelled
	settle map[ledger.ID]*ledger.Entry
	today  int // days since the world began, of random events
}

func newWorld(customers, securities int) *world {
	w := &world{Journal: foldtest.NewJournal(shard), dir: ledger.NewDirectory(), now: time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour),
		settle: map[ledger.ID]*ledger.Entry{}}
	for i := range customers {
		w.dir.Apply(&ledger.Entry{Account: &ledger.Account{ID: int64(firstCustomer + i), Code: fmt.Sprintf("cust:%d", firstCustomer+i), Kind: ledger.KindCustomer}})
	}
	w.dir.Apply(&ledger.Entry{Account: &ledger.Account{ID: firm, Code: "firm:inventory", Kind: ledger.KindFirm}})
	w.dir.Apply(&ledger.Entry{Account: &ledger.Account{ID: street, Code: "street:cns", Kind: ledger.KindStreet}})
	w.dir.Apply(&ledger.Entry{Account: &ledger.Account{ID: location, Code: "location:dtc", Kind: ledger.KindLocation}})
	for i, code := range []string{"USD", "EUR"} {
		in := ledger.Currency(code)
		in.ID = int64(i + 1)
		w.dir.Apply(&ledger.Entry{Define: &in})
	}
	for i := range securities {
		w.dir.Apply(&ledger.Entry{Define: &ledger.Instrument{ID: int64(firstSecurity + i), Symbol: fmt.Sprintf("S%d", i), Kind: ledger.KindSecurity}})
	}
	return w
}

func (w *world) next() ledger.ID { return ledger.MakeID(shard, w.Head().Seq+1) }

func (w *world) book(e *ledger.Entry) *ledger.Entry {
	w.now = w.now.Add(time.Microsecond)
	e.BookedAt, e.Source, e.Epoch = w.now, "test", 1
	w.Append(e)
	return e
}

// terms are what a test says of a trade.
type terms struct {
	day                         ledger.Date
	account, target, instrument int64
	quantity                    string // below zero: a sale
	price                       string
	currency                    string // USD if left out
}

// entry makes a trade's booking, without links.
func (x terms) entry() *ledger.Entry {
	q, t := ledger.MustAmount(x.quantity), &ledger.Trade{Account: ledger.AccountRef{ID: x.account}, Target: ledger.AccountRef{ID: x.target},
		Direction: ledger.Buy, Price: ledger.MustAmount(x.price), Currency: x.currency, Commission: ledger.MustAmount("1.25"), Kind: ledger.KindExchangeTrade}
	other := int64(street)
	if x.target != 0 {
		other, t.Kind = x.target, ledger.KindAllocationTrade
	}
	if t.Quantity = q; q.Sign() < 0 {
		t.Quantity, t.Direction = q.Neg(), ledger.Sell
	}
	if t.Currency == "" {
		t.Currency = "USD"
	}
	money := int64(dollar)
	if t.Currency == "EUR" {
		money = euro
	}
	gross, err := t.Quantity.Mul(t.Price)
	if err != nil {
		panic(fmt.Sprintf("%+v: %v", x, err))
	}
	t.Gross = gross
	cash := gross
	if q.Sign() < 0 {
		cash = gross.Neg()
	}
	return &ledger.Entry{Kind: t.Kind, TradeDate: x.day, EffectiveDate: x.day, Trade: t, State: ledger.TradeOpen, Postings: []ledger.Posting{
		{Account: x.account, Instrument: x.instrument, Bucket: ledger.Unsettled, Quantity: q},
		{Account: other, Instrument: x.instrument, Bucket: ledger.Unsettled, Quantity: q.Neg()},
		{Account: x.account, Instrument: money, Bucket: ledger.Unsettled, Quantity: cash.Add(t.Commission).Neg()},
		{Account: other, Instrument: money, Bucket: ledger.Unsettled, Quantity: cash},
		{Account: firm, Instrument: money, Bucket: ledger.Settled, Quantity: t.Commission},
	}}
}

func (w *world) trade(x terms) *ledger.Entry { return w.bookTrade(x.entry(), nil) }

func (w *world) bookTrade(e, replaces *ledger.Entry) *ledger.Entry {
	e.Links.Trade = w.next()
	if replaces != nil {
		e.Links.Corrects, e.Links.Root = replaces.Links.Trade, replaces.Place()
	}
	w.live = append(w.live, e)
	return w.book(e)
}

// later books a trade that is not in force yet, and brings it into force by another entry.
func (w *world) later(x terms) *ledger.Entry {
	e := x.entry()
	opened := *e
	e.Postings, e.State = nil, ledger.TradeNew
	e.Links.Trade = w.next()
	w.book(e)
	opened.Kind, opened.Links = ledger.KindTradeOpen, e.Links
	w.live = append(w.live, &opened)
	return w.book(&opened)
}

func negated(postings []ledger.Posting) []ledger.Posting {
	var out []ledger.Posting
	for _, p := range postings {
		p.Quantity = p.Quantity.Neg()
		out = append(out, p)
	}
	return out
}

// settleTrade settles a trade with its parties.
func (w *world) settleTrade(of *ledger.Entry, day ledger.Date) {
	e := &ledger.Entry{Kind: ledger.KindSettle, EffectiveDate: day, Trade: of.Trade, Links: of.Links, State: ledger.TradeSettled}
	for _, p := range of.Postings {
		if p.Bucket == ledger.Unsettled && p.Account != street {
			back, there := p, p
			back.Quantity, there.Bucket = p.Quantity.Neg(), ledger.Settled
			e.Postings = append(e.Postings, back, there)
		}
	}
	w.settle[of.Links.Trade] = w.book(e)
}

func (w *world) isSettled(of *ledger.Entry) bool { return w.settle[of.Links.Trade] != nil }

// cancel cancels a trade; what settled it is reversed first.
func (w *world) cancel(of *ledger.Entry, replaced bool) {
	if s := w.settle[of.Links.Trade]; s != nil {
		r := &ledger.Entry{Kind: ledger.KindReverse, EffectiveDate: s.EffectiveDate, Trade: of.Trade, Links: of.Links, State: ledger.TradeOpen, Postings: negated(s.Postings)}
		r.Links.Reverses = s.ID
		w.book(r)
	}
	c := &ledger.Entry{Kind: ledger.KindCancel, EffectiveDate: of.EffectiveDate, Trade: of.Trade, Links: of.Links, State: ledger.TradeCanceled, Postings: negated(of.Postings)}
	c.Links.Reverses = of.ID
	if replaced {
		c.Links.ReplacedBy = w.next() + 1
	}
	w.book(c)
	for i := range w.live {
		if w.live[i] == of {
			w.live = append(w.live[:i:i], w.live[i+1:]...)
			return
		}
	}
}

func (w *world) correct(of *ledger.Entry, x terms) *ledger.Entry {
	w.cancel(of, true)
	return w.bookTrade(x.entry(), of)
}

// move moves securities between accounts without a price.
func (w *world) move(day ledger.Date, from, to, instrument int64, quantity string, bucket ledger.Bucket, fields map[string]string) {
	q := ledger.MustAmount(quantity)
	w.book(&ledger.Entry{Kind: "journal.security", EffectiveDate: day, Fields: fields, Postings: []ledger.Posting{
		{Account: from, Instrument: instrument, Bucket: bucket, Quantity: q.Neg()}, {Account: to, Instrument: instrument, Bucket: bucket, Quantity: q},
	}})
}

// random books n random events: trades of all sorts, corrections, cancels, settlements, movements, some of them into the past.
func (w *world) random(rng *rand.Rand, n, customers, securities int) {
	day := func() ledger.Date { // mostly today
		d := w.today
		if rng.IntN(5) == 0 {
			d = rng.IntN(w.today + 3)
		}
		return ledger.Date(20240301 + d)
	}
	account := func() int64 {
		if rng.IntN(8) == 0 {
			return firm
		}
		return int64(firstCustomer + rng.IntN(customers))
	}
	decimal := func(whole, digits int) string {
		s := fmt.Sprint(rng.IntN(whole))
		if rng.IntN(2) == 0 {
			s += fmt.Sprintf(".%0*d", digits, rng.IntN(10_000))
		}
		return s
	}
	random := func() terms {
		x := terms{day: day(), account: account(), instrument: int64(firstSecurity + rng.IntN(securities))}
		// Quantities and prices of 10 digits together, so that gross is exact; what closes a part of one at the price of another is not.
		quantity, price := 4, 6
		if rng.IntN(2) == 0 {
			quantity, price = price, quantity
		}
		x.quantity, x.price = decimal(50, quantity), decimal(100, price)
		if ledger.MustAmount(x.quantity).IsZero() {
			x.quantity = "7"
		}
		if rng.IntN(2) == 0 {
			x.quantity = "-" + x.quantity
		}
		if rng.IntN(10) == 0 {
			x.currency = "EUR"
		}
		if rng.IntN(6) == 0 {
			if x.target = account(); x.target == x.account {
				x.target = 0
			}
		}
		return x
	}
	for range n {
		if w.today < 25 && rng.IntN(20) == 0 {
			w.today++
		}
		var of *ledger.Entry
		if len(w.live) > 0 {
			of = w.live[rng.IntN(len(w.live))]
			if rng.IntN(2) == 0 {
				of = w.live[len(w.live)-1-rng.IntN(min(len(w.live), 5))]
			}
		}
		switch k := rng.IntN(20); {
		case k < 3 && of != nil && !w.isSettled(of):
			w.settleTrade(of, max(of.EffectiveDate, day()))
		case k == 3 && of != nil:
			w.cancel(of, false)
		case k == 4 && of != nil:
			x := random()
			if rng.IntN(2) == 0 {
				x.day, x.account, x.instrument = of.EffectiveDate, of.Trade.Account.ID, of.Postings[0].Instrument
				x.target = 0
			}
			e := w.correct(of, x)
			if rng.IntN(2) == 0 {
				w.settleTrade(e, max(e.EffectiveDate, day()))
			}
		case k == 5:
			w.later(random())
		case k == 6:
			fields := []map[string]string{nil, {"cost": decimal(1000, 4)}, {"cost": "12.5", "currency": "EUR"}, {"cost": "much", "currency": "dollars"}}[rng.IntN(4)]
			from, to := account(), account()
			if rng.IntN(2) == 0 {
				to = location
			}
			if rng.IntN(2) == 0 {
				from, to = to, from
			}
			if from != to {
				w.move(day(), from, to, int64(firstSecurity+rng.IntN(securities)), fmt.Sprint(1+rng.IntN(40)), []ledger.Bucket{ledger.Unsettled, ledger.Settled}[rng.IntN(2)], fields)
			}
		default:
			w.trade(random())
		}
	}
}

// newRunner folds a source's journal in chunks of that size.
func newRunner(t testing.TB, pool *pgxpool.Pool, source projections.Source, books positions.Books, chunk int) *projections.Runner {
	t.Helper()
	r, err := projections.New(projections.Config{
		Pool: pool, Source: source, Shard: shard, Projections: []projections.Projection{positions.Projection{Books: books}}, MaxChunkEntries: chunk,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start runs a runner until stop is called, or the test ends.
func start(t testing.TB, r *projections.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// waitFor waits until the projection has everything.
func waitFor(t testing.TB, r *projections.Runner, seq uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := r.WaitFor(ctx, positions.Name, seq); err != nil {
		t.Fatal(err)
	}
}

// verify runs the checker over the journal.
func verify(t testing.TB, pool *pgxpool.Pool, j *foldtest.Journal, books positions.Books) projections.Result {
	t.Helper()
	var results []projections.Result
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(t.Context(), pool, opts, func(tx pgx.Tx) error {
		v, err := projections.NewVerifier(t.Context(), tx, shard, []projections.Projection{positions.Projection{Books: books}})
		if err != nil {
			return err
		}
		for _, e := range j.All() {
			if err := v.Add(t.Context(), e); err != nil {
				return err
			}
		}
		results, err = v.Finish(t.Context())
		return err
	})
	if err != nil || len(results) != 1 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	return results[0]
}
