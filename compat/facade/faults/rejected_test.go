package faults

import (
	"net/http"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/shadow"
)

const (
	itsAccount = firstAccount + accounts // whose rows are rejected
	itsEntity  = entity + 1
)

// TestSecondaryRejects has the secondary refuse what the primary did. What hangs on it waits, the rest goes on. The cause is mended, the row retried.
func TestSecondaryRejects(t *testing.T) {
	t.Parallel()
	for _, in := range both {
		t.Run(string(in), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{mode: in})
			l := startLoad(t, pace, w.targets...)
			l.more(30)
			l.enter("rejected")
			owner := bank.Entity{EntityID: itsEntity, ClientCode: "R", LegalName: "Rejected"}
			account := bank.NewAccount{AccountID: itsAccount, EntityID: itsEntity, Name: "R"}
			if in.Primary() == mode.Bank { // somebody has told BK something else about the entity
				w.change(w.dsn, `INSERT INTO facade.books_entity (entity_id, body) VALUES ($1, $2)`, itsEntity, `{"entity_id":"8","client_code":"R","legal_name":"Somebody else"}`)
			}
			l.direct(w.targets[0].Operations, "/entities", owner)
			l.direct(w.targets[0].Operations, "/accounts", account)
			if in.Primary() == mode.BK { // somebody takes the account away from Bank
				eventually(t, "the account at Bank", func() bool {
					token, _ := l.once("GET", w.direct.API+"/accounts/"+account.AccountID.String(), nil)
					return token == "200"
				})
				w.change(w.bankDSN, `DELETE FROM bank.account WHERE account_id = $1`, itsAccount)
			}
			for _, name := range []string{"rejected 1", "rejected 2"} {
				if _, ok := l.book(0, trade(itsAccount, name)); !ok {
					t.FailNow()
				}
			}
			rows := w.blocked(in.Secondary())
			if want := map[mode.System]string{mode.BK: "conflict", mode.Bank: "unknown_account"}[in.Secondary()]; len(rows) != 1 || !strings.Contains(rows[0].Reason, want) {
				t.Errorf("blocked: %+v, want one for %s", rows, want)
			}
			l.more(60) // the others
			eventually(t, "the rejected row and those that wait, in the status", func() bool {
				b := w.backlog(in.Secondary())
				return b.Blocked == 1 && b.Rows > 0
			})
			l.enter("mended")
			if in.Primary() == mode.Bank {
				w.change(w.dsn, `DELETE FROM facade.books_entity WHERE entity_id = $1`, itsEntity)
			} else {
				l.direct(w.direct.Operations, "/accounts", account)
			}
			w.row(in.Secondary(), rows[0].Position, "retry", struct{}{}, http.StatusOK)
			l.more(30)
			l.all()
			w.agree(l)
		})
	}
}

// TestRowSkipped: the secondary has booked something else under the same name, past the façade. Somebody skips the row; the systems differ in that trade, and in nothing else.
func TestRowSkipped(t *testing.T) {
	t.Parallel()
	for _, in := range both {
		t.Run(string(in), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plan{mode: in})
			l := startLoad(t, pace, w.targets...)
			account := bank.NewAccount{AccountID: itsAccount, EntityID: entity, Name: "R"}
			l.direct(w.targets[0].Operations, "/accounts", account)
			l.more(30)
			l.enter("rejected")
			other := w.direct
			if in.Secondary() == mode.BK {
				other = w.atBK()
			}
			eventually(t, "the account at the secondary", func() bool {
				token, _ := l.once("GET", other.API+"/accounts/"+account.AccountID.String(), nil)
				return token == "200"
			})
			its := trade(itsAccount, "taken")
			its["quantity"] = "7"
			if in.Secondary() == mode.BK {
				l.elsewhere(other.API+"/trades", []any{its})
			} else { // under an id that BK doesn't come to
				l.elsewhere(other.Operations+"/replay", map[string]any{"trade_id": "1099511627776", "booked_at": 1381132800464, "request": its})
			}
			skipped, ok := l.book(0, trade(itsAccount, "taken"))
			if !ok {
				t.FailNow()
			}
			rows := w.blocked(in.Secondary())
			if len(rows) != 1 || !strings.Contains(rows[0].Reason, "conflict") {
				t.Errorf("blocked: %+v", rows)
			}
			if _, ok := l.book(0, trade(itsAccount, "behind it")); !ok {
				t.FailNow()
			}
			l.more(30)
			l.enter("skipped")
			w.row(in.Secondary(), rows[0].Position, "skip", facade.SkipRequest{Why: "seen to"}, http.StatusInternalServerError)
			w.row(in.Secondary(), rows[0].Position, "skip", facade.SkipRequest{Who: "anna", Why: "seen to"}, http.StatusOK)
			l.more(30)
			eventually(t, "the row among the divergences", func() bool { return w.backlog(in.Secondary()).Divergences["skipped"] == 1 })
			table := map[mode.System]string{mode.BK: "facade.queue", mode.Bank: "facade.feed"}[in.Secondary()]
			if n := count(t, w.dsn, `SELECT count(*) FROM `+table+` WHERE position = $1 AND outcome = 'skipped' AND who = 'anna' AND reason LIKE '%seen to%'`, rows[0].Position); n != 1 {
				t.Error("who skipped it, and why, is not kept")
			}
			l.all()
			compared := w.compare(l)
			if compared.Differing == 0 || len(compared.Differences) < compared.Differing {
				t.Errorf("%d differ", compared.Differing)
			}
			for _, d := range compared.Differences {
				if d.Account != itsAccount && !(d.Kind == shadow.KindTrade && strings.HasSuffix(d.What, "/"+skipped[0].id.String())) {
					t.Errorf("differs as well: %v", d)
				}
			}
		})
	}
}
