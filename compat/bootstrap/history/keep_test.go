package history_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

// TestReferred: by the façade's own schema, rows that are loaded together never refer to each other.
func TestReferred(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	if err := schema.Up(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing hangs on it
	rows, err := db.Query(t.Context(), `SELECT conrelid::regclass::text AS row, confrelid::regclass::text AS to FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text = ANY($1)`, history.Tables())
	if err != nil {
		t.Fatal(err)
	}
	type reference struct{ Row, To string }
	references, err := pgx.CollectRows(rows, pgx.RowToStructByName[reference])
	if err != nil {
		t.Fatal(err)
	}
	if len(references) == 0 {
		t.Fatal("no table refers to another: the order of loading needs no rule any more")
	}
	for _, r := range references {
		if !history.Referred(r.To) || history.Referred(r.Row) {
			t.Errorf("%s refers to %s, and may be loaded before it", r.Row, r.To)
		}
	}
}
