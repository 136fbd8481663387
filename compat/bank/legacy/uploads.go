package legacy

import (
	"context"
	"fmt"
	"sync"

	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/bank/upload"
)

// uploads takes uploads in, and works them off until ctx ends. What is left then is gone on with by the next to run, at the row that was next.
func (b *Bank) uploads(ctx context.Context, work *sync.WaitGroup) (front.Uploads, error) {
	store, err := upload.New(upload.Config{Pool: b.pool, Schema: "bank", Log: b.log})
	if err != nil {
		return nil, fmt.Errorf("bank: uploads: %w", err)
	}
	worker, err := upload.NewWorker(store, b, upload.WorkerConfig{})
	if err != nil {
		return nil, fmt.Errorf("bank: uploads: %w", err)
	}
	work.Go(func() { worker.Run(ctx) })
	return store, nil
}
