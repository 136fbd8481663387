package loader_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/loader"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/api/tradefile"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const header = "type,timestamp,client_trade_id,date,account_id,quantity,price,instrument.identifier,instrument.identifier_type," +
	"instrument.country,instrument.currency,side.direction,capacity,mic,exec_mpid,cancel_trade_id\n"

// trade is a row of a trade file.
func trade(id string, account int, quantity, replaces string) string {
	return fmt.Sprintf("exchange_trade,1381132800464,%s,20131007,%d,%s,10,IBM,ticker,USA,USD,buy,agency,XNYS,CLST,%s\n", id, account, quantity, replaces)
}

// serve runs a node on address and gives its address and a way to end it.
func serve(t testing.TB, dsn, address string) (at string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan node.Addresses, 1), make(chan error, 1)
	go func() {
		done <- node.Run(ctx, node.Config{
			Postgres: dsn, Listen: address, MetricsListen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
		}, func(a node.Addresses) { ready <- a })
	}()
	ended := false
	stop = func() {
		cancel()
		if ended {
			return
		}
		ended = true
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the node ended with %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the node did not stop within 30 s")
		}
	}
	t.Cleanup(stop)
	select {
	case a := <-ready:
		return a.API, stop
	case err := <-done:
		ended = true
		t.Fatalf("the node ended with %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the node is not ready after 30 s")
	}
	return "", nil
}

func dial(t testing.TB, at string) *client.Client {
	t.Helper()
	c, err := client.New("http://" + at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// load books a file and gives what was rejected.
func load(t testing.TB, cfg loader.Config, kind tradefile.Kind, file io.Reader) (loader.Totals, []string, error) {
	t.Helper()
	var rejects []string
	cfg.OnReject = func(e *tradefile.RowError) { rejects = append(rejects, e.Error()) }
	l, err := loader.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tradefile.NewReader(file, "f.csv", kind)
	if err != nil {
		t.Fatal(err)
	}
	err = l.Load(t.Context(), r)
	return l.Totals(), rejects, err
}

func wantTotals(t *testing.T, got loader.Totals, rows, booked, repeats, rejected int64) {
	t.Helper()
	if want := (loader.Totals{Rows: rows, Booked: booked, Repeats: repeats, Rejected: rejected, Token: got.Token}); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
}

// quantity is what an account has of IBM.
func quantity(t *testing.T, c *client.Client, account int64, token string) string {
	t.Helper()
	res, err := c.Query.ListBalances(t.Context(), connect.NewRequest(&bkv1.ListBalancesRequest{
		Account: &bkv1.AccountRef{Id: account}, InstrumentKind: bkv1.InstrumentKind_INSTRUMENT_KIND_SECURITY, AtLeast: token,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Msg.Balances) != 1 {
		t.Fatalf("balances %v", res.Msg.Balances)
	}
	return res.Msg.Balances[0].TradeDate
}

func TestLoad(t *testing.T) {
	t.Parallel()
	at, _ := serve(t, pgtest.New(t), "127.0.0.1:0")
	c := dial(t, at)
	cfg := loader.Config{Client: c, CreateMissing: true, Entities: 50, BatchRows: 3}
	file := header +
		trade("A", 100001, "100", "") +
		trade("A", 100001, "100.0", "") + // the same
		trade("A", 100001, "101", "") + // line 4: a conflict
		trade("B", 100001, "30", "A") + // a correction, of a trade in another batch
		trade("C", 100001, "7", "A") + // only linked
		trade("D", 100001, "x", "") + // line 7
		"broken\n" +
		trade("E", 100002, "5", "nothing") + // line 9
		trade("F", 100002, "-1", "") // line 10
	totals, rejects, err := load(t, cfg, tradefile.Trades, strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	wantTotals(t, totals, 9, 3, 1, 5)
	for i, want := range []string{
		"f.csv:4: client_trade_id: ", "f.csv:7: quantity: ", "f.csv:8: 1 fields", "f.csv:9: cancel_trade_id: ", "f.csv:10: quantity: ",
	} {
		if i >= len(rejects) || !strings.HasPrefix(rejects[i], want) {
			t.Errorf("rejected %q, want %q at %d", rejects, want, i)
		}
	}
	if got := quantity(t, c, 100001, totals.Token); got != "37" {
		t.Errorf("the account has %s, want 37", got)
	}
	account, err := c.Directory.GetAccount(t.Context(), connect.NewRequest(&bkv1.GetAccountRequest{Account: &bkv1.AccountRef{Id: 100002}}))
	if err != nil || account.Msg.Account.Code != "cust:100002" || account.Msg.Account.Entity != 2 {
		t.Errorf("account %v, %v", account, err)
	}

	again, _, err := load(t, cfg, tradefile.Trades, strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	wantTotals(t, again, 9, 0, 4, 5)

	cancels := "account,trade_id,by_client_id\n100001,B,true\n100002,B,true\n100001,B,true\n100001,A,true\n"
	totals, rejects, err = load(t, cfg, tradefile.Cancels, strings.NewReader(cancels))
	if err != nil {
		t.Fatal(err)
	}
	wantTotals(t, totals, 4, 1, 1, 2)
	if !strings.Contains(rejects[0], "f.csv:3: trade_id: ") || !strings.Contains(rejects[1], "(trade_already_canceled)") {
		t.Errorf("rejected %q", rejects)
	}
	if got := quantity(t, c, 100001, totals.Token); got != "7" {
		t.Errorf("the account has %s, want 7", got)
	}
}

// cancel_trade_id is a client's id first and a trade id second, also where later rows of the same batch depend on it.
func TestReplaceByTradeID(t *testing.T) {
	t.Parallel()
	at, _ := serve(t, pgtest.New(t), "127.0.0.1:0")
	c := dial(t, at)
	cfg := loader.Config{Client: c, CreateMissing: true}
	if _, _, err := load(t, cfg, tradefile.Trades, strings.NewReader(header+trade("A", 100001, "100", "")+trade("Z", 100002, "1", ""))); err != nil {
		t.Fatal(err)
	}
	id := func(key string) string {
		res, err := c.Query.GetTrade(t.Context(), connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Key{Key: key}}))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(res.Msg.Trade.Id)
	}
	file := header +
		trade("B", 100001, "30", id("100001/A")) +
		trade("C", 100001, "7", "B") + // depends on the row before
		trade("D", 100001, "9", id("100002/Z")) // line 4: another account's
	for round, want := range []loader.Totals{{Rows: 3, Booked: 2, Rejected: 1}, {Rows: 3, Repeats: 2, Rejected: 1}} {
		totals, rejects, err := load(t, cfg, tradefile.Trades, strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		wantTotals(t, totals, want.Rows, want.Booked, want.Repeats, want.Rejected)
		if len(rejects) != 1 || !strings.Contains(rejects[0], "f.csv:4: cancel_trade_id: ") || !strings.Contains(rejects[0], "(trade_not_found)") {
			t.Errorf("round %d: rejected %q", round, rejects)
		}
		if got := quantity(t, c, 100001, totals.Token); got != "7" {
			t.Errorf("round %d: the account has %s, want 7", round, got)
		}
	}
	cancels := "account,trade_id,by_client_id\n100002," + id("100001/C") + ",false\n100002," + id("100002/Z") + ",false\n"
	totals, rejects, err := load(t, cfg, tradefile.Cancels, strings.NewReader(cancels))
	if err != nil {
		t.Fatal(err)
	}
	wantTotals(t, totals, 2, 1, 0, 1)
	if !strings.Contains(rejects[0], "f.csv:2: trade_id: the account 100002 has no trade") {
		t.Errorf("rejected %q", rejects)
	}
}

// The server goes away in the middle and comes back: the load goes on, and every row is there once.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	at, stop := serve(t, dsn, "127.0.0.1:0")
	file, feed := io.Pipe()
	halfway, waiting := make(chan struct{}), make(chan struct{}, 1)
	const rows, half = 4000, 2000
	go func() {
		fmt.Fprint(feed, header)
		for i := range rows {
			if i == half {
				<-halfway
			}
			fmt.Fprint(feed, trade(fmt.Sprint("T", i), 100001, "1", ""))
		}
		feed.Close()
	}()
	reached := make(chan struct{})
	cfg := loader.Config{
		Client: dial(t, at), CreateMissing: true, BatchRows: 100, Timeout: time.Minute,
		OnRetry: func(error, time.Duration) {
			select {
			case waiting <- struct{}{}:
			default:
			}
		},
		OnProgress: func(p loader.Totals) {
			if p.Rows == half {
				close(reached)
			}
		},
	}
	l, err := loader.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	loaded := make(chan error, 1)
	go func() {
		r, err := tradefile.NewReader(file, "f.csv", tradefile.Trades)
		if err == nil {
			err = l.Load(t.Context(), r)
		}
		loaded <- err
	}()
	<-reached
	stop()
	close(halfway)
	<-waiting // the loader has noticed
	serve(t, dsn, at)
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	totals := l.Totals()
	if totals.Rows != rows || totals.Booked+totals.Repeats != rows {
		t.Errorf("totals %+v", totals)
	}
	if got := quantity(t, cfg.Client, 100001, totals.Token); got != fmt.Sprint(rows) {
		t.Errorf("the account has %s, want %d", got, rows)
	}
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	at, stop := serve(t, pgtest.New(t), "127.0.0.1:0")
	stop()
	cfg := loader.Config{Client: dial(t, at), Timeout: 300 * time.Millisecond}
	totals, _, err := load(t, cfg, tradefile.Trades, strings.NewReader(header+trade("A", 100001, "1", "")))
	var gaveUp *loader.GaveUpError
	if !errors.As(err, &gaveUp) || !client.Unreachable(err) || totals.Rows != 0 {
		t.Errorf("%v, totals %+v", err, totals)
	}
}

// A file that breaks off: what stands before is booked, and the error says where.
func TestFileBreaksOff(t *testing.T) {
	t.Parallel()
	at, _ := serve(t, pgtest.New(t), "127.0.0.1:0")
	cfg := loader.Config{Client: dial(t, at), CreateMissing: true}
	broken := errors.New("cut")
	file := io.MultiReader(strings.NewReader(header+trade("A", 100001, "1", "")+"exchange_trade,13811"), failing{broken})
	totals, _, err := load(t, cfg, tradefile.Trades, file)
	var bad *tradefile.FileError
	if !errors.As(err, &bad) || !errors.Is(err, broken) || bad.Line != 3 {
		t.Errorf("%v", err)
	}
	wantTotals(t, totals, 1, 1, 0, 0)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := loader.New(loader.Config{Entities: -1, BatchRows: 1001, Timeout: -1})
	for _, want := range []string{"client", "entities", "batch rows", "timeout"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
