package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bkledger/bk/compat/demo/page"
)

// Summary is what became of it, and the content of --json.
type Summary struct {
	ClientRequests int64   `json:"client_requests"`
	ClientErrors   int64   `json:"client_errors"` // answers that Bank alone would not have given
	Trades         int64   `json:"trades"`        // in the books, history and all
	Differences    int64   `json:"differences"`   // between Bank and BK, or of the books with themselves
	Stages         []Stage `json:"stages"`        // that were begun

	// Reasons say why it does not hold; none: it does.
	Reasons []string `json:"-"`
}

// Stage is a part of the swap.
type Stage struct {
	Name         string  `json:"name"`
	Seconds      float64 `json:"seconds"`
	WritesHeldMS float64 `json:"writes_held_ms"` // 0 where no mode was changed
}

// Holds tells whether all stages were made, without errors and differences.
func (s Summary) Holds() bool { return len(s.Reasons) == 0 }

// Write writes the summary as JSON to a file, whole or not at all.
func (s Summary) Write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("the summary: %w", err)
	}
	return replace(path, append(text, '\n'))
}

// replace writes a file beside its place, then into it: who reads it sees a whole one.
func replace(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// summary says how things stand; failed is why not all stages were made.
func (f *figures) summary(failed error) (s Summary) {
	now := f.now()
	_, _, words := f.counts()
	s = Summary{ClientRequests: now.Requests, ClientErrors: now.Errors, Trades: now.Trades, Differences: now.Differences, Stages: []Stage{}}
	made := 0
	for _, st := range now.Stages {
		if st.State != page.Waiting {
			s.Stages = append(s.Stages, Stage{st.Name, st.Seconds, st.HeldMS})
		}
		if st.State == page.Done {
			made++
		}
	}
	if s.ClientErrors > 0 {
		s.Reasons = append(s.Reasons, fmt.Sprintf("%d answers are not what Bank alone would have given", s.ClientErrors))
		s.Reasons = append(s.Reasons, words...)
	}
	if s.Differences > 0 {
		s.Reasons = append(s.Reasons, fmt.Sprintf("%d differences", s.Differences))
	}
	if made < len(now.Stages) {
		s.Reasons = append(s.Reasons, fmt.Sprintf("%d of %d stages were made", made, len(now.Stages)))
	}
	if failed != nil {
		s.Reasons = append(s.Reasons, failed.Error())
	}
	return s
}
