package mode

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// TestOutlook: what it gives is of one instant; a step that is overdue is ended by whoever looks, so that nobody has to wait for a coordinator that is gone.
func TestOutlook(t *testing.T) {
	t.Parallel()
	dsn := database(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	must(t, err)
	defer pool.Close()
	if history, latest, err := Outlook(t.Context(), pool); err != nil || len(history) != 0 || latest != nil {
		t.Fatalf("fresh: %v, %+v, %v", history, latest, err)
	}
	k, stop := start(t, config(dsn, "a"))
	history, latest, err := Outlook(t.Context(), pool)
	if err != nil || len(history) != 1 || latest != nil {
		t.Fatalf("begun: %v, %+v, %v", history, latest, err)
	}
	must(t, k.Switch(t.Context(), ask(BankPrimary)))
	history, latest, err = Outlook(t.Context(), pool)
	if err != nil || len(history) != 2 || latest == nil || latest.Ended == nil || latest.Outcome != "done" || RelayRelease(latest.ID) <= RelayHold(latest.ID) ||
		RelayHold(latest.ID+1) <= RelayRelease(latest.ID) {
		t.Fatalf("a step: %v, %+v, %v", history, latest, err)
	}
	stop()
	insert := func(left string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), `INSERT INTO facade.switch (from_epoch, to_mode, who, why, coordinator, drain_until) VALUES (2, $1, 'anna', 'test', 'gone', clock_timestamp() + $2::interval)`,
			string(BKPrimary), left); err != nil {
			t.Fatal(err)
		}
	}
	insert("1 hour")
	_, latest, err = Outlook(t.Context(), pool)
	if err != nil || latest.Ended != nil || latest.To != BKPrimary {
		t.Fatalf("under way: %+v, %v", latest, err)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE facade.switch SET drain_until = clock_timestamp() WHERE id = $1`, latest.ID); err != nil {
		t.Fatal(err)
	}
	_, latest, err = Outlook(t.Context(), pool)
	if err != nil || latest.Ended == nil || latest.Outcome != "given up" {
		t.Fatalf("overdue: %+v, %v", latest, err)
	}
}
