package books_test

import (
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
)

// TestOnce: who tries again himself hears at once that BK is away, not after the time for which others' calls are tried.
func TestOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := w.trade("")
	_, l := w.replica(books.Config{RetryFor: time.Hour, ReadFor: time.Hour})
	w.server.stop()
	ctx := books.Once(t.Context())
	failed := make(chan error, 3)
	go func() {
		_, err := l.ReplayAll(ctx, []bank.Replay{{TradeID: 5, BookedAt: 5, Request: &request}})
		failed <- err
		_, err = l.BusinessDate(ctx)
		failed <- err
		failed <- l.Roll(ctx, 20131008)
	}()
	for range cap(failed) {
		select {
		case err := <-failed:
			if err == nil {
				t.Error("done without BK")
			}
		case <-time.After(patience):
			t.Fatal("it is tried again")
		}
	}
}
