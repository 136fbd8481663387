package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

// plan says what a world is made of.
type plan struct {
	mode     mode.Mode
	replicas int                  // of the façade; 1
	kafka    bool                 // Bank publishes, the façade follows
	apart    string               // the role whose parts are children
	postgres string               // DSN of the façade's database; "": one of the test's server
	facade   func(*facade.Config) // changes the façade's configuration
}

// world is Bank, BK, and replicas of the façade, which reach both by ways of their own.
type world struct {
	t                    *testing.T
	bank, bk             *part
	toBank, toOperations *way
	toBK                 *way
	facades              []*part
	direct               contract.Target // Bank itself
	dsn, bankDSN, bkDSN  string          // databases: the façade's, Bank's, BK's
	targets              []contract.Target
	admins               []string
}

func newWorld(t *testing.T, p plan) *world {
	t.Helper()
	w := &world{t: t, dsn: p.postgres, bankDSN: pgtest.New(t), bkDSN: pgtest.New(t)}
	if w.dsn == "" {
		w.dsn = pgtest.New(t)
	}
	var brokers []string
	if p.kafka {
		brokers = []string{kafkatest.New(t).Addr()}
	}
	w.bank = w.part(settings{Role: roleBank, Postgres: w.bankDSN, Listen: address(t), Other: address(t), Brokers: brokers}, p)
	w.bk = w.part(settings{Role: roleBK, Postgres: w.bkDSN, Listen: address(t), Other: address(t)}, p)
	w.direct = contract.Target{API: "http://" + w.bank.settings.Listen, Operations: "http://" + w.bank.settings.Other}
	w.toBank, w.toOperations = newWay(t, w.bank.settings.Listen, false), newWay(t, w.bank.settings.Other, false)
	w.toBK = newWay(t, w.bk.settings.Listen, true)
	for n := range max(1, p.replicas) {
		cfg := facade.Config{
			Bank: w.toBank.url(), BankOperations: w.toOperations.url(), BK: w.toBK.url(), Brokers: brokers, Postgres: w.dsn, Replica: fmt.Sprintf("replica %d", n),
			Listen: address(t), OperationsListen: address(t), AdminListen: address(t),
		}
		if n == 0 {
			cfg.Mode = p.mode
		}
		if p.apart == roleBank { // whose port is closed while it is away
			cfg.Bank, cfg.BankOperations = w.direct.API, w.direct.Operations
		}
		if p.facade != nil {
			p.facade(&cfg)
		}
		f := w.part(settings{Role: roleFacade, Listen: cfg.Listen, Facade: cfg}, p)
		if n == 0 { // but not again
			f.settings.Facade.Mode = ""
		}
		w.facades = append(w.facades, f)
		w.targets = append(w.targets, contract.Target{API: "http://" + cfg.Listen, Operations: "http://" + cfg.OperationsListen})
		w.admins = append(w.admins, "http://"+cfg.AdminListen)
	}
	return w
}

func (w *world) part(s settings, p plan) *part {
	part := &part{t: w.t, settings: s, apart: p.apart == s.Role}
	part.start()
	return part
}

// outage takes a system away: its ports are closed.
func (w *world) outage(of mode.System) {
	if of == mode.BK {
		w.toBK.close()
		return
	}
	w.toBank.close()
	w.toOperations.close()
}

func (w *world) back(of mode.System) {
	if of == mode.BK {
		w.toBK.open(w.t)
		return
	}
	w.toBank.open(w.t)
	w.toOperations.open(w.t)
}

// slow makes each answer of a system take so much longer; 0: no more.
func (w *world) slow(of mode.System, by time.Duration) {
	f := slow(by)
	if by == 0 {
		f = nil
	}
	if of == mode.BK {
		w.toBK.meets(f)
		return
	}
	w.toBank.meets(f)
	w.toOperations.meets(f)
}

// post asks the admin listener of a replica.
func (w *world) post(replica int, path string, in, out any) (status int) {
	w.t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.Post(w.admins[replica]+path, "application/json", bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		w.t.Fatalf("POST %s: %v", path, err)
	}
	return response.StatusCode
}

// asked is what POST /mode answers.
type asked struct {
	mode.State
	Error string `json:"error"`
}

// tries asks for a switch, once.
func (w *world) tries(to mode.Mode) (status int, a asked) {
	w.t.Helper()
	status = w.post(0, "/mode", facade.SwitchRequest{To: string(to), Who: "anna", Why: "test"}, &a)
	return status, a
}

// goes makes a switch.
func (w *world) goes(replica int, to mode.Mode) {
	w.t.Helper()
	var a asked
	if status := w.post(replica, "/mode", facade.SwitchRequest{To: string(to), Who: "anna", Why: "test", WaitMS: patience.Milliseconds()}, &a); status != http.StatusOK || a.Mode != to {
		w.t.Fatalf("to %s: %d, in %s: %s", to, status, a.Mode, a.Error)
	}
}

// kill uses the kill switch.
func (w *world) kill(to mode.Mode) {
	w.t.Helper()
	var a asked
	if status := w.post(0, "/mode", facade.SwitchRequest{Kill: true, Who: "anna", Why: "test"}, &a); status != http.StatusOK || a.Mode != to || !a.Killed {
		w.t.Fatalf("kill to %s: %d, %+v", to, status, a)
	}
}

// status asks a replica.
func (w *world) status(replica int) (s facade.Status) {
	w.t.Helper()
	response, err := http.Get(w.admins[replica] + "/status")
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) mode() mode.Mode { return w.status(0).State.Mode }

// backlog gives what waits for a system.
func (w *world) backlog(of mode.System) facade.Backlog {
	w.t.Helper()
	for _, b := range w.status(0).Backlogs {
		if (b.Name == "queue") == (of == mode.BK) {
			return b
		}
	}
	w.t.Fatal("no backlog")
	return facade.Backlog{}
}

// blocked waits until a row is blocked, and gives those that are.
func (w *world) blocked(of mode.System) (rows []backlog.Row) {
	w.t.Helper()
	name := "queue"
	if of == mode.Bank {
		name = "feed"
	}
	eventually(w.t, "a row that is blocked", func() bool {
		response, err := http.Get(w.admins[0] + "/" + name + "?blocked=true")
		if err != nil {
			w.t.Fatal(err)
		}
		defer response.Body.Close()
		rows = nil
		if err := json.NewDecoder(response.Body).Decode(&rows); err != nil {
			w.t.Fatal(err)
		}
		return len(rows) > 0
	})
	return rows
}

// count asks a database for a number.
func count(t *testing.T, dsn, sql string, args ...any) (n int) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing hangs on it
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// drained waits until the other system has all, and says how long that took.
func (w *world) drained() time.Duration {
	w.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := (stage.Facade{Target: w.targets[0], Admin: w.admins[0], DSN: w.dsn}).Drained(ctx); err != nil {
		w.t.Fatalf("not drained: %v", err)
	}
	return time.Since(began)
}

// agree ends the load, rolls until all is settled, waits until both have all, and makes sure that they agree on everything, that all that was acknowledged is there, and that
// nothing else is.
func (w *world) agree(l *load) {
	w.t.Helper()
	compared := w.compare(l)
	if compared.Differing > 0 || compared.Counts[shadow.KindTrade] != len(l.trades) || compared.Counts[shadow.KindJournal] == 0 {
		w.t.Errorf("%v", compared)
	}
	w.exactly(l)
}

// compare does the first half of it.
func (w *world) compare(l *load) shadow.Compared {
	w.t.Helper()
	l.stop()
	l.report()
	if w.t.Failed() {
		w.t.FailNow()
	}
	took := w.drained()
	l.enter("roll")
	if _, ok := l.ask(0, true, "POST", "/business-date", map[string]any{"date": settled}); !ok {
		w.t.FailNow()
	}
	l.saw("roll")
	w.drained()
	if w.mode() == mode.BankPrimary {
		w.goes(0, mode.BKPrimary) // BK shows what it has
	}
	var ids []bank.ID
	for id := range l.trades {
		ids = append(ids, id)
	}
	system := func(name string, at contract.Target) shadow.System {
		return shadow.System{Name: name, API: at.API, Operations: at.Operations}
	}
	compared, err := shadow.Compare(w.t.Context(), shadow.Comparison{
		Left: system("Bank", w.direct), Right: system("BK", w.targets[0]), Trades: ids, Days: []bank.Date{today}, Keep: 10,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("%d trades, %d movements of cash; all was there %s after the load; compared: %v", len(ids), l.cash, took.Round(time.Millisecond), compared.Counts)
	return compared
}

// exactly makes sure that Bank, with which BK agrees, has what was acknowledged, and nothing else.
func (w *world) exactly(l *load) {
	w.t.Helper()
	var ids []int64
	canceled := 0
	for id, s := range l.trades {
		ids = append(ids, int64(id))
		if s.canceled {
			canceled++
		}
	}
	for what, c := range map[string]struct {
		want int
		sql  string
		args []any
	}{
		"trades":                             {len(ids), `SELECT count(*) FROM bank.trade`, nil},
		"trades that were acknowledged":      {len(ids), `SELECT count(*) FROM bank.trade WHERE trade_id = ANY ($1)`, []any{ids}},
		"cancelled trades":                   {canceled, `SELECT count(*) FROM bank.trade WHERE state = 'canceled'`, nil},
		"movements of cash":                  {l.cash, `SELECT count(*) FROM bank.cash`, nil},
		"journal rows of cash":               {l.cash, `SELECT count(*) FROM bank.journal WHERE trade_id IS NULL`, nil},
		"trades that were opened":            {len(ids), `SELECT count(DISTINCT trade_id) FROM bank.journal WHERE memo = 'open'`, nil},
		"trades that are not settled or off": {0, `SELECT count(*) FROM bank.trade WHERE state NOT IN ('settled', 'canceled')`, nil},
	} {
		if n := count(w.t, w.bankDSN, c.sql, c.args...); n != c.want {
			w.t.Errorf("%s: Bank has %d, want %d", what, n, c.want)
		}
	}
	if n := count(w.t, w.dsn, `SELECT (SELECT count(*) FROM facade.intent) + (SELECT count(*) FROM facade.intent_key)`); n != 0 {
		w.t.Errorf("%d intents are left", n)
	}
}

// change changes a database behind its owner's back.
func (w *world) change(dsn, sql string, args ...any) {
	w.t.Helper()
	db, err := pgx.Connect(w.t.Context(), dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(w.t.Context())) //nolint:errcheck // nothing hangs on it
	if _, err := db.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// atBK is another door to BK, beside the façade.
func (w *world) atBK() contract.Target {
	const noOne = 1 << 40 // has ids as high as those that it gives
	epochs := []books.Epoch{{First: 1, TradeBase: noOne, CashBase: noOne}}
	return stage.StartBooks(w.t, stage.BK{URL: "http://" + w.bk.settings.Listen, DSN: w.bkDSN}, w.dsn, epochs)
}

// row does something with a row of a backlog.
func (w *world) row(of mode.System, position int64, what string, in any, want int) {
	w.t.Helper()
	name := "queue"
	if of == mode.Bank {
		name = "feed"
	}
	var answer map[string]any
	if status := w.post(0, fmt.Sprintf("/%s/%d/%s", name, position, what), in, &answer); status != want {
		w.t.Fatalf("%s of row %d: %d %v", what, position, status, answer)
	}
}

// held makes sure that no switch held writes for a second.
func (w *world) held() {
	w.t.Helper()
	for _, a := range w.status(0).Switches {
		if a.Ended == nil {
			w.t.Errorf("%+v has not ended", a)
			continue
		}
		took := a.Ended.Sub(a.Began)
		w.t.Logf("to %-26s %-8s writes held for %s %s", a.To, a.Outcome, took.Round(time.Millisecond), a.Message)
		if a.Outcome == "done" && took >= time.Second {
			w.t.Errorf("the switch to %s held writes for %s", a.To, took)
		}
	}
}
