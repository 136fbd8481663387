package endtoend_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/bkledger/bk/compat/cutover"
	"github.com/bkledger/bk/compat/cutover/gate"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/migrations/await"
	"github.com/bkledger/bk/migrations/pgtest"
)

// gateBook is a runbook of one step behind one gate.
const gateBook = `name: gate
stage: bk-only
arm-for: 1h
targets:
  bank: %s
  bank-operations: %s
  bk: %s
  facade: %s
  streams: [%s]
  databases: {bank: "%s", facade: "%s", bk: "%s", own: "%s"}
steps:
  - name: step
    gates:
      - %s
    command: {argv: ["/usr/bin/touch", "%s"]}
    back: []
`

// through runs a step behind a gate, dry and live, and gives what the gate said.
func (w *world) through(t *testing.T, text string, dry bool, log, file, token string) (cutover.Result, error) {
	t.Helper()
	text = fmt.Sprintf(gateBook, w.bank.API, w.bank.Operations, w.bk, w.facade.Admin, w.stream, w.bankDSN, w.facade.DSN, w.bkDSN, w.ownDSN, text, file)
	book, err := cutover.Parse([]byte(text), nil, os.LookupEnv)
	must(t, err)
	return cutover.Run(t.Context(), cutover.Config{Runbook: book, Dir: log, Dry: dry, Arm: token, Who: "anna", Out: t.Output()})
}

// gateCase is a gate, and how what it looks at is broken and mended.
type gateCase struct {
	gate, why   string
	breaks, fix func()
}

// gateCases has one for each kind of gate at least.
func (w *world) gateCases(t *testing.T) map[string]gateCase {
	sql := func(dsn, statement string) func() { return func() { w.sql(dsn, statement) } }
	report := filepath.Join(t.TempDir(), "parity.json")
	says := func(text string, age time.Duration) func() {
		return func() {
			must(t, os.WriteFile(report, []byte(fmt.Sprintf(text, time.Now().Add(-age).UTC().Format(time.RFC3339))), 0o600))
		}
	}
	const clean, unclean = `{"at": %q, "compared": 10, "unexplained": 0}`, `{"at": %q, "compared": 10, "unexplained": 1, "causes": [{"kind": "missing"}]}`
	says(clean, 0)()
	size := w.one(w.bkDSN, `SELECT pg_database_size(current_database())`)
	var taken []*pgx.Conn
	var standby *pgconn.PgConn
	return map[string]gateCase{
		"replication-lag": {"replication-lag: {database: bank, max: 10s}", "standby replica-1 (streaming) is 60.000 s",
			sql(w.bankDSN, `CREATE FUNCTION aurora_replica_status() RETURNS TABLE (server_id text, session_id text, replica_lag_in_msec double precision)
				LANGUAGE sql AS $$ VALUES ('primary', 'MASTER_SESSION_ID', NULL), ('replica-1', 'a-session', 60000) $$`), sql(w.bankDSN, `DROP FUNCTION aurora_replica_status()`)},
		"stream-lag": {"stream-lag: {partitions: 1}", "offsets behind", func() {
			w.brake.hold(true)
			w.post(w.facade.API+"/trades", w.trade())
			await.Until(t, "the stream lags", func() bool { return w.streamLag(t) > 0 })
		}, func() {
			w.brake.hold(false)
			await.Until(t, "the stream has caught up", func() bool { return w.streamLag(t) == 0 })
		}},
		"queues-drained": {"queues-drained: {}", "the outcome of 1 calls is open", sql(w.facade.DSN, `INSERT INTO facade.intent (epoch, kind, keys, size, request, replica, opened_at, until)
			VALUES (1, 'trades', '{999}', 1, '{}', 'test', now(), now() + interval '1 hour')`), sql(w.facade.DSN, `DELETE FROM facade.intent`)},
		"none-blocked": {"none-blocked: {}", "1 rows of the queue were rejected", sql(w.facade.DSN, `INSERT INTO facade.queue (origin, epoch, kind, keys, size, request, attempts, next_try, reason)
			VALUES (-1, 1, 'trades', '{999}', 1, '{}', 1, now() + interval '1 hour', 'for the test')`), sql(w.facade.DSN, `DELETE FROM facade.queue WHERE origin = -1`)},
		"no-upload": {"no-upload: {}", "Bank works off 1 files", sql(w.bankDSN, `
			CREATE FUNCTION public.stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'for the test'; END $$;
			CREATE TRIGGER stuck BEFORE UPDATE ON bank.upload EXECUTE FUNCTION public.stuck();
			INSERT INTO bank.upload (kind, upload_id, name, created_at, updated_at, status) VALUES ('insert', 'x', 'x', 0, 0, 'running')`),
			sql(w.bankDSN, `DELETE FROM bank.upload; DROP TRIGGER stuck ON bank.upload; DROP FUNCTION public.stuck()`)},
		"sequences": {"sequences: {}", "Bank's sequence of trade ids is at 1, behind the last one there is", sql(w.bankDSN, `SELECT setval('bank.trade_id', 1)`),
			sql(w.bankDSN, `SELECT setval('bank.trade_id', (SELECT max(trade_id) FROM bank.trade))`)},
		"ledgers-match": {"ledgers-match: {wait: 1s}", "position", sql(w.bankDSN, `UPDATE bank.position SET quantity = quantity + 1`), sql(w.bankDSN, `UPDATE bank.position SET quantity = quantity - 1`)},
		"trades-in-place": {"trades-in-place: {wait: 1s}", "open, of 20131007, settling 20131011: 1 at Bank, 0 at BK",
			sql(w.bankDSN, `UPDATE bank.trade SET settle_date = 20131011 WHERE trade_id = 1`), sql(w.bankDSN, `UPDATE bank.trade SET settle_date = 20131010 WHERE trade_id = 1`)},
		"parity-clean":       {"parity-clean: {file: " + report + ", max-age: 10m}", "1 are unexplained; the first: missing", says(unclean, 0), says(clean, 0)},
		"parity-clean, old":  {"parity-clean: {file: " + report + ", max-age: 10m}", "ago; it may be 10m0s old", says(clean, 11*time.Minute), says(clean, 0)},
		"parity-clean, none": {"parity-clean: {file: " + report + ", max-age: 10m}", "it can't be found out", func() { must(t, os.Remove(report)) }, says(clean, 0)},
		"disk": {fmt.Sprintf("disk: {database: bk, max: %d}", size+8<<20), "database bk has", sql(w.bkDSN, `CREATE TABLE public.filler AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 20000) n`),
			sql(w.bkDSN, `DROP TABLE public.filler`)},
		"connections": {"connections: {database: own, max: 30%}", "connections are taken, above 30%", func() {
			for range 40 {
				conn, err := pgx.Connect(t.Context(), w.ownDSN)
				must(t, err)
				taken = append(taken, conn)
			}
		}, func() {
			for _, conn := range taken {
				must(t, conn.Close(context.Background()))
			}
			taken = nil
		}},
		"replication-lag, of Postgres": {"replication-lag: {database: own, replicas: 0}", "standby a-standby (streaming) is", func() {
			config, err := pgconn.ParseConfig(w.ownDSN)
			must(t, err)
			config.RuntimeParams["replication"], config.RuntimeParams["application_name"] = "true", "a-standby"
			standby, err = pgconn.ConnectConfig(t.Context(), config)
			must(t, err)
			place, err := standby.Exec(t.Context(), "IDENTIFY_SYSTEM").ReadAll()
			must(t, err)
			standby.Frontend().Send(&pgproto3.Query{String: "START_REPLICATION PHYSICAL " + string(place[0].Rows[0][2])}) // it never says how far it has come
			must(t, standby.Frontend().Flush())
			await.Until(t, "the replica follows", func() bool {
				return w.one(w.ownDSN, `SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'`) == 1
			})
		}, func() {
			_ = standby.Conn().Close() // without a word
			await.Until(t, "the replica is gone", func() bool { return w.one(w.ownDSN, `SELECT count(*) FROM pg_stat_replication`) == 0 })
		}},
		"ready": {"ready: {}", "replica gone has not ended in order", sql(w.facade.DSN, `INSERT INTO facade.replica (run, name, admin, lease_until, renewed_at, epoch) VALUES ('gone', 'gone', '', now() - interval '1 minute', now(), 1)`),
			sql(w.facade.DSN, `DELETE FROM facade.replica WHERE run = 'gone'`)},
		"mode": {"mode: {is: bank-primary-bk-secondary}", "the façade is in bank-only", func() { must(t, w.facade.Switch(t.Context(), mode.BankOnly)) },
			func() { must(t, w.facade.Switch(t.Context(), mode.BankPrimary)) }},
		"sql": {`sql: {database: bank, statement: "SELECT count(*) FROM bank.entity", expect: [["1"]]}`, "the answer is 1 rows [[2]], and should be [[1]]",
			sql(w.bankDSN, `INSERT INTO bank.entity VALUES (99, 'x', 'x')`), sql(w.bankDSN, `DELETE FROM bank.entity WHERE entity_id = 99`)},
	}
}

// TestGates: each built-in gate stops a run, dry and live, while its condition is broken, and lets it through when it is mended.
func TestGates(t *testing.T) {
	t.Parallel()
	w := start(t, mode.BankPrimary)
	w.ownDSN = pgtest.Cluster(t).DSN()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, w.facade.Drained(ctx))
	cases := w.gateCases(t)
	for _, kind := range gate.Kinds() {
		if _, ok := cases[kind]; !ok {
			t.Errorf("there is no test of %s", kind)
		}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			log, file := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "done")
			kind, _, _ := strings.Cut(name, ",")
			done := func() bool { _, err := os.Stat(file); return err == nil }
			dry, err := w.through(t, "{"+c.gate+", within: 30s}", true, log, file, "")
			if err != nil {
				t.Fatalf("it is fine: %v", err)
			}
			c.breaks()
			mended := false
			defer func() {
				if !mended {
					c.fix()
				}
			}()
			if _, err := w.through(t, c.gate, true, filepath.Join(t.TempDir(), "log"), file, ""); !errors.Is(err, cutover.ErrFailed) || !strings.Contains(err.Error(), "gate "+kind+": ") || !strings.Contains(err.Error(), c.why) {
				t.Errorf("dry: %v", err)
			}
			again := filepath.Join(t.TempDir(), "log") // a live run, armed before it broke
			c.fix()
			patient := "{" + c.gate + ", within: 4s}" // the façade's own figures are a second old
			armed, err := w.through(t, patient, true, again, file, "")
			if err != nil {
				t.Fatalf("mended: %v", err)
			}
			c.breaks()
			if _, err := w.through(t, patient, false, again, file, armed.Token); !errors.Is(err, cutover.ErrWentBack) || !strings.Contains(err.Error(), c.why) || done() {
				t.Errorf("live: %v, done: %t", err, done())
			}
			c.fix()
			mended = true
			if result, err := w.through(t, "{"+c.gate+", within: 30s}", false, log, file, dry.Token); err != nil || result.Outcome != cutover.OutcomeDone || !done() {
				t.Errorf("live, mended: %v, done: %t", err, done())
			}
		})
	}
}

// streamLag is how far the stream is behind.
func (w *world) streamLag(t *testing.T) (lag int64) {
	t.Helper()
	var status struct {
		Ready      bool
		Partitions []struct{ Lag int64 }
	}
	must(t, gate.Ask(t.Context(), w.stream, "/status", false, &status))
	for _, p := range status.Partitions {
		lag += p.Lag
	}
	if lag == 0 && !status.Ready {
		return 1
	}
	return lag
}
