package legacy

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
)

// RunRelay runs a relay over a database until ctx ends; acked is called between the broker's answer and the delete.
func RunRelay(ctx context.Context, dsn, broker string, log *slog.Logger, acked func()) {
	r := &relay{dsn: dsn, brokers: []string{broker}, partitions: 4, log: log, wake: make(chan struct{}), metrics: newMetrics(), acked: acked}
	r.run(ctx)
}

// Writers gives the pool of the transactions.
func (b *Bank) Writers() *pgxpool.Pool { return b.writers }

// DateLock is the advisory lock of the business date.
const DateLock = dateLock

// RollChunk is how many trades a roll takes in one transaction.
const RollChunk = rollChunk

// SettleDate and Fees give what the tables say, for tests of the tables.
var (
	SettleDate = settleDate
	Amounts    = amounts
)
