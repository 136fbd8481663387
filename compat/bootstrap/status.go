package bootstrap

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/bootstrap/store"
)

// PhaseStatus is how far a phase is.
type PhaseStatus struct {
	Phase  string `json:"phase"`
	Done   int    `json:"chunks_done"`
	Chunks int    `json:"chunks"` // 0: not known yet
	Rows   int64  `json:"rows"`
	Ended  bool   `json:"ended"`
}

// Status is how far a bootstrap is, by its work store.
type Status struct {
	Plan       *Plan          `json:"plan"` // nil: nothing was begun
	Place      *source.Place  `json:"place,omitempty"`
	Phases     []PhaseStatus  `json:"phases"`
	Rules      history.Counts `json:"rules,omitempty"`
	Quarantine map[string]int `json:"quarantine,omitempty"` // rows by rule, once stage has ended
	Fixed      int            `json:"fixed"`                // of them: something was decided
	Now        *Progress      `json:"now,omitempty"`        // of the process that is at it, or was
	Report     *Report        `json:"report,omitempty"`     // verify's
}

const progressDoc = "progress.json"

// find gives the row of a key.
func find(from *source.Reader, key string) (source.Row, error) {
	for {
		row, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if bad := (*source.BadRow)(nil); errors.As(err, &bad) && bad.Key != key {
			continue
		}
		if err != nil {
			return nil, err
		}
		if row.Key() == key {
			return row, nil
		}
	}
}

// Status gives how far it is. It may be asked while another process is at work.
func (b *Bootstrap) Status(ctx context.Context) (s Status, err error) {
	var plan Plan
	there, err := b.find(ctx, planDoc, &plan)
	if err != nil || !there {
		return s, err
	}
	s.Plan = &plan
	var now Progress
	if there, err := b.find(ctx, progressDoc, &now); err != nil {
		return s, err
	} else if there {
		s.Now = &now
	}
	var at extraction
	if there, err = b.find(ctx, extractDoc, &at); err != nil {
		return s, err
	}
	if there {
		s.Place = &at.Place
	}
	extract := PhaseStatus{Phase: "extract", Chunks: len(at.Ranges), Ended: at.Complete}
	transform := PhaseStatus{Phase: "transform"}
	for _, r := range at.Ranges {
		if transforms(r.Table) {
			transform.Chunks++
		}
	}
	count := func(p *PhaseStatus, prefix string, rows func(key string) (int64, error)) error {
		keys, err := b.store.List(ctx, prefix)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if !strings.HasSuffix(key, ".json") {
				continue
			}
			n, err := rows(key)
			if errors.Is(err, store.ErrMissing) {
				continue // made anew meanwhile
			}
			if err != nil {
				return err
			}
			p.Done++
			p.Rows += n
		}
		return nil
	}
	if err := count(&extract, at.folder(), func(key string) (int64, error) {
		var p piece
		err := b.store.Read(ctx, key, &p)
		return p.Object.Rows, err
	}); err != nil {
		return s, err
	}
	s.Rules = history.Counts{}
	if err := count(&transform, "transform/", func(key string) (int64, error) {
		var t transformed
		err := b.store.Read(ctx, key, &t)
		s.Rules.Add(t.Fired)
		return t.Rows, err
	}); err != nil {
		return s, err
	}
	m, err := b.manifest(ctx)
	stage, load := PhaseStatus{Phase: "stage"}, PhaseStatus{Phase: "load"}
	if err == nil {
		transform.Ended, stage.Ended = true, true
		stage.Chunks = len(m.Staged.Objects) + len(m.Staged.Facade)
		stage.Done, load.Chunks = stage.Chunks, stage.Chunks
		stage.Rows = m.Staged.Journal.Summary.Rows
		s.Rules = m.Staged.Report.Fired
		held, err := b.Quarantine(ctx)
		if err != nil {
			return s, err
		}
		s.Quarantine = map[string]int{}
		for _, h := range held {
			s.Quarantine[string(h.Rule)]++
			if h.Patch != nil {
				s.Fixed++
			}
		}
	} else if !errors.Is(err, store.ErrMissing) {
		return s, err
	}
	s.Phases = []PhaseStatus{{Phase: "plan", Done: 1, Chunks: 1, Ended: true}, extract, transform, stage, load}
	return s, b.laterPhases(ctx, &s)
}

func (b *Bootstrap) laterPhases(ctx context.Context, s *Status) error {
	var was loaded
	if _, err := b.find(ctx, loadDoc, &was); err != nil {
		return err
	}
	load := &s.Phases[len(s.Phases)-1]
	if load.Ended = was.EndedAt != nil; load.Ended {
		load.Done, load.Rows = load.Chunks, was.Rows
	}
	var caught caughtUp
	there, err := b.find(ctx, catchUpDoc, &caught)
	if err != nil {
		return err
	}
	s.Phases = append(s.Phases, PhaseStatus{Phase: "catch-up", Ended: there})
	var report Report
	if there, err = b.find(ctx, verifyDoc, &report); err != nil {
		return err
	}
	if there {
		s.Report = &report
	}
	s.Phases = append(s.Phases, PhaseStatus{Phase: "verify", Ended: there && report.Clean()})
	return nil
}

// keepProgress writes the progress into the work store now and then, for who asks for the status.
func (b *Bootstrap) keepProgress(ctx context.Context) (stop func()) {
	const every = 2 * time.Second
	running, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	note := func() {
		if err := b.store.Note(context.WithoutCancel(ctx), progressDoc, b.meter.read()); err != nil {
			b.log.Debug("progress can't be written", "error", err)
		}
	}
	go func() {
		defer close(ended)
		for {
			select {
			case <-running.Done():
				note()
				return
			case <-time.After(every):
				note()
			}
		}
	}()
	return func() {
		end()
		<-ended
	}
}
