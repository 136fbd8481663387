package facade

import (
	"context"
	"sort"

	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/compat/facade/feed"
	"github.com/bkledger/bk/compat/facade/follow"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/sample"
)

const (
	shownSwitches = 20
	// A secondary lags once the oldest row that waits for it is older than this, in seconds.
	lagSeconds = 5
)

// The backlogs, by name.
const (
	toBK   = "queue" // from Bank to BK
	toBank = "feed"  // from BK to Bank
)

// Backlog is how the secondary's share stands.
type Backlog struct {
	Name        string         `json:"name"`
	Rows        int64          `json:"rows"`
	AgeSeconds  float64        `json:"age_seconds"`
	Blocked     int            `json:"blocked"`
	Working     bool           `json:"working"` // on this replica
	Away        string         `json:"away"`    // why the secondary can't be reached; "" while it can
	Divergences map[string]int `json:"divergences"`
}

// Status is a replica's view of everything.
type Status struct {
	Replica  string              `json:"replica"`
	State    mode.State          `json:"state"`
	Gate     mode.Gate           `json:"gate"`
	Primary  Primary             `json:"primary"`
	Replicas []mode.Replica      `json:"replicas"`
	Backlogs []Backlog           `json:"backlogs"`
	Gaps     []follow.Gap        `json:"gaps"`     // what Kafka had deleted of Bank's events before they were read: BK lacks them
	Uploads  []upload.Unfinished `json:"uploads"`  // that the façade works off; the first may wait for a row
	Switches []mode.Attempt      `json:"switches"` // the latest first
	History  []mode.Epoch        `json:"history"`  // the latest first
	Routes   []RouteStatus       `json:"routes"`
	Sampling *sample.Stats       `json:"sampling"` // of this replica; null where nothing can be compared
	Missing  []string            `json:"missing"`  // what could not be found out, with the reason
}

func (s *Service) status(ctx context.Context) Status {
	st := Status{Replica: s.cfg.Replica, Gate: s.keeper.Gate(), Primary: s.health.now(), Backlogs: s.backlogs(), Gaps: s.gaps(), Uploads: s.uploads.seen(), Routes: s.metrics.routes(), Missing: []string{}}
	st.State, _ = s.keeper.State()
	if s.sampler != nil {
		stats := s.sampler.Stats()
		st.Sampling = &stats
	}
	var err error
	if st.Replicas, err = s.keeper.Replicas(ctx); err != nil {
		st.Missing = append(st.Missing, err.Error())
	}
	if st.Switches, err = s.keeper.Attempts(ctx, shownSwitches); err != nil {
		st.Missing = append(st.Missing, err.Error())
	}
	history := s.keeper.Epochs()
	for i := len(history) - 1; i >= 0 && len(st.History) < shownSwitches; i-- {
		st.History = append(st.History, history[i])
	}
	sort.Slice(st.Routes, func(i, j int) bool {
		a, b := st.Routes[i], st.Routes[j]
		if a.Listener != b.Listener {
			return a.Listener < b.Listener
		}
		if a.Route != b.Route {
			return a.Route < b.Route
		}
		return a.Method+string(a.Mode) < b.Method+string(b.Mode)
	})
	return st
}

// backlogs gives both, as they stood at the last count; none without a BK. Nobody is asked.
func (s *Service) backlogs() []Backlog {
	if s.queue == nil {
		return []Backlog{}
	}
	q, f := s.queue.Stats(), s.feed.Stats()
	if state, _ := s.keeper.State(); state.Final { // nothing is kept for Bank
		f = feed.Stats{LeftOut: f.LeftOut}
	}
	qw, fw := s.queue.Worker(), s.feed.Worker()
	return []Backlog{
		{toBK, int64(q.Waiting), q.Age.Seconds(), q.Blocked, qw.Working, qw.Away, kinds(q.LeftOut)},
		{toBank, f.Lag, f.Age.Seconds(), f.Blocked, fw.Working, fw.Away, kinds(f.LeftOut)},
	}
}

// kinds gives counts as people get them: an object even where there is nothing.
func kinds(counts map[string]int) map[string]int {
	if counts == nil {
		return map[string]int{}
	}
	return counts
}

// lag is how far the secondary of the mode in force is behind; nil where there is none.
func (s *Service) lag() *Backlog {
	name := ""
	switch s.keeper.Mode() {
	case mode.BankPrimary:
		name = toBK
	case mode.BKPrimary:
		name = toBank
	}
	for _, b := range s.backlogs() {
		if b.Name == name {
			return &b
		}
	}
	return nil
}
