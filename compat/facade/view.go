package facade

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
)

// View shows what BK has in Bank's API, in every mode, for reading alone: for comparing it with Bank. It takes no part in modes, and writes nothing.
type View struct {
	pool   *pgxpool.Pool
	client *client.Client
	ledger *books.Ledger
	api    http.Handler
	epoch  mode.Epoch
}

// OpenView opens a view of a façade's BK. postgres is the DSN of the façade's database, as a running façade has it. log gets the causes of answers that are internal.
func OpenView(ctx context.Context, bk, postgres string, log *slog.Logger) (v *View, err error) {
	v = &View{}
	defer func() {
		if err != nil {
			v.Close()
		}
	}()
	config, err := pgxpool.ParseConfig(postgres)
	if err != nil {
		return nil, fmt.Errorf("the façade's database: %w", err)
	}
	config.ConnConfig.RuntimeParams["application_name"] = "hotswap-compare"
	config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	if v.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("the façade's database: %w", err)
	}
	history, err := mode.History(ctx, v.pool)
	if err != nil {
		return nil, fmt.Errorf("the façade's database: %w", err)
	}
	if len(history) == 0 {
		return nil, fmt.Errorf("the façade's database has no mode: no façade has run on it")
	}
	v.epoch = history[len(history)-1]
	if v.client, err = client.New(bk); err != nil {
		return nil, fmt.Errorf("BK: %w", err)
	}
	if v.ledger, err = books.New(books.Config{Client: v.client, Pool: v.pool, IDs: books.NewIDs(books.Minted(history)...), Log: log}); err != nil {
		return nil, fmt.Errorf("BK: %w", err)
	}
	handler, err := front.New(front.Config{Ledger: v.ledger, Log: log})
	if err != nil {
		return nil, fmt.Errorf("Bank's API on BK: %w", err)
	}
	v.api = handler.API()
	return v, nil
}

// Epoch gives the mode that was in force when the view was opened. Behind a switch ids may be told wrongly: open another view.
func (v *View) Epoch() mode.Epoch { return v.epoch }

// Switched reports whether another mode is in force now.
func (v *View) Switched(ctx context.Context) (bool, error) {
	history, err := mode.History(ctx, v.pool)
	return err == nil && len(history) > 0 && history[len(history)-1].Epoch != v.epoch.Epoch, err
}

// Place says how far BK has come.
func (v *View) Place(ctx context.Context) (bank.ReplayPlace, error) { return v.ledger.ReplayPlace(ctx) }

// ServeHTTP implements http.Handler: GET alone.
func (v *View) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		http.Error(w, "a view is for reading", http.StatusMethodNotAllowed)
		return
	}
	v.api.ServeHTTP(w, r)
}

// Close ends it.
func (v *View) Close() {
	if v.ledger != nil {
		v.ledger.Close()
	}
	if v.client != nil {
		v.client.Close()
	}
	if v.pool != nil {
		v.pool.Close()
	}
}
