package legacy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank/front"
)

// Bank keeps the books. It implements [front.Ledger]; its methods may be called from any goroutine, and several Banks may work on one database.
type Bank struct {
	pool    *pgxpool.Pool // reads, and what takes a statement
	writers *pgxpool.Pool // transactions: apart from reads, since they wait while a roll is on its way
	log     *slog.Logger
	metrics *metrics
	wake    chan struct{} // the relay's
	rolls   rolls
	life    context.Context
	end     context.CancelFunc
}

var _ front.Ledger = (*Bank)(nil)

// Open opens the books in a migrated database (see [Migrate]). A roll that was interrupted is finished first, in the background; bookings wait for it. ctx bounds the
// opening only. Of the configuration it takes DSN, Connections and Log.
func Open(ctx context.Context, cfg Config) (*Bank, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("bank: configuration: %w", err)
	}
	b := &Bank{log: cfg.Log, metrics: newMetrics(), wake: make(chan struct{}, 1)}
	b.life, b.end = context.WithCancel(context.Background())
	var err error
	if b.pool, err = connect(ctx, cfg.DSN, cfg.Connections); err != nil {
		return nil, err
	}
	if b.writers, err = connect(ctx, cfg.DSN, cfg.Connections); err != nil {
		b.pool.Close()
		return nil, err
	}
	at, err := one(ctx, b.pool, "the business date", nil, pgx.RowToStructByPos[dates], `SELECT date, rolling_to FROM bank.business_date`)
	if err != nil {
		b.Close()
		return nil, err
	}
	if at.RollingTo != 0 {
		b.log.Info("an interrupted roll goes on", "from", int32(at.Date), "to", int32(at.RollingTo))
		b.startRoll(0)
	}
	return b, nil
}

func connect(ctx context.Context, dsn string, connections int) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("bank: configuration: DSN: cannot be read as a Postgres URL or list of settings") // pgx's error may show the password
	}
	cfg.MaxConns = int32(connections)
	cfg.ConnConfig.RuntimeParams["application_name"] = "bank"
	cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = "read committed" // what is read after a lock is what the one before left
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("bank: connect to the database: %w", err)
	}
	return pool, nil
}

// Close ends a roll between two of its chunks and closes the connections, once no call uses them any more.
func (b *Bank) Close() {
	b.end()
	b.rolls.wg.Wait()
	b.pool.Close()
	b.writers.Close()
}

// relayWake says that there is something to publish.
func (b *Bank) relayWake() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
