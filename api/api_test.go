package api_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bkledger/bk/api"
	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger/dayroll"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/trades"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// books is a served ledger with USD, AAPL, two customers and the house accounts of a cash deposit.
type books struct {
	*client.Client
	url     string
	server  *api.Server
	journal *journal.Journal
}

// serve starts a ledger on a database of its own and the API in front of it.
func serve(t testing.TB, change ...func(*api.Config)) *books {
	t.Helper()
	b := serveEmpty(t, change...)
	for _, code := range []string{"cust:100018", "cust:100019", "location:bank"} {
		if _, err := b.Directory.CreateAccount(t.Context(), connect.NewRequest(&bkv1.CreateAccountRequest{Account: &bkv1.Account{Code: code}})); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []*bkv1.Identifier{usd(), ticker("AAPL")} {
		in := &bkv1.Instrument{Identifiers: []*bkv1.Identifier{id}}
		if _, err := b.Directory.CreateInstrument(t.Context(), connect.NewRequest(&bkv1.CreateInstrumentRequest{Instrument: in})); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func serveEmpty(t testing.TB, change ...func(*api.Config)) *books {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	var roller *dayroll.Roller
	j, err := journal.Open(t.Context(), journal.Config{
		DSN: pgtest.New(t), Log: log, PoolConnections: 24, Term: func(ctx context.Context, _ *journal.Journal) { roller.Run(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	runner, err := projections.New(projections.Config{
		Pool: j.Pool(), Source: j, Projections: api.Projections(j.Directory()), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	roller = dayroll.New(dayroll.Config{Journal: j, Due: trades.NewReader(runner, j, j.Directory()), Cuts: daily.NewReader(runner, j), Log: log})
	go func() { ended <- j.Run(ctx) }()
	go func() { ended <- runner.Run(ctx) }()
	cfg := api.Config{
		Journal: j, Runner: runner, Roll: roller.Roll, Version: "test", Log: log,
	}
	for _, c := range change {
		c(&cfg)
	}
	server, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	httpServer := api.NewHTTPServer(server, cfg.Limits)
	go func() { _ = httpServer.Serve(listener) }()
	b := &books{url: "http://" + listener.Addr().String(), server: server, journal: j}
	if b.Client, err = client.New(b.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = httpServer.Close()
		b.Close()
		cancel()
		for range 2 {
			if err := <-ended; err != nil && !t.Failed() {
				t.Error(err)
			}
		}
		j.Close()
	})
	eventually(t, "the journal leads", j.Leading)
	return b
}

// eventually waits for a condition, and fails the test after a while.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func usd() *bkv1.Identifier {
	return &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_CURRENCY, Value: "USD"}
}

func ticker(symbol string) *bkv1.Identifier {
	return &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: symbol, Country: "USA", Currency: "USD"}
}

func account(code string) *bkv1.AccountRef { return &bkv1.AccountRef{Code: code} }

// buy is a good trade: 100 AAPL at 167.41.
func buy() *bkv1.Trade {
	return &bkv1.Trade{
		Type: bkv1.TradeType_TRADE_TYPE_EXCHANGE, ExecutedAt: timestamppb.New(time.Unix(1381132800, 464e6)),
		Account: account("cust:100018"), Direction: bkv1.Direction_DIRECTION_BUY, Quantity: "100", Price: "167.41",
		Instrument: ticker("AAPL"), Capacity: bkv1.Capacity_CAPACITY_AGENCY, Mic: "XNYS", ExecMpid: "ABCD",
	}
}

// buying is a good request to book it.
func buying(key string) *bkv1.BookTradeRequest {
	return &bkv1.BookTradeRequest{Key: key, TradeDate: 20131007, Trade: buy()}
}

// buyCommand is the same as a command.
func buyCommand(key string) *bkv1.Command {
	return &bkv1.Command{Key: key, TradeDate: 20131007, Command: &bkv1.Command_Trade{Trade: buy()}}
}

// deposit is a good request to book postings: 250 USD to a customer.
func deposit(key string) *bkv1.BookEntryRequest {
	return &bkv1.BookEntryRequest{Key: key, Entry: &bkv1.NewEntry{Postings: []*bkv1.NewPosting{
		{Account: account("cust:100018"), Instrument: usd(), Quantity: "250"},
		{Account: account("location:bank"), Instrument: usd(), Quantity: "-250"},
	}}}
}

// book books a trade that must be accepted.
func (b *books) book(t testing.TB, req *bkv1.BookTradeRequest) *bkv1.Receipt {
	t.Helper()
	res, err := b.Booking.BookTrade(t.Context(), connect.NewRequest(req))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg.Receipt
}

// refused checks an error's code, reason and field.
func refused(t testing.TB, err error, code connect.Code, reason, field string) {
	t.Helper()
	d := client.Detail(err)
	if connect.CodeOf(err) != code || err == nil || d.GetReason() != reason || d.GetField() != field || d.GetMessage() == "" {
		t.Errorf("got %v with %v\nwant %s, %s of %q", err, d, code, reason, field)
	}
}

var _ http.Handler = (*api.Server)(nil)
