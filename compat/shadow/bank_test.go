package shadow_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
)

// TestSameScript: two Banks that are played the same by one client have the same books, times left out.
func TestSameScript(t *testing.T) {
	t.Parallel()
	var systems []shadow.System
	var played []shadow.Played
	for _, name := range []string{"one", "other"} {
		s := system(name, stage.StartBank(t).Target)
		p, err := shadow.Play(t.Context(), shadow.Traffic{Target: s, Seed: *seed, Requests: 600, Clients: 1, Accounts: 8, Rolls: 4})
		if err != nil {
			t.Fatal(err)
		}
		if p.Surprised > 0 || p.Unknown+p.Internal+p.Lost > 0 {
			t.Errorf("%s: %s", name, p)
		}
		systems, played = append(systems, s), append(played, p)
	}
	if !slices.Equal(played[0].Trades, played[1].Trades) || len(played[0].Trades) < 100 {
		t.Errorf("%d trades, and %d", len(played[0].Trades), len(played[1].Trades))
	}
	comparison := played[0].Comparison(systems[0], systems[1], 0)
	comparison.OwnTimes = true
	c, err := shadow.Compare(t.Context(), comparison)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, c, played[0])
	if c.Counts[shadow.KindCash] == 0 {
		t.Error("no cash id was compared")
	}
}

// TestPlanted: a difference of each kind, made behind a Bank's back, is found.
func TestPlanted(t *testing.T) {
	t.Parallel()
	first := stage.StartBank(t)
	p, err := shadow.Play(t.Context(), shadow.Traffic{Target: system("first", first.Target), Seed: *seed, Requests: 600, Clients: 4, Accounts: 6, Hot: 2, Rolls: 5})
	if err != nil || p.Surprised > 0 {
		t.Fatal(p, err)
	}
	first.Stop()
	copied := copied(t, first.DSN)
	left, right := serveBank(t, first.DSN), serveBank(t, copied)
	var day bank.Date
	left.one(t, &day, `SELECT trade_date FROM bank.trade WHERE running IS NOT NULL GROUP BY trade_date ORDER BY count(*) DESC LIMIT 1`)
	comparison := p.Comparison(left.System, right.System, 0)
	comparison.Days = []bank.Date{day}
	compare := func(t *testing.T) shadow.Compared {
		t.Helper()
		c, err := shadow.Compare(t.Context(), comparison)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	equal(t, compare(t), p)

	anyTrade := fmt.Sprintf(`trade_id = (SELECT max(trade_id) FROM bank.trade WHERE running IS NOT NULL AND state <> 'canceled' AND trade_date = %d)`, day)
	anyRow := `(account_id, journal_id) = (SELECT account_id, max(journal_id) FROM bank.journal WHERE td_quantity <> 0 GROUP BY account_id ORDER BY account_id LIMIT 1)`
	for _, k := range []struct {
		kind, do, undo string
		both           bool // on both sides: each is wrong in itself
	}{
		{shadow.KindDay, `UPDATE bank.business_date SET date = date + 1`, `UPDATE bank.business_date SET date = date - 1`, false},
		{shadow.KindEntity, `UPDATE bank.entity SET legal_name = legal_name || ' '`, `UPDATE bank.entity SET legal_name = rtrim(legal_name)`, false},
		{shadow.KindAccount, `INSERT INTO bank.account SELECT 7, entity_id, 'x' FROM bank.entity`, `DELETE FROM bank.account WHERE account_id = 7`, false},
		{shadow.KindTrade, `UPDATE bank.trade SET booked_at = booked_at + 1 WHERE ` + anyTrade, `UPDATE bank.trade SET booked_at = booked_at - 1 WHERE ` + anyTrade, false},
		{shadow.KindTrade, `UPDATE bank.trade SET canceled_at = canceled_at + 1 WHERE trade_id = (SELECT min(trade_id) FROM bank.trade WHERE state = 'canceled')`,
			`UPDATE bank.trade SET canceled_at = canceled_at - 1 WHERE trade_id = (SELECT min(trade_id) FROM bank.trade WHERE state = 'canceled')`, false},
		{shadow.KindTrade, `UPDATE bank.trade SET replaces = -replaces`, `UPDATE bank.trade SET replaces = -replaces`, false},
		{shadow.KindListed, `UPDATE bank.trade SET running = running + 1 WHERE ` + anyTrade, `UPDATE bank.trade SET running = running - 1 WHERE ` + anyTrade, false},
		{shadow.KindPosition, `UPDATE bank.position SET settled_quantity = settled_quantity + 0.01`, `UPDATE bank.position SET settled_quantity = settled_quantity - 0.01`, false},
		{shadow.KindBalance, `UPDATE bank.balance SET unsettled_debits = unsettled_debits + 1`, `UPDATE bank.balance SET unsettled_debits = unsettled_debits - 1`, false},
		{shadow.KindJournal, `UPDATE bank.journal SET sd_amount = sd_amount + 0.01 WHERE ` + anyRow, `UPDATE bank.journal SET sd_amount = sd_amount - 0.01 WHERE ` + anyRow, false},
		{shadow.KindJournal, `UPDATE bank.journal SET account_id = -account_id WHERE ` + anyRow, `UPDATE bank.journal SET account_id = -account_id WHERE account_id < 0`, false},
		{shadow.KindJournal, `UPDATE bank.journal SET journal_id = -journal_id WHERE ` + anyRow, `UPDATE bank.journal SET journal_id = -journal_id WHERE journal_id < 0`, false}, // another order
		{shadow.KindCash, `UPDATE bank.cash SET cash_id = cash_id + 1000000`, `UPDATE bank.cash SET cash_id = cash_id - 1000000`, false},
		{shadow.KindRunning, `UPDATE bank.trade SET running = running + 1 WHERE ` + anyTrade, `UPDATE bank.trade SET running = running - 1 WHERE ` + anyTrade, true},
		{shadow.KindTotal, `UPDATE bank.position SET quantity = quantity + 1, settled_quantity = settled_quantity + 1`, `UPDATE bank.position SET quantity = quantity - 1, settled_quantity = settled_quantity - 1`, true},
		{shadow.KindTotal, `UPDATE bank.balance SET settled_cash = settled_cash + 0.01`, `UPDATE bank.balance SET settled_cash = settled_cash - 0.01`, true},
	} {
		name, _, _ := strings.Cut(k.do, " WHERE ")
		t.Run(k.kind+"/"+name, func(t *testing.T) {
			change := func(sql string) {
				right.exec(t, sql)
				if k.both {
					left.exec(t, sql)
				}
			}
			change(k.do)
			c := compare(t)
			change(k.undo)
			if c.Differing == 0 || !slices.ContainsFunc(c.Differences, func(d shadow.Difference) bool { return d.Kind == k.kind && d.Left != d.Right && d.What != "" }) {
				t.Errorf("not found: %s", c)
			}
		})
	}
	if c := compare(t); c.Differing > 0 {
		t.Errorf("after all was undone: %s", c)
	}
}

// served is a Bank on a database that the test reaches into.
type served struct {
	shadow.System
	dsn string
}

func serveBank(t *testing.T, dsn string) served {
	t.Helper()
	at, _ := stage.Await(t, "Bank", func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{DSN: dsn, Listen: "127.0.0.1:0", OperationsListen: "127.0.0.1:0", Log: stage.Log(t)}, ready)
	})
	return served{system(dsn, contract.Target{API: "http://" + at.API, Operations: "http://" + at.Operations}), dsn}
}

func (s served) exec(t *testing.T, sql string) {
	t.Helper()
	db := connect(t, s.dsn)
	defer db.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the statement has told
	if tag, err := db.Exec(t.Context(), sql); err != nil || tag.RowsAffected() == 0 {
		t.Fatalf("%s: %s, %v", sql, tag, err)
	}
}

func (s served) one(t *testing.T, to any, sql string) {
	t.Helper()
	db := connect(t, s.dsn)
	defer db.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the statement has told
	if err := db.QueryRow(t.Context(), sql).Scan(to); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// copied gives the DSN of a copy of a database that nobody uses.
func copied(t *testing.T, dsn string) string {
	t.Helper()
	at, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(at.Path, "/")
	server, other := *at, *at
	server.Path, other.Path = "/postgres", "/"+name+"_copy"
	run := func(ctx context.Context, sql string) error {
		db, err := pgx.Connect(ctx, server.String())
		if err != nil {
			return err
		}
		defer db.Close(ctx) //nolint:errcheck // the statement has told
		_, err = db.Exec(ctx, fmt.Sprintf(sql, name+"_copy", name))
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // until the last connection has ended
		if err = run(t.Context(), `CREATE DATABASE %q TEMPLATE %q`); err == nil {
			break
		}
		if fault := (*pgconn.PgError)(nil); !errors.As(err, &fault) || fault.Code != "55006" || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := run(context.Background(), `DROP DATABASE IF EXISTS %q WITH (FORCE) -- %s`); err != nil {
			t.Error(err)
		}
	})
	return other.String()
}
