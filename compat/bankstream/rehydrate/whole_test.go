package rehydrate_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/twmb/franz-go/pkg/kgo"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

var (
	requests = flag.Int("requests", 600, "requests that TestWhole makes in each mode")
	seed     = flag.Uint64("seed", 1, "seed of what is drawn")
)

// TestWhole plays generated traffic through both dual modes, with a step back and forth in the middle of one, and rolls until all has settled. What the translator makes of
// BK's events must be what Bank has published itself: for each account the same events in the same order, equal in everything but their ids and the time of
// the work.
func TestWhole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		modes []mode.Mode // what is played is shared among them
	}{
		{"Bank decides", []mode.Mode{mode.BankPrimary}},
		{"BK decides", []mode.Mode{mode.BKPrimary}},
		{"there and back", []mode.Mode{mode.BankPrimary, mode.BKPrimary, mode.BankPrimary}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSet(t, test.modes[0])
			day := bank.Date(20131007)
			for i, in := range test.modes {
				if i > 0 {
					if err := s.facade.Switch(t.Context(), in); err != nil {
						t.Fatal(err)
					}
				}
				day = s.play(uint64(i), *requests/len(test.modes), day)
			}
			s.settle(day)
			s.compare()
			s.replays()
			s.interleaved()
		})
	}
}

// set is a Bank and a BK that both publish, and a façade before them.
type set struct {
	*source
	broker string
	bank   *bank.Client
	target contract.Target
	facade stage.Facade
	client *bank.Client // of the façade

	want map[bank.ID][]string // Bank's events by account, as they are compared
	got  map[bank.ID][]string // the translator's, whole
	end  *view
}

func newSet(t *testing.T, in mode.Mode) *set {
	t.Helper()
	broker, dsn := kafkatest.New(t).Addr(), pgtest.New(t)
	at, _ := stage.Await(t, "Bank", func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{
			DSN: dsn, Brokers: []string{broker}, Partitions: 3, Connections: 8, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", Log: stage.Log(t),
		}, ready)
	})
	s := &set{broker: broker, target: contract.Target{API: "http://" + at.API, Operations: "http://" + at.Operations}}
	bk := startBK(t, broker)
	s.facade = stage.StartFacade(t, facade.Config{Bank: s.target.API, BankOperations: s.target.Operations, BK: bk.URL, Mode: in})
	s.source = newSource(t, broker, bk.URL, s.facade.DSN)
	var err error
	if s.bank, err = bank.NewClient(bank.ClientConfig{API: s.target.API, Operations: s.target.Operations}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bank.Close)
	if s.client, err = bank.NewClient(bank.ClientConfig{API: s.facade.API, Operations: s.facade.Operations}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	return s
}

// play plays a share of the traffic, from a day on, with accounts and clients' ids of its own beside those of other shares, and gives the business date at its end: what
// clients do before they roll counts on that is in force.
func (s *set) play(share uint64, requests int, day bank.Date) bank.Date {
	s.t.Helper()
	rolls := 2 + requests/300
	played, err := shadow.Play(s.t.Context(), shadow.Traffic{
		Target: shadow.System{Name: "façade", API: s.facade.API, Operations: s.facade.Operations}, Seed: *seed*100 + share, Requests: max(100, requests), Clients: 8,
		Rolls: rolls, Accounts: 12 + requests/100, FirstAccount: bank.ID(500_001 + 1000*share), Entity: bank.ID(500 + share), FirstDay: day,
	})
	if err != nil || played.Surprised > 0 || played.Unknown > 0 || played.Lost > 0 || len(played.Trades) == 0 {
		s.t.Fatalf("played: %v\n%s", err, played)
	}
	s.t.Log(played)
	now, err := s.client.BusinessDate(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return now
}

// settle rolls until nothing is left to settle, but for what trades when-issued, and waits until both systems have done the same.
func (s *set) settle(day bank.Date) {
	s.t.Helper()
	for _, to := range []bank.Date{addDays(day, 1), addDays(day, 4), addDays(day, 60)} {
		if err := s.client.Roll(s.t.Context(), to); err != nil {
			s.t.Fatal(err)
		}
	}
	s.drain()
}

func (s *set) drain() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.facade.Drained(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// published reads all that Bank has published.
func (s *set) published() []bank.Event {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	place, err := s.bank.ReplayPlace(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	kafka, err := kgo.NewClient(kgo.SeedBrokers(s.broker), kgo.ConsumeTopics(bank.TopicTrades, bank.TopicCash, bank.TopicBusinessDate),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		s.t.Fatal(err)
	}
	defer kafka.Close()
	var events []bank.Event
	seen := map[int64]bool{}
	for !seen[int64(place.LastEventID)] || len(seen) < int(place.LastEventID) {
		fetches := kafka.PollFetches(ctx)
		if ctx.Err() != nil {
			s.t.Fatalf("%d of Bank's %d events are published", len(seen), place.LastEventID)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			e, err := bank.ReadEvent(r.Value)
			if err != nil || !bytes.Equal(e.AppendJSON(nil), r.Value) || e.Topic() != r.Topic || e.Key() != string(r.Key) {
				s.t.Fatalf("%s under %q: %s is read as %s (%v)", r.Topic, r.Key, r.Value, e.AppendJSON(nil), err)
			}
			if !seen[e.ID] {
				seen[e.ID] = true
				events = append(events, e)
			}
		})
	}
	slices.SortFunc(events, func(a, b bank.Event) int { return int(a.ID - b.ID) })
	return events
}

// compare compares what the translator says with what Bank has published.
func (s *set) compare() {
	s.t.Helper()
	published := s.published()
	s.want = perAccount(s.t, published, compared)
	to := rehydrate.New(s.stream())
	s.end = newView()
	began := time.Now()
	records := s.read(s.headOfBK())
	read := time.Since(began)
	began = time.Now()
	events := translate(s.t, to, s.end, records)
	took := time.Since(began)
	s.got = perAccount(s.t, events, whole)
	s.t.Logf("%d events of Bank's, %d of %d records read in %s and told in %s with empty caches; %s; silent %+v", len(published), len(events), len(records), read.Round(time.Millisecond),
		took.Round(time.Millisecond), s.end, to.Silent())
	kinds := map[string]int{}
	for i := range events {
		kinds[events[i].Kind]++
	}
	s.t.Log(kinds)
	for _, kind := range []string{bank.EventBooked, bank.EventOpened, bank.EventSettled, bank.EventCanceled, bank.EventRolled, bank.Deposit, bank.Withdrawal, bank.CashJournal} {
		if kinds[kind] == 0 {
			s.t.Errorf("no event is %s", kind)
		}
	}
	told := perAccount(s.t, events, compared)
	differing := 0
	for account, want := range s.want {
		got := told[account]
		for i := range max(len(got), len(want)) {
			g, w := "nothing", "nothing"
			if i < len(got) {
				g = got[i]
			}
			if i < len(want) {
				w = want[i]
			}
			if g != w {
				if differing++; differing <= 5 {
					s.t.Errorf("account %d, event %d:\n  Bank %s\n  told %s", account, i, w, g)
				}
				break // whatever follows is shifted
			}
		}
	}
	if differing > 0 || len(told) != len(s.want) || len(events) != len(published) {
		s.t.Errorf("%d accounts differ; %d accounts, Bank has %d; %d events, Bank has %d", differing, len(told), len(s.want), len(events), len(published))
	}
	if silent := to.Silent(); silent.Unnamed != 0 || silent.Foreign != 0 {
		s.t.Errorf("silent: %+v", silent)
	}
}

func (s *set) headOfBK() int64 {
	s.t.Helper()
	status, err := s.source.client.Admin.Status(s.t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		s.t.Fatal(err)
	}
	var shard, sequence int64
	if _, err := fmt.Sscanf(status.Msg.Head, "%d:%d", &shard, &sequence); err != nil {
		s.t.Fatal(err)
	}
	return sequence
}

// replays tells everything once more, by another translator, and wants the same bytes.
func (s *set) replays() {
	s.t.Helper()
	v := newView()
	again := perAccount(s.t, translate(s.t, rehydrate.New(s.stream()), v, s.records), whole)
	s.same("a replay from the beginning", again, v)
}

// interleaved tells the partitions in random interleavings, each with a state of its own, and wants the same bytes for each account.
func (s *set) interleaved() {
	s.t.Helper()
	to := rehydrate.New(s.stream())
	for round := range 5 {
		dice := rand.New(rand.NewPCG(*seed, uint64(round)))
		var left [partitions][]placed
		var views [partitions]*view
		for p := range views {
			views[p] = newView()
		}
		for _, r := range s.records {
			left[r.partition] = append(left[r.partition], r)
		}
		var events []bank.Event
		for open := len(s.records); open > 0 && round > 0; {
			p := dice.IntN(partitions)
			n := min(len(left[p]), 1+dice.IntN(50))
			events = append(events, translate(s.t, to, views[p], left[p][:n])...)
			left[p] = left[p][n:]
			open -= n
		}
		if round == 0 { // all at once, with empty caches
			var told [partitions][]bank.Event
			var running sync.WaitGroup
			for p := range partitions {
				running.Go(func() {
					for _, r := range left[p] {
						one, err := to.Apply(s.t.Context(), views[p], r.Record)
						if err != nil {
							s.t.Error(err)
							return
						}
						told[p] = append(told[p], one...)
					}
				})
			}
			running.Wait()
			events = slices.Concat(told[:]...)
		}
		all := newView()
		for _, v := range views {
			for k, h := range v.holdings {
				all.holdings[k] = h
			}
			for k, trade := range v.trades {
				all.trades[k] = trade
			}
		}
		s.same(fmt.Sprintf("interleaving %d", round), perAccount(s.t, events, whole), all)
	}
}

func (s *set) same(what string, told map[bank.ID][]string, end *view) {
	s.t.Helper()
	if len(told) != len(s.got) {
		s.t.Errorf("%s: %d accounts instead of %d", what, len(told), len(s.got))
	}
	for account, got := range told {
		if !slices.Equal(got, s.got[account]) {
			s.t.Errorf("%s: account %d is told\n%s\nfirst it was\n%s", what, account, strings.Join(got, "\n"), strings.Join(s.got[account], "\n"))
			return
		}
	}
	if !end.same(s.end) {
		s.t.Errorf("%s: the state is another at the end: %s instead of %s", what, end, s.end)
	}
}

func addDays(day bank.Date, n int) bank.Date {
	at := time.Date(int(day/10000), time.Month(day/100%100), int(day%100), 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
	return bank.Date(at.Year()*10000 + int(at.Month())*100 + at.Day())
}
