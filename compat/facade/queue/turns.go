package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// turns lets the calls of this replica come to their keys one after the other, before they take a connection: those that wait for one hot account would have
// all connections otherwise, and calls on other accounts none.
type turns struct {
	mu    sync.Mutex
	lines map[int64][]chan struct{} // by lock: the first has its turn, the others are told when it is theirs
}

func newTurns() *turns { return &turns{lines: map[int64][]chan struct{}{}} }

// take waits for the turn on each of locks, which are in the order in which all take them. An error: ctx has ended, nothing is taken.
func (t *turns) take(ctx context.Context, locks []int64) error {
	for i, lock := range locks {
		turn := make(chan struct{})
		t.mu.Lock()
		t.lines[lock] = append(t.lines[lock], turn)
		first := len(t.lines[lock]) == 1
		t.mu.Unlock()
		if first {
			continue
		}
		select {
		case <-turn:
		case <-ctx.Done():
			t.leave(lock, turn)
			t.give(locks[:i])
			return fmt.Errorf("wait for the calls before it on its accounts: %w", context.Cause(ctx))
		}
	}
	return nil
}

// give ends the turn on locks.
func (t *turns) give(locks []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, lock := range locks {
		t.out(lock, 0)
	}
}

// leave takes one out of the line who may have got his turn meanwhile.
func (t *turns) leave(lock int64, turn chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out(lock, slices.Index(t.lines[lock], turn))
}

func (t *turns) out(lock int64, at int) {
	line := slices.Delete(t.lines[lock], at, at+1)
	if len(line) == 0 {
		delete(t.lines, lock)
		return
	}
	t.lines[lock] = line
	if at == 0 {
		close(line[0])
	}
}
