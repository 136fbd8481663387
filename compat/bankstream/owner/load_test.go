package owner_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream"
)

func trade(account bank.ID, client string) bank.Trade {
	t, err := bank.ReadTrade([]byte(fmt.Sprintf(`{"type": "exchange_trade", "timestamp": 1381132800464, "client_trade_id": %q, "date": 20131008, "account_id": %d,
		"quantity": "7", "price": "10.5", "instrument": {"identifier": "IBM", "identifier_type": "ticker", "country": "USA", "currency": "USD"},
		"side": {"direction": "buy"}, "capacity": "agency", "mic": "XNYS", "exec_mpid": "ABCD", "user_data": {"a": 1}}`, client, account)))
	if err != nil {
		panic(err)
	}
	return t
}

// load runs clients until stop: each books, cancels every third of its trades, and moves cash.
func (w *world) load() (stop func()) {
	var end atomic.Bool
	var clients sync.WaitGroup
	w.mu.Lock()
	run := len(w.done) // names of another run are other names
	w.mu.Unlock()
	for c := range 4 {
		clients.Go(func() {
			for i := 0; !end.Load(); i++ {
				if err := w.write(bank.ID(1+(c+i)%accounts), fmt.Sprintf("r%d-c%d-%d", run, c, i), i); err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		end.Store(true)
		clients.Wait()
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) write(account bank.ID, name string, i int) error {
	ctx := w.t.Context()
	if i%4 == 3 {
		amount, _ := bank.ParseDecimal("12.5")
		err := w.do(ctx, func(ctx context.Context, c *bank.Client) error {
			_, err := c.MoveCash(ctx, bank.Cash{ClientID: name, AccountID: account, Currency: "USD", Amount: amount, Kind: bank.Withdrawal})
			return err
		})
		w.note("withdrawal " + name)
		return err
	}
	booked := trade(account, name)
	if date := w.date.Load(); date != 0 {
		booked.Date = bank.Date(date)
	}
	if account%2 == 0 && i%3 == 1 {
		booked.Type, booked.TargetAccountID, booked.Capacity, booked.MIC, booked.ExecMPID = bank.TransferTrade, account-1, "", "", ""
	}
	err := w.do(ctx, func(ctx context.Context, c *bank.Client) error {
		_, err := c.BookTrades(ctx, []bank.Trade{booked})
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w.note("opened " + name)
	if i%3 == 2 {
		err = w.do(ctx, func(ctx context.Context, c *bank.Client) error {
			return c.CancelTrade(ctx, bank.TradeRef{AccountID: account, ClientTradeID: name})
		})
		if bank.TypeOf(err) == bank.TradeAlreadyCanceled { // its first answer was lost
			err = nil
		}
		w.note("canceled " + name)
	}
	time.Sleep(time.Duration(w.rest.Load()))
	return err
}

// more waits until clients have done some more.
func (w *world) more(n int) {
	w.t.Helper()
	from := w.count()
	w.await(fmt.Sprintf("%d more writes", n), func(context.Context) bool { return w.count() >= from+n })
}

// seen is a record of one of Bank's topics.
type seen struct {
	bank.Event
	topic     string
	partition int32
	stream    bool // the stream's, not Bank's
	value     string
	entry     string // of BK's, where it is the stream's
	at        int64  // the record's time
}

func (s seen) String() string {
	by := "Bank"
	if s.stream {
		by = "the stream"
	}
	name := s.ClientID
	if s.Trade != nil {
		name = s.Trade.ClientTradeID
	}
	return fmt.Sprintf("%s %s (event %d of account %s by %s)", s.Kind, name, s.ID, s.AccountID, by)
}

// read gives all that topics have for who reads committed, in order by partition.
func (w *world) read(topics ...string) (all []seen) {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(w.t.Context(), topics...)
	if err == nil {
		err = ends.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	type place struct {
		topic     string
		partition int32
	}
	left := map[place]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[place{o.Topic, o.Partition}] = o.Offset
		}
	})
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for len(left) > 0 {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			at := place{r.Topic, r.Partition}
			if end, waits := left[at]; !waits || r.Offset >= end {
				return
			} else if r.Offset == end-1 {
				delete(left, at)
			}
			if r.Attrs.IsControl() {
				return
			}
			e, err := bank.ReadEvent(r.Value)
			if err != nil || string(e.AppendJSON(nil)) != string(r.Value) || e.Key() != string(r.Key) {
				w.t.Errorf("%s: %s: %v, or in another spelling", r.Topic, r.Value, err)
			}
			s := seen{Event: e, topic: r.Topic, partition: r.Partition, value: string(r.Value), at: r.Timestamp.UnixMilli()}
			for _, h := range r.Headers {
				if h.Key == bankstream.HeaderEntry {
					s.stream, s.entry = true, s.entry+string(h.Value)
				}
			}
			all = append(all, s)
		})
		if ctx.Err() != nil {
			w.t.Fatalf("the ends of %v were not come to: %v are left", topics, left)
		}
	}
	return all
}

// complete waits until Bank's topics have all that clients have done, and holds them against the promises: nothing is missing, nothing is there twice but what Bank's relay repeated under
// the same id, ids ascend, running totals have no break, and each partition changes hands as often as the topics have, at most. It gives how many events are whose.
func (w *world) complete(changes int) (banks, streams int) {
	w.t.Helper()
	var all []seen
	var lacks string
	w.await("all is on Bank's topics", func(context.Context) bool {
		all = w.read(bank.TopicTrades, bank.TopicCash)
		there := map[string]int{}
		for _, s := range all {
			there[s.what()]++
		}
		lacks = ""
		w.mu.Lock()
		defer w.mu.Unlock()
		for what := range w.done {
			if there[what] == 0 {
				lacks = what
			}
		}
		return lacks == ""
	})
	first := map[int64]seen{}
	last := map[string]int64{}
	positions := map[bank.ID]decimal.Decimal{}
	turns, holder := map[string]int{}, map[string]bool{}
	legs := map[string]int{}
	for _, s := range all {
		at := fmt.Sprint(s.topic, "/", s.partition)
		if was, known := holder[at]; known && was != s.stream {
			turns[at]++
		}
		holder[at] = s.stream
		if before, again := first[s.ID]; again {
			if s.stream || before.stream || string(before.AppendJSON(nil)) != string(s.AppendJSON(nil)) {
				w.t.Errorf("%s: there was %s", s, before)
			}
			continue
		}
		first[s.ID] = s
		lane := s.topic + s.AccountID.String()
		if s.ID <= last[lane] {
			w.t.Errorf("%s came behind event %d", s, last[lane])
		}
		last[lane] = s.ID
		if s.stream {
			streams++
		} else {
			banks++
		}
		legs[fmt.Sprint(s.what(), s.AccountID)]++
		if n := legs[fmt.Sprint(s.what(), s.AccountID)]; n > 1 {
			w.t.Errorf("%s is there %d times", s, n)
		}
		if s.Trade == nil {
			continue
		}
		change := s.Trade.Quantity.Decimal
		if s.Kind == bank.EventSettled {
			change = decimal.Zero
		}
		if s.AccountID != s.Trade.AccountID {
			change = change.Neg()
		}
		if s.Kind == bank.EventCanceled {
			change = change.Neg()
		}
		if p := positions[s.AccountID].Add(change); !p.Equal(s.Position.Decimal) {
			w.t.Errorf("%s: position %s, want %s", s, s.Position, p)
		}
		positions[s.AccountID] = s.Position.Decimal
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range first {
		if s.Kind != bank.EventSettled && !w.done[s.what()] { // a roll settles
			w.t.Errorf("%s: no client did that", s)
		}
	}
	for at, n := range turns {
		if n > changes {
			w.t.Errorf("%s has changed hands %d times, not %d", at, n, changes)
		}
	}
	w.t.Logf("%d writes, %d events by Bank, %d by the stream", len(w.done), banks, streams)
	return banks, streams
}

// what names an event as load does.
func (s seen) what() string {
	if s.Trade != nil {
		return s.Kind + " " + s.Trade.ClientTradeID
	}
	return s.Kind + " " + s.ClientID
}

// relay gives Bank's as it stands.
func (w *world) relay() bank.Relay {
	w.t.Helper()
	relay, err := w.bank.Relay(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return relay
}

// released waits until Bank's relay goes on at topics with a prefix.
func (w *world) released(prefix string) {
	w.t.Helper()
	w.await("Bank's relay goes on at "+prefix+"bank.*", func(ctx context.Context) bool {
		relay, err := w.bank.Relay(ctx)
		return err == nil && !relay.Held && relay.Prefix == prefix
	})
}
