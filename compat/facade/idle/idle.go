// Package idle waits between two tries, for as long as the context lets it.
package idle

import (
	"context"
	"time"
)

// For waits for d; it gives false if ctx ends before.
func For(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
