package node_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/node"
)

// testConfig is a node on free ports; its log goes to the test's.
func testConfig(t *testing.T, dsn string, brokers ...string) node.Config {
	t.Helper()
	return node.Config{
		Postgres: dsn, Brokers: brokers, Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", ReplicationFactor: 1,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// running is a node in this process.
type running struct {
	*caller
	t    *testing.T
	stop context.CancelFunc
	done chan struct{}
	err  error // after done
}

// launch starts a node without waiting until it is ready.
func launch(t *testing.T, cfg node.Config) (r *running, ready <-chan node.Addresses) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r = &running{t: t, stop: cancel, done: make(chan struct{})}
	addresses := make(chan node.Addresses, 1)
	go func() {
		defer close(r.done)
		r.err = node.Run(ctx, cfg, func(at node.Addresses) { addresses <- at })
	}()
	t.Cleanup(func() { r.end() })
	return r, addresses
}

func start(t *testing.T, cfg node.Config) *running {
	t.Helper()
	r, ready := launch(t, cfg)
	select {
	case at := <-ready:
		r.caller = newCaller(t, at)
	case <-r.done:
		t.Fatalf("the node ended: %v", r.err)
	case <-time.After(30 * time.Second):
		t.Fatal("the node is not ready after 30 s")
	}
	return r
}

// end stops the node and checks that it ends cleanly and in time.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	select {
	case <-r.done:
		if r.err != nil {
			r.t.Errorf("the node ended with: %v", r.err)
		}
	case <-time.After(30 * time.Second):
		r.t.Error("the node did not stop within 30 s")
	}
}

// caller talks to a node.
type caller struct {
	*client.Client
	metrics string
}

func newCaller(t *testing.T, at node.Addresses) *caller {
	t.Helper()
	c, err := client.New("http://" + at.API)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &caller{c, "http://" + at.Metrics}
}

// get asks the metrics listener.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// eventually asks until the answer is yes, or fails.
func eventually(t *testing.T, within time.Duration, what string, ask func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !ask() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, within)
		}
		time.Sleep(20 * time.Millisecond) // the pace of asking
	}
}

// define opens the accounts 100001 and 100002 and lists XYZ.
func (c *caller) define(t *testing.T) {
	t.Helper()
	for _, id := range []int64{100001, 100002} {
		_, err := c.Directory.CreateAccount(t.Context(), connect.NewRequest(&bkv1.CreateAccountRequest{
			Account: &bkv1.Account{Id: id, Code: fmt.Sprintf("cust:%d", id), Entity: 1}}))
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []*bkv1.Identifier{
		{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_CURRENCY, Value: "USD"},
		xyz(),
	} {
		_, err := c.Directory.CreateInstrument(t.Context(), connect.NewRequest(&bkv1.CreateInstrumentRequest{
			Instrument: &bkv1.Instrument{Identifiers: []*bkv1.Identifier{id}}}))
		if err != nil {
			t.Fatal(err)
		}
	}
}

func xyz() *bkv1.Identifier {
	return &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: "XYZ", Country: "USA", Currency: "USD"}
}

// buy is 100 XYZ at 10 for account 100001.
func buy(key string) *bkv1.Command {
	return &bkv1.Command{Key: key, TradeDate: 20250303, Command: &bkv1.Command_Trade{Trade: &bkv1.Trade{
		Type: bkv1.TradeType_TRADE_TYPE_EXCHANGE, ExecutedAt: timestamppb.New(time.Date(2025, 3, 3, 15, 0, 0, 0, time.UTC)),
		ClientTradeId: key, Account: &bkv1.AccountRef{Id: 100001}, Direction: bkv1.Direction_DIRECTION_BUY,
		Quantity: "100", Price: "10", Instrument: xyz(), Capacity: bkv1.Capacity_CAPACITY_AGENCY, Mic: "XNYS", ExecMpid: "BKLG",
	}}}
}

// book books a trade and gives its receipt.
func (c *caller) book(ctx context.Context, key string) (*bkv1.Receipt, error) {
	m := buy(key)
	answer, err := c.Booking.BookTrade(ctx, connect.NewRequest(&bkv1.BookTradeRequest{Key: m.Key, TradeDate: m.TradeDate, Trade: m.GetTrade()}))
	if err != nil {
		return nil, err
	}
	return answer.Msg.Receipt, nil
}

func (c *caller) mustBook(t *testing.T, key string) *bkv1.Receipt {
	t.Helper()
	r, err := c.book(t.Context(), key)
	if err != nil {
		t.Fatalf("book %s: %s", key, client.Describe(err))
	}
	return r
}

// position is what account 100001 has of XYZ, as of a token at least.
func (c *caller) position(t *testing.T, token string) string {
	t.Helper()
	answer, err := c.Query.ListBalances(t.Context(), connect.NewRequest(&bkv1.ListBalancesRequest{
		Account: &bkv1.AccountRef{Id: 100001}, InstrumentKind: bkv1.InstrumentKind_INSTRUMENT_KIND_SECURITY, AtLeast: token}))
	if err != nil {
		t.Fatalf("list balances: %s", client.Describe(err))
	}
	if len(answer.Msg.Balances) != 1 {
		t.Fatalf("%d balances, not one", len(answer.Msg.Balances))
	}
	return answer.Msg.Balances[0].TradeDate
}

// has reports whether the journal has an entry under the key.
func (c *caller) has(t *testing.T, key string) bool {
	t.Helper()
	_, err := c.Query.GetEntry(t.Context(), connect.NewRequest(&bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Key{Key: key}}))
	if err != nil && client.Reason(err) != "entry_not_found" {
		t.Fatalf("get %s: %s", key, client.Describe(err))
	}
	return err == nil
}

// leads asks the node whether it leads.
func (c *caller) leads(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := c.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
	return err == nil && s.Msg.Leading
}

// awaitPublished waits until everything is in Kafka.
func (c *caller) awaitPublished(t *testing.T) {
	t.Helper()
	eventually(t, 20*time.Second, "everything is published", func() bool {
		s, err := c.Admin.Status(t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
		return err == nil && s.Msg.Publisher.GetSequence() > 0 && s.Msg.Publisher.GetLag() == 0
	})
}

// verified lets the node prove its books and gives the findings by check.
func (c *caller) verified(t *testing.T) map[string]*bkv1.VerifyFinding {
	t.Helper()
	stream, err := c.Admin.Verify(t.Context(), connect.NewRequest(&bkv1.VerifyRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	findings, ok := map[string]*bkv1.VerifyFinding{}, false
	for stream.Receive() {
		if f := stream.Msg().GetFinding(); f != nil {
			findings[f.Check] = f
			if !f.Ok {
				t.Errorf("%s: %s", f.Check, f.What)
			}
		}
		if s := stream.Msg().GetSummary(); s != nil {
			ok = s.Ok
		}
	}
	if err := stream.Err(); err != nil || !ok {
		t.Errorf("the books do not hold (%v)", err)
	}
	return findings
}

// awaitEvent consumes the events until there is one of the key.
func awaitEvent(t *testing.T, broker, key string, access ...kgo.Opt) *bkv1.Entry {
	t.Helper()
	consumer, err := kgo.NewClient(append(access, kgo.SeedBrokers(broker), kgo.ConsumeTopics("bk.events.v1"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		for _, r := range consumer.PollFetches(ctx).Records() {
			var e bkv1.Event
			if err := proto.Unmarshal(r.Value, &e); err != nil {
				t.Fatalf("an event can't be read: %v", err)
			}
			if e.Entry.Key == key {
				return e.Entry
			}
		}
	}
	t.Fatalf("no event of %s", key)
	return nil
}

// reasons joins the fields of all violations.
func reasons(err error) string {
	var all []string
	for _, v := range node.Violations(err) {
		all = append(all, v.Field)
	}
	return strings.Join(all, " ")
}
