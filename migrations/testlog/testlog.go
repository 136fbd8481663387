// Package testlog keeps what a program logs, for tests that look for a line in it.
//
// It promises that a line that was logged is counted from then on; it is safe for concurrent use.
//
// Files: testlog.go is all there is.
package testlog

import (
	"log/slog"
	"strings"
	"sync"
)

// Lines keeps what is logged. Its zero value is ready.
type Lines struct {
	mu  sync.Mutex
	all []string
}

// Write implements io.Writer: a call is a line.
func (l *Lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	return len(line), nil
}

// Logger logs into it, as text.
func (l *Lines) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Count gives in how many lines a text is.
func (l *Lines) Count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
