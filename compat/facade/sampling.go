package facade

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/sample"
)

// assembleSampler makes what compares reads.
func (s *Service) assembleSampler() (err error) {
	if s.ledger == nil {
		return nil
	}
	s.sampler, err = sample.New(sample.Config{
		Pool: s.pool, Replica: s.cfg.Replica, Bank: s.api.bank, BK: s.api.bk, Rules: s.cfg.SampleRules, Registry: s.metrics.registry, Log: s.cfg.Log,
		State:  func() mode.State { state, _ := s.keeper.State(); return state },
		Behind: s.behind,
	})
	return err
}

// behind gives how late the secondary is, blocked rows left out: what they hold up differs for good, and is to be seen.
func (s *Service) behind() time.Duration {
	late := func(blocked int, age time.Duration, worker backlog.State) time.Duration {
		if worker.Away != "" {
			return max(age, time.Since(worker.Since))
		}
		if blocked > 0 {
			return 0
		}
		return age
	}
	if s.keeper.Mode() == mode.BKPrimary {
		st := s.feed.Stats()
		return late(st.Blocked, st.Age, s.feed.Worker())
	}
	st := s.queue.Stats()
	return late(st.Blocked, st.Age, s.queue.Worker())
}

// divergence serves GET /divergences/{id}.
func (s *Service) divergence(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if s.sampler == nil || err != nil {
		reply(w, http.StatusNotFound, Fault{"there is no such divergence"})
		return
	}
	kept, err := s.sampler.Get(r.Context(), id)
	if errors.Is(err, sample.ErrNotFound) {
		reply(w, http.StatusNotFound, Fault{err.Error()})
		return
	}
	done(w, err, kept)
}

// listDivergences serves GET /divergences.
func (s *Service) listDivergences(w http.ResponseWriter, r *http.Request) {
	if s.sampler == nil {
		reply(w, http.StatusNotFound, Fault{"a façade without BK compares nothing"})
		return
	}
	query := r.URL.Query()
	filter := sample.Filter{Route: query.Get("route"), Kind: sample.Kind(query.Get("kind")), OnlyUnexplained: query.Get("unexplained") == "true"}
	for name, to := range map[string]func(int64){"before": func(n int64) { filter.Before = n }, "limit": func(n int64) { filter.Limit = int(min(n, 1000)) }} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			reply(w, http.StatusBadRequest, Fault{fmt.Sprintf("%s: %q is no number above 0", name, text)})
			return
		}
		to(n)
	}
	list, err := s.sampler.List(r.Context(), filter)
	if list == nil {
		list = []sample.Divergence{}
	}
	done(w, err, list)
}
