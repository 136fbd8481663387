package landing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	minPause = 100 * time.Millisecond
	maxPause = 5 * time.Second
)

// Loader lands topics in a warehouse.
type Loader struct {
	cfg      Config
	progress Progress
}

// New makes a loader. It calls nobody yet. The warehouse's tables are there.
func New(cfg Config) (*Loader, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("land topics: %w", err)
	}
	return &Loader{cfg: cfg}, nil
}

// Run lands from where the warehouse stands. It returns when all is landed that the topics had when it began; or, following, when ctx ends (with its error), when something is
// wrong that trying again does not help against (a [GapError], [ErrMadeAnew], [ErrOtherLoader]), or when nothing has worked for the configured patience. Whatever ends it, what was
// landed is whole, and another Run goes on there.
func (l *Loader) Run(ctx context.Context) (Progress, error) {
	worked := time.Now()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		commits := l.progress.Commits
		err := l.session(ctx)
		switch gap := (*GapError)(nil); {
		case err == nil || ctx.Err() != nil || !l.cfg.Follow, errors.As(err, &gap), errors.Is(err, ErrMadeAnew), errors.Is(err, ErrOtherLoader):
			return l.progress, err
		}
		if l.progress.Commits > commits {
			worked, pause = time.Now(), minPause
		}
		if time.Since(worked) > l.cfg.Patience {
			return l.progress, fmt.Errorf("nothing was landed for %s: %w", l.cfg.Patience, err)
		}
		l.cfg.Log.Warn("landing failed, it is tried again", "in", pause, "error", err)
		select {
		case <-ctx.Done():
			return l.progress, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// session lands until something is wrong, or all is landed.
func (l *Loader) session(ctx context.Context) error {
	standings, err := Standings(ctx, l.cfg.Store)
	if err != nil {
		return err
	}
	lands := newLander(l.cfg, l.progress)
	s, err := newSession(l.cfg, lands.resume(standings))
	if err != nil {
		return err
	}
	defer s.close()
	err = lands.land(ctx, s.read)
	l.progress = lands.progress
	return err
}
