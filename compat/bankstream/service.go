package bankstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Service is one instance of the stream.
type Service struct {
	cfg     Config
	metrics *metrics

	mu      sync.Mutex
	session *session // nil while there is none
	err     error    // why the last one ended
	since   time.Time
}

// New makes an instance. It calls nobody yet.
func New(cfg Config) (*Service, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	s := &Service{cfg: cfg, since: time.Now()}
	var err error
	if s.metrics, err = newMetrics(s, cfg.Metrics); err != nil {
		return nil, fmt.Errorf("stream: metrics: %w", err)
	}
	return s, nil
}

// Run translates until ctx ends, which is no error, or for ever: [ErrFenced] and [ErrTopics] end it. It may be called once.
func (s *Service) Run(ctx context.Context) error {
	for pause := s.cfg.BackoffMin; ; {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrFenced) || errors.Is(err, ErrTopics) {
			s.cfg.Log.ErrorContext(ctx, "the stream ends", "error", err)
			return err
		}
		if time.Since(began) > 2*s.cfg.BackoffMax+s.cfg.SessionTimeout {
			pause = s.cfg.BackoffMin
		}
		s.metrics.sessions.Inc()
		s.cfg.Log.WarnContext(ctx, "the stream's session ended, another one begins", "in", pause, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(jitter(pause)):
		}
		pause = min(2*pause, s.cfg.BackoffMax)
	}
}

// once is one session.
func (s *Service) once(ctx context.Context) error {
	n, err := s.open(ctx)
	if err != nil {
		s.now(nil, err)
		return err
	}
	s.now(n, nil)
	defer func() { n.close(ctx.Err() != nil) }()
	err = n.run(ctx)
	s.now(nil, err)
	return err
}

func (s *Service) now(n *session, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session, s.err, s.since = n, err, time.Now()
}

// current gives the session, nil while there is none, and why the last one ended.
func (s *Service) current() (n *session, since time.Time, ended error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session, s.since, s.err
}

// Skip leaves out the event at which a partition stands as poisoned: exactly that offset. Who and why, and the error, are kept in the changelog in the transaction that leaves it out, for
// ever. What the event moved is missing in its account's running totals from then on. It returns when that is committed; after an error by ctx it may still be done, and asking again tells.
// [ErrNoSkip] says that the partition does not stand there.
func (s *Service) Skip(ctx context.Context, partition int32, offset int64, who, why string) error {
	if who == "" || why == "" {
		return errors.New("skip an event: who and why are needed")
	}
	n, _, err := s.current()
	if n == nil {
		return fmt.Errorf("skip an event: the stream has no session: %w", err)
	}
	wish := &skipping{offset: offset, who: who, why: why, done: make(chan error, 1)}
	if err := n.wish(partition, wish); err != nil {
		return fmt.Errorf("skip offset %d of partition %d: %w", offset, partition, err)
	}
	select {
	case err := <-wish.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("skip offset %d of partition %d: %w", offset, partition, ctx.Err())
	}
}

func (n *session) wish(id int32, wish *skipping) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.partitions[id]
	switch {
	case p == nil:
		return fmt.Errorf("%w: partition %d is not on this instance", ErrNoSkip, id)
	case p.phase != Poisoned || p.at != wish.offset:
		return fmt.Errorf("%w: partition %d is %s, at offset %d", ErrNoSkip, id, p.phase, p.at)
	case p.skip != nil:
		return fmt.Errorf("%w: it is being left out already", ErrNoSkip)
	}
	wish.poison = p.err.Error()
	p.skip = wish
	return nil
}
