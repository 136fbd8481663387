package bootstrap_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/await"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// TestOpening: BK's books are opened with balances and the trades that can still change, while clients go on. Afterwards Bank's API on BK answers for all that ever was as Bank does: reads,
// repeats, conflicts, cancels, replacements, uploads.
func TestOpening(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.wait = 20 * time.Second
	first := w.play(31, 1200)
	old := w.client(w.bank.API, w.bank.Operations)
	file := "type,timestamp\nnonsense,1\n"
	uploaded, err := old.Upload(t.Context(), bank.UploadInsert, "old.csv", strings.NewReader(file), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	await.Until(t, "Bank has worked the file off", func() bool {
		at, err := old.UploadState(t.Context(), uploaded.UploadID)
		return err == nil && at.Completed
	})
	both := &pair{t: t, w: w, old: old}
	future := both.request(both.some(bank.StateSettled, 1<<40)[0])
	for range 6 { // these will be new all along
		later := both.fresh(future)
		later.Date, later.Settlement.Date = 20141208, 0
		if _, err := old.BookTrades(t.Context(), []bank.Trade{later}); err != nil {
			t.Fatal(err)
		}
	}
	cfg := w.config()
	cfg.Mode = bootstrap.Opening
	dry := cfg
	dry.DryRun = true
	if _, err := w.run(dry); err != nil { // the snapshot is taken
		t.Fatal(err)
	}
	last := one(t, w.bank.DSN, `SELECT max(trade_id) FROM bank.trade`)
	date, err := old.BusinessDate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := shadow.Play(t.Context(), shadow.Traffic{
		Target: w.system(), Seed: 32, Requests: 300, Accounts: 24, Rolls: 3, FirstDay: date, FirstAccount: 700_001, Entity: 700,
	})
	if err != nil || second.Surprised > 0 {
		t.Fatal(second, err)
	}
	report, err := w.run(cfg)
	if report == nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String())
	if err != nil || !report.Clean() || report.Explained != 0 || report.Trial.Holdings == 0 || report.Counts.Archived == 0 || report.Counts.Alive == 0 || report.Counts.Opened == 0 {
		t.Errorf("%v: %+v", err, report.Counts)
	}
	if n := one(t, w.facade, `SELECT count(*) FROM facade.archive_trade`); report.Counts.Archived+report.Counts.Alive != report.Counts.Trades || n != report.Counts.Trades {
		t.Errorf("%d trades in the archive: %+v", n, report.Counts)
	}
	url, stop, err := w.startBK(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop() //nolint:errcheck // the stage says what is wrong
	// From here on BK books first.
	head := one(t, w.bk, `SELECT max(seq) FROM bk.journal`)
	on := stage.StartBooks(t, stage.BK{URL: url, DSN: w.bk}, w.facade, []books.Epoch{{First: head + 1, TradeBase: 1_000_000, CashBase: 1_000_000}})
	both.now, both.right = w.client(on.API, on.Operations), shadow.System{Name: "BK", API: on.API, Operations: on.Operations}
	both.same(first)
	both.same(second)
	if at, err := both.now.UploadState(t.Context(), uploaded.UploadID); err != nil || !at.Completed {
		t.Errorf("the upload is %+v, %v", at, err)
	}
	both.ask("upload the file again", func(c *bank.Client) (any, error) {
		return c.Upload(t.Context(), bank.UploadInsert, "again.csv", strings.NewReader(file), time.Minute)
	})
	for _, state := range []string{bank.StateSettled, bank.StateCanceled, bank.StateOpen, bank.StateNew} {
		for _, id := range both.some(state, last) {
			both.again(id)
			if state == bank.StateSettled || state == bank.StateCanceled {
				both.refuses(id)
			}
		}
	}
	both.mixed(last)
	both.cash()
	both.replaces(last)
	both.same(first)
	if compared, err := w.compare(t.Context()); err != nil || compared.Rows != 0 || compared.Compared["trades"] == 0 {
		t.Errorf("Bank's tables against BK and the archive: %v, %v", compared, err)
	}
	both.cancels(last)
	both.ownTimes = true
	both.same(first)
	both.alone(last)
}

func (w *world) system() shadow.System {
	return shadow.System{Name: "Bank", API: w.bank.API, Operations: w.bank.Operations}
}

func (w *world) client(api, operations string) *bank.Client {
	w.t.Helper()
	c, err := bank.NewClient(bank.ClientConfig{API: api, Operations: operations})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// pair is Bank, and Bank's API on BK.
type pair struct {
	t        *testing.T
	w        *world
	old, now *bank.Client
	right    shadow.System
	ownTimes bool // they were asked for the same at different times
	number   int
}

// same asks both for everything.
func (p *pair) same(played shadow.Played) {
	p.t.Helper()
	comparison := played.Comparison(p.w.system(), p.right, 0)
	comparison.All, comparison.OwnTimes = true, p.ownTimes
	compared, err := shadow.Compare(p.t.Context(), comparison)
	if err != nil || compared.Differing > 0 || compared.Counts[shadow.KindTrade] < len(played.Trades) {
		p.t.Errorf("Bank's API on BK: %v\n%v", err, compared)
	}
}

// some gives ids of trades of the past that are in a state at Bank.
func (p *pair) some(state string, last int64) (ids []bank.ID) {
	p.t.Helper()
	ids = p.query(`SELECT trade_id FROM bank.trade WHERE state = $1 AND trade_id <= $2 ORDER BY md5(trade_id::text) LIMIT 12`, state, last)
	if len(ids) == 0 {
		p.t.Fatalf("no trade is %s", state)
	}
	return ids
}

func (p *pair) query(sql string, args ...any) []bank.ID {
	p.t.Helper()
	db, err := pgx.Connect(p.t.Context(), p.w.bank.DSN)
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(p.t.Context()))
	rows, err := db.Query(p.t.Context(), sql, args...)
	if err != nil {
		p.t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		p.t.Fatal(err)
	}
	out := make([]bank.ID, len(ids))
	for i, id := range ids {
		out[i] = bank.ID(id)
	}
	return out
}

// ask asks both for the same, and gives Bank's answer.
func (p *pair) ask(what string, do func(*bank.Client) (any, error)) (any, error) {
	p.t.Helper()
	left, leftErr := do(p.old)
	right, rightErr := do(p.now)
	if fmt.Sprint(leftErr) != fmt.Sprint(rightErr) || leftErr == nil && !reflect.DeepEqual(left, right) {
		p.t.Errorf("%s: Bank %+v, %v; BK %+v, %v", what, left, leftErr, right, rightErr)
	}
	return left, leftErr
}

// request gives what a client asked for when it booked a trade.
func (p *pair) request(id bank.ID) bank.Trade {
	p.t.Helper()
	stored, err := p.old.Trade(p.t.Context(), bank.TradeRef{TradeID: id})
	if err != nil {
		p.t.Fatal(err)
	}
	return stored.Trade
}

func other(t bank.Trade) bank.Trade {
	t.Quantity.Decimal = t.Quantity.Add(t.Quantity.Decimal)
	return t
}

// fresh gives a trade that nobody has booked, like another.
func (p *pair) fresh(like bank.Trade) bank.Trade {
	p.number++
	like.ClientTradeID, like.CancelTradeID = fmt.Sprint("fresh ", p.number), ""
	return like
}

func (p *pair) book(what string, trades ...bank.Trade) error {
	p.t.Helper()
	_, err := p.ask(what, func(c *bank.Client) (any, error) { return c.BookTrades(p.t.Context(), trades) })
	return err
}

// again books a trade once more, and another under its name; and asks for it by name.
func (p *pair) again(id bank.ID) {
	p.t.Helper()
	request := p.request(id)
	if err := p.book(fmt.Sprint("repeat ", id), request); err != nil {
		p.t.Error(id, err)
	}
	if err := p.book(fmt.Sprint("repeat twice ", id), request, request); err != nil {
		p.t.Error(id, err)
	}
	if err := p.book(fmt.Sprint("conflict ", id), other(request)); bank.TypeOf(err) != bank.ClientIDConflict {
		p.t.Error(id, err)
	}
	if _, err := p.ask(fmt.Sprint("by name ", id), func(c *bank.Client) (any, error) {
		return c.Trade(p.t.Context(), bank.TradeRef{AccountID: request.AccountID, ClientTradeID: request.ClientTradeID})
	}); err != nil {
		p.t.Error(id, err)
	}
}

// refuses asks for what can't be done with a trade that is over.
func (p *pair) refuses(id bank.ID) {
	p.t.Helper()
	request := p.request(id)
	for _, ref := range []bank.TradeRef{{TradeID: id}, {AccountID: request.AccountID, ClientTradeID: request.ClientTradeID}} {
		if _, err := p.ask(fmt.Sprint("cancel ", ref), func(c *bank.Client) (any, error) { return nil, c.CancelTrade(p.t.Context(), ref) }); err == nil {
			p.t.Error(ref, "was cancelled")
		}
	}
	if _, err := p.ask(fmt.Sprint("another account's ", id), func(c *bank.Client) (any, error) {
		return c.AccountTrade(p.t.Context(), 500_999, id)
	}); err == nil {
		p.t.Error(id, "is of an account that there is not")
	}
	stored, err := p.old.Trade(p.t.Context(), bank.TradeRef{TradeID: id})
	if err != nil {
		p.t.Fatal(err)
	}
	replay := bank.Replay{TradeID: id, BookedAt: stored.BookedAt, Request: &request}
	if _, err := p.ask(fmt.Sprint("replay ", id), func(c *bank.Client) (any, error) { return nil, c.Replay(p.t.Context(), replay) }); err != nil {
		p.t.Error(id, err)
	}
	changed := other(request)
	replay.Request = &changed
	if err := p.now.Replay(p.t.Context(), replay); err == nil {
		p.t.Error(id, "was replayed as another trade")
	}
}

// mixed books calls of several trades, in which the first fault decides.
func (p *pair) mixed(last int64) {
	p.t.Helper()
	settled, canceled := p.request(p.some(bank.StateSettled, last)[0]), p.request(p.some(bank.StateCanceled, last)[0])
	nobody := p.fresh(settled)
	nobody.AccountID = 999_999_999
	replacing := p.fresh(settled)
	replacing.CancelTradeID = settled.ClientTradeID
	for what, call := range map[string]struct {
		trades []bank.Trade
		want   bank.Type
	}{
		"a conflict behind a repeat":      {[]bank.Trade{canceled, other(settled), nobody}, bank.ClientIDConflict},
		"an account before a conflict":    {[]bank.Trade{settled, nobody, other(canceled)}, bank.UnknownAccount},
		"a settled one is replaced":       {[]bank.Trade{replacing}, bank.TradeSettled},
		"that is behind another's fault":  {[]bank.Trade{nobody, replacing}, bank.UnknownAccount},
		"that is before another's fault":  {[]bank.Trade{settled, replacing, nobody}, bank.TradeSettled},
		"a conflict by one that replaces": {[]bank.Trade{func() bank.Trade { t := other(canceled); t.CancelTradeID = "none"; return t }()}, bank.ClientIDConflict},
	} {
		if err := p.book(what, call.trades...); bank.TypeOf(err) != call.want {
			p.t.Errorf("%s: %v", what, err)
		}
	}
}

// cash asks for deposits of the past again, and for others under their names.
func (p *pair) cash() {
	p.t.Helper()
	db, err := pgx.Connect(p.t.Context(), p.w.bank.DSN)
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(p.t.Context()))
	rows, err := db.Query(p.t.Context(), `SELECT client_id, account_id, currency, amount::text FROM bank.cash WHERE kind = 'deposit' ORDER BY cash_id LIMIT 5`)
	if err != nil {
		p.t.Fatal(err)
	}
	var moves []bank.Cash
	var client, currency, amount string
	var account int64
	if _, err := pgx.ForEachRow(rows, []any{&client, &account, &currency, &amount}, func() error {
		d, err := bank.ParseDecimal(amount)
		moves = append(moves, bank.Cash{ClientID: client, AccountID: bank.ID(account), Currency: currency, Amount: d, Kind: bank.Deposit})
		return err
	}); err != nil || len(moves) == 0 {
		p.t.Fatal(len(moves), err)
	}
	for _, c := range moves {
		if _, err := p.ask("deposit again", func(to *bank.Client) (any, error) { return to.MoveCash(p.t.Context(), c) }); err != nil {
			p.t.Error(c, err)
		}
		c.Amount.Decimal = c.Amount.Add(c.Amount.Decimal)
		if _, err := p.ask("another deposit", func(to *bank.Client) (any, error) { return to.MoveCash(p.t.Context(), c) }); bank.TypeOf(err) != bank.Conflict {
			p.t.Error(c, err)
		}
	}
}

// replaces books trades that stand in the place of cancelled ones, at Bank, and has BK do the same: the two are linked, and the last one counts.
func (p *pair) replaces(last int64) {
	p.t.Helper()
	for i, id := range p.some(bank.StateCanceled, last) {
		for _, name := range []string{p.request(id).ClientTradeID, id.String()} {
			t := p.fresh(p.request(id))
			t.CancelTradeID = name
			booked, err := p.old.BookTrades(p.t.Context(), []bank.Trade{t})
			if err != nil {
				p.t.Fatal(id, err)
			}
			stored, err := p.old.Trade(p.t.Context(), bank.TradeRef{TradeID: booked[0].TradeID})
			if err != nil || stored.Replaces == nil || *stored.Replaces != id {
				p.t.Fatal(stored, err)
			}
			if err := p.now.Replay(p.t.Context(), bank.Replay{TradeID: stored.TradeID, BookedAt: stored.BookedAt, Request: &t}); err != nil {
				p.t.Fatal(id, err)
			}
			for _, of := range []bank.ID{id, stored.TradeID} {
				_, err := p.ask(fmt.Sprint("trade ", of), func(c *bank.Client) (any, error) { return c.Trade(p.t.Context(), bank.TradeRef{TradeID: of}) })
				if err != nil {
					p.t.Error(of, err)
				}
			}
		}
		if i == 3 {
			return
		}
	}
}

// cancels cancels trades that were alive.
func (p *pair) cancels(last int64) {
	p.t.Helper()
	for _, state := range []string{bank.StateOpen, bank.StateNew} {
		for i, id := range p.some(state, last) {
			ref := bank.TradeRef{TradeID: id}
			if i%2 == 0 {
				request := p.request(id)
				ref = bank.TradeRef{AccountID: request.AccountID, ClientTradeID: request.ClientTradeID}
			}
			if _, err := p.ask(fmt.Sprint("cancel ", ref), func(c *bank.Client) (any, error) { return nil, c.CancelTrade(p.t.Context(), ref) }); err != nil {
				p.t.Error(ref, err)
			}
		}
	}
}

// alone has BK book first what stands in the place of a cancelled trade.
func (p *pair) alone(last int64) {
	p.t.Helper()
	id := p.some(bank.StateCanceled, last)[0]
	t := p.fresh(p.request(id))
	t.CancelTradeID = id.String()
	var booked []bank.Booked
	for range 2 { // the second is a repeat
		again, err := p.now.BookTrades(p.t.Context(), []bank.Trade{t})
		if err != nil || booked != nil && again[0] != booked[0] {
			p.t.Fatal(again, err)
		}
		booked = again
	}
	replaced, err := p.now.Trade(p.t.Context(), bank.TradeRef{TradeID: id})
	if err != nil || replaced.ReplacedBy == nil || *replaced.ReplacedBy != booked[0].TradeID {
		p.t.Errorf("trade %d is replaced by %v: %v", id, replaced.ReplacedBy, err)
	}
	stored, err := p.now.Trade(p.t.Context(), bank.TradeRef{TradeID: booked[0].TradeID})
	if err != nil || stored.Replaces == nil || *stored.Replaces != id {
		p.t.Errorf("trade %d replaces %v: %v", booked[0].TradeID, stored.Replaces, err)
	}
}
