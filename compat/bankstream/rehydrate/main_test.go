package rehydrate_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience of tests on a slow machine.
const patience = 2 * time.Minute

// view is a state in maps.
type view struct {
	holdings map[state.HoldingKey]state.Holding
	trades   map[state.TradeKey]state.Trade
}

func newView() *view {
	return &view{map[state.HoldingKey]state.Holding{}, map[state.TradeKey]state.Trade{}}
}

func (v *view) Holding(k state.HoldingKey) state.Holding { return v.holdings[k] }

func (v *view) SetHolding(k state.HoldingKey, h state.Holding) {
	if v.holdings[k] = h; h.IsZero() {
		delete(v.holdings, k)
	}
}

func (v *view) Trade(k state.TradeKey) (state.Trade, bool) { t, ok := v.trades[k]; return t, ok }
func (v *view) SetTrade(k state.TradeKey, t state.Trade)   { v.trades[k] = t }
func (v *view) DropTrade(k state.TradeKey)                 { delete(v.trades, k) }
func (v *view) same(o *view) bool {
	return maps.Equal(v.holdings, o.holdings) && maps.Equal(v.trades, o.trades)
}
func (v *view) clone() *view { return &view{maps.Clone(v.holdings), maps.Clone(v.trades)} }
func (v *view) String() string {
	return fmt.Sprintf("%d holdings, %d trades", len(v.holdings), len(v.trades))
}

// startBK starts a node of BK that publishes to a broker.
func startBK(t testing.TB, broker string) stage.BK {
	t.Helper()
	dsn := pgtest.New(t)
	at, stop := stage.Await(t, "BK", func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{
			Postgres: dsn, Brokers: []string{broker}, Partitions: partitions, Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", PoolConnections: 16, Log: stage.Log(t),
		}, ready)
	})
	return stage.BK{URL: "http://" + at.API, DSN: dsn, Stop: stop}
}

const partitions = 5

// source is a BK with its events, and the façade's database beside it.
type source struct {
	t      testing.TB
	client *client.Client
	pool   *pgxpool.Pool
	kafka  *kgo.Client
	reader rehydrate.Reader

	records []placed // all that were read, in the order in which they came
	legs    map[int64]int
	whole   int64 // all events of entries up to this one were read
}

// placed is a record and the partition that it is in.
type placed struct {
	rehydrate.Record
	partition int32
	value     []byte
}

func newSource(t testing.TB, broker, bk, db string) *source {
	t.Helper()
	s := &source{t: t, legs: map[int64]int{}}
	var err error
	if s.client, err = client.New(bk); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	if s.pool, err = pgxpool.New(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.pool.Close)
	s.kafka, err = kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics("bk.events.v1"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kafka.Close)
	return s
}

// stream gives the look-ups, with nothing in their caches.
func (s *source) stream() *books.Stream {
	s.t.Helper()
	b, err := books.NewStream(books.StreamConfig{Client: s.client, Pool: s.pool, Log: stage.Log(s.t)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(b.Close)
	return b
}

// read reads until all events of the entries up to one are there, and gives those that are new.
func (s *source) read(upTo int64) []placed {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	from := len(s.records)
	for s.whole < upTo {
		fetches := s.kafka.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			s.t.Fatalf("BK's events end at entry %d of %d: %v", s.whole, upTo, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			p := placed{parse(s.t, &s.reader, r), r.Partition, r.Value}
			s.records = append(s.records, p)
			sequence := p.Entry.Sequence
			if _, known := s.legs[sequence]; !known {
				s.legs[sequence] = p.Legs
			}
			s.legs[sequence]--
		})
		for left, known := s.legs[s.whole+1]; known && left == 0; left, known = s.legs[s.whole+1] {
			delete(s.legs, s.whole+1)
			s.whole++
		}
	}
	return s.records[from:]
}

// parse gives a record of BK's. A reader that has read many reads the same in it.
func parse(t testing.TB, by *rehydrate.Reader, r *kgo.Record) rehydrate.Record {
	t.Helper()
	out := rehydrate.Record{Entry: bothRead(t, by, r.Value)}
	if id, err := strconv.ParseInt(string(r.Key), 10, 64); err == nil {
		out.Account = id
	}
	for _, h := range r.Headers {
		n, _ := strconv.Atoi(string(h.Value)) // the kind is none
		switch h.Key {
		case "bk-leg":
			out.Leg = n
		case "bk-legs":
			out.Legs = n
		}
	}
	return out
}

// translate tells records with a state.
func translate(t testing.TB, to *rehydrate.Translator, v state.View, records []placed) []bank.Event {
	t.Helper()
	var all []bank.Event
	by := &rehydrate.Reader{} // mostly these have been read before: the same again, with what it keeps
	for i, r := range records {
		r.By = by
		if i%3 > 0 {
			var err error
			if r.Entry, err = by.Read(r.value); err != nil {
				t.Fatal(err)
			}
		}
		events, err := to.Apply(t.Context(), v, r.Record)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Trade != nil {
				e.Trade = new(*e.Trade) // it stands for now
			}
			all = append(all, e)
		}
	}
	return all
}

// perAccount gives each account's events as text, in order of their ids; rolled are of account 0. They must ascend as they stand.
func perAccount(t testing.TB, events []bank.Event, text func(*bank.Event) string) map[bank.ID][]string {
	t.Helper()
	last, out := map[bank.ID]int64{}, map[bank.ID][]string{}
	for i := range events {
		e := &events[i]
		if e.ID <= last[e.AccountID] {
			t.Fatalf("account %d: event %d follows %d", e.AccountID, e.ID, last[e.AccountID])
		}
		last[e.AccountID] = e.ID
		out[e.AccountID] = append(out[e.AccountID], text(e))
	}
	return out
}

// whole is an event's text.
func whole(e *bank.Event) string { return string(e.AppendJSON(nil)) }

// compared is an event's text without what differs between two systems.
func compared(e *bank.Event) string {
	c := *e
	c.ID, c.At = 0, 0
	return whole(&c)
}

// brief is the part of an event that a table can hold.
func brief(e *bank.Event) string {
	switch {
	case e.Kind == bank.EventRolled:
		return fmt.Sprintf("rolled %d-%d", e.From, e.To)
	case e.Trade == nil:
		return fmt.Sprintf("%s %d %s on %d: cash %d %q %s, %s/%s", e.Kind, e.AccountID, e.Currency, e.BusinessDate, e.CashID, e.ClientID, e.Amount, e.Balance, e.SettledBalance)
	}
	s := fmt.Sprintf("%s %d %s on %d: %s %s/%s, %s/%s", e.Kind, e.AccountID, e.Trade.ClientTradeID, e.BusinessDate, e.Trade.State,
		e.Position, e.SettledPosition, e.Balance, e.SettledBalance)
	if e.Trade.Replaces != nil {
		s += " for " + e.Trade.Replaces.String()
	}
	if e.Trade.ReplacedBy != nil {
		s += " by " + e.Trade.ReplacedBy.String()
	}
	return s
}

// world is a BK with its events, books in which things are done, and a translator that has read all so far.
type world struct {
	*source
	*books.Ledger
	ids    *books.IDs
	lookup *books.Stream
	to     *rehydrate.Translator
	v      *view
	number int
}

// newWorld starts with the accounts 1 to 4 of entity 1, in a mode.
func newWorld(t testing.TB, in mode.Mode) *world {
	t.Helper()
	broker, db := kafkatest.New(t).Addr(), pgtest.New(t)
	bk := startBK(t, broker)
	if err := schema.Up(t.Context(), db, nil); err != nil {
		t.Fatal(err)
	}
	w := &world{source: newSource(t, broker, bk.URL, db), ids: books.NewIDs(), v: newView()}
	var err error
	w.Ledger, err = books.New(books.Config{Client: w.client, Pool: w.pool, IDs: w.ids, Log: stage.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Ledger.Close)
	w.enter(in, 1, 1000, 2000)
	if _, err := w.CreateEntity(t.Context(), bank.Entity{EntityID: 1, ClientCode: "ONE", LegalName: "One Inc."}); err != nil {
		t.Fatal(err)
	}
	for id := bank.ID(1); id <= 4; id++ {
		if created, err := w.CreateAccount(t.Context(), bank.NewAccount{AccountID: id, EntityID: 1, Name: "Ann"}); err != nil || !created {
			t.Fatalf("account %d: %t, %v", id, created, err)
		}
	}
	w.lookup = w.stream()
	w.to = rehydrate.New(w.lookup)
	return w
}

// enter makes a mode the one in force from an entry on.
func (w *world) enter(in mode.Mode, first, tradeBase, cashBase int64) {
	w.t.Helper()
	_, err := w.pool.Exec(w.t.Context(), `INSERT INTO facade.mode (epoch, mode, who, why, first_sequence, trade_id_base, cash_id_base)
		SELECT coalesce(max(epoch), 0) + 1, $1, 'test', 'test', $2, $3, $4 FROM facade.mode`, in, first, tradeBase, cashBase)
	if err != nil {
		w.t.Fatal(err)
	}
	history, err := mode.History(w.t.Context(), w.pool)
	if err != nil {
		w.t.Fatal(err)
	}
	w.ids.Update(books.Minted(history))
	w.Forget()
}

// head is the last entry of BK's journal.
func (w *world) head() int64 {
	w.t.Helper()
	place, err := w.ReplayPlace(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return int64(place.LastEventID)
}

// events tells what is new, by id.
func (w *world) events() []bank.Event {
	w.t.Helper()
	events := translate(w.t, w.to, w.v, w.read(w.head()))
	slices.SortFunc(events, func(a, b bank.Event) int { return int(a.ID - b.ID) })
	return events
}

// says makes sure of what is new. The last event of each trade must have it as it now stands.
func (w *world) says(what string, want ...string) {
	w.t.Helper()
	var got []string
	last := map[bank.ID]*bank.StoredTrade{}
	for _, e := range w.events() {
		got = append(got, brief(&e))
		if e.Trade != nil {
			last[e.Trade.TradeID] = e.Trade
		}
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("%s:\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	for id, trade := range last {
		now, err := w.Trade(w.t.Context(), bank.TradeRef{TradeID: id})
		if err != nil || string(now.AppendJSON(nil)) != string(trade.AppendJSON(nil)) {
			w.t.Errorf("%s: trade %d is %s (%v), its last event has %s", what, id, now.AppendJSON(nil), err, trade.AppendJSON(nil))
		}
	}
}

// trade reads a trade of account 1: 100 IBM bought at 10 on 20131007, with what fields say (JSON members) instead.
func (w *world) trade(fields string) bank.Trade {
	w.t.Helper()
	w.number++
	text := "{" + fields
	for _, f := range []struct{ name, value string }{
		{"type", `"exchange_trade"`}, {"timestamp", `1381132800464`}, {"client_trade_id", fmt.Sprintf(`"T%d"`, w.number)}, {"date", `20131007`}, {"account_id", `1`},
		{"quantity", `"100"`}, {"price", `"10"`}, {"instrument", `{"identifier":"IBM","identifier_type":"ticker","country":"USA","currency":"USD"}`},
		{"side", `{"direction":"buy"}`}, {"capacity", `"agency"`}, {"mic", `"XNYS"`}, {"exec_mpid", `"ABCD"`},
	} {
		if !strings.Contains(fields, `"`+f.name+`":`) {
			if len(text) > 1 {
				text += ","
			}
			text += `"` + f.name + `":` + f.value
		}
	}
	trade, err := bank.ReadTrade([]byte(text + "}"))
	if err != nil {
		w.t.Fatalf("%s}: %v", text, err)
	}
	return trade
}

// book books trades in one call and gives Bank's ids of them.
func (w *world) book(trades ...bank.Trade) []bank.ID {
	w.t.Helper()
	booked, err := w.BookTrades(w.t.Context(), trades)
	if err != nil {
		w.t.Fatalf("book: %v", err)
	}
	ids := make([]bank.ID, len(booked))
	for i, b := range booked {
		ids[i] = b.TradeID
	}
	return ids
}

func (w *world) cancel(id bank.ID) {
	w.t.Helper()
	if err := w.CancelTrade(w.t.Context(), bank.TradeRef{TradeID: id}); err != nil {
		w.t.Fatalf("cancel %d: %v", id, err)
	}
}

func (w *world) roll(to bank.Date) {
	w.t.Helper()
	if err := w.Roll(w.t.Context(), to); err != nil {
		w.t.Fatalf("roll to %d: %v", to, err)
	}
}

func (w *world) cash(kind, client string, account, target bank.ID, amount string) bank.ID {
	w.t.Helper()
	d, err := bank.ParseDecimal(amount)
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := w.MoveCash(w.t.Context(), bank.Cash{ClientID: client, AccountID: account, TargetAccountID: target, Currency: "USD", Amount: d, Kind: kind})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// own books a command of BK's own users.
func (w *world) own(command *bkv1.Command) *bkv1.Receipt {
	w.t.Helper()
	answer, err := w.client.Booking.BookBatch(w.t.Context(), connect.NewRequest(&bkv1.BookBatchRequest{
		Mode: bkv1.BatchMode_BATCH_MODE_ATOMIC, Commands: []*bkv1.Command{command},
	}))
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.Msg.Results[0].GetReceipt()
}
