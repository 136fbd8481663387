package faults

import (
	"context"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/migrations/pgtest"
)

// TestPrimaryTimesOut holds back one answer of the primary, and one call, until the façade gives up. The clients that wait for another one's account wait; others
// go on.
func TestPrimaryTimesOut(t *testing.T) {
	t.Parallel()
	for _, in := range both {
		for name, booked := range map[string]bool{"after it booked": true, "before it booked": false} {
			t.Run(string(in)+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, plan{mode: in, facade: quick})
				way := w.toBank
				if in.Primary() == mode.BK {
					way = w.toBK
				}
				l := startLoad(t, pace, w.targets...)
				l.more(30)
				l.enter("one call times out")
				way.meets(once(says("the lost one"), lost(booked)))
				token := make(chan string, 1)
				lost := trade(firstAccount, "the lost one")
				go func() {
					text, _ := l.once("POST", w.targets[0].API+"/trades", encode([]any{lost}))
					token <- text
				}()
				l.more(60)
				first := <-token
				// Bank's client is told that nobody knows; BK is asked again under the same keys, so its client just waits.
				if want := map[mode.System]string{mode.Bank: "504 outcome_unknown", mode.BK: "202"}[in.Primary()]; first != want {
					t.Errorf("the client of the lost call saw %q, want %q", first, want)
				}
				l.enter("after it")
				if _, ok := l.book(0, lost); !ok {
					t.Fatal("the same again was not taken")
				}
				l.more(60)
				l.all()
				w.agree(l)
			})
		}
	}
}

// TestBankRestarts ends Bank in order, and kills it (-9), under load.
func TestBankRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{mode: mode.BankPrimary, apart: roleBank, facade: quick})
	l := startLoad(t, pace, w.targets...)
	l.more(50)
	for _, phase := range []string{"Bank is ended", "Bank is killed"} {
		l.enter(phase)
		if phase == "Bank is killed" {
			w.bank.kill()
		} else {
			w.bank.stop()
		}
		w.bank.start()
		l.more(80)
		l.saw(phase, "500 internal", "504 outcome_unknown")
	}
	l.saw("before")
	w.agree(l)
}

// TestLeaderKilled kills BK's leader (-9) under load; another node takes over.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plan{mode: mode.BKPrimary, apart: roleBK, facade: quick})
	standby := w.part(settings{Role: roleBK, Postgres: w.bkDSN, Listen: address(t), Other: address(t)}, plan{apart: roleBK})
	l := startLoad(t, pace, w.targets...)
	l.more(50)
	l.enter("BK's leader killed")
	w.bk.kill()
	w.toBK.lead(standby.settings.Listen)
	l.more(80)
	l.saw("before")
	l.saw("BK's leader killed")
	t.Logf("the longest wait: %s", l.longest["BK's leader killed"])
	w.agree(l)
}

// TestOwnPostgresRestarts kills the façade's own Postgres under load.
func TestOwnPostgresRestarts(t *testing.T) {
	t.Parallel()
	for _, in := range both {
		t.Run(string(in), func(t *testing.T) {
			t.Parallel()
			own := pgtest.Cluster(t)
			w := newWorld(t, plan{mode: in, postgres: own.DSN(), facade: func(cfg *facade.Config) {
				quick(cfg)
				if in.Primary() == mode.Bank {
					cfg.Lease = time.Minute // it doesn't run out: no call's outcome is unknown
				}
			}})
			l := startLoad(t, pace, w.targets...)
			l.more(50)
			l.enter("the façade's Postgres away")
			if err := own.Kill(); err != nil {
				t.Fatal(err)
			}
			if in.Primary() == mode.BK { // what needs nothing of it goes on
				l.more(10)
			} else {
				eventually(t, "a write that is refused", func() bool { return l.count("the façade's Postgres away", "500 internal") > 0 })
			}
			for _, path := range map[mode.System][]string{mode.Bank: {"/business-date", "/accounts/100018/balances"}, mode.BK: {"/business-date", "/accounts/100018"}}[in.Primary()] {
				if status, _ := l.once("GET", w.targets[0].API+path, nil); status != "200" {
					t.Errorf("GET %s: %s", path, status)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := own.Start(ctx); err != nil {
				t.Fatal(err)
			}
			l.more(80)
			l.saw("before")
			may := []string{"500 internal"}
			if in.Primary() == mode.BK {
				may = append(may, "504 outcome_unknown") // calls that are open when the lease runs out
			}
			l.saw("the façade's Postgres away", may...)
			w.agree(l)
		})
	}
}
