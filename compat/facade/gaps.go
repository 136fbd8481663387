package facade

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/follow"
	"github.com/bkledger/bk/compat/facade/mode"
)

// FollowRequest is POST /follow of the admin listener: BK has all of Bank's work up to an event, by other means than Bank's stream, which Kafka has deleted in part.
type FollowRequest struct {
	After bank.ID   `json:"after"` // Bank's event
	Date  bank.Date `json:"date"`  // Bank's business date there; 0: none was set
	Who   string    `json:"who"`
	Why   string    `json:"why"`
}

// Validate reports everything that is wrong, as [mode.ErrRequest].
func (q FollowRequest) Validate() error {
	var errs []error
	if q.Date != 0 && !q.Date.Real() {
		errs = append(errs, fmt.Errorf("date: %d is no day such as 20131007", q.Date))
	}
	for _, field := range []struct {
		name, text string
		most       int
	}{{"who", q.Who, 256}, {"why", q.Why, 1024}} {
		if field.text == "" || len(field.text) > field.most {
			errs = append(errs, fmt.Errorf("%s: needed, at most %d bytes", field.name, field.most))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("%w: %w", mode.ErrRequest, errors.Join(errs...))
	}
	return nil
}

// gaps gives what BK can't be brought any more of what Bank did, as of a second ago. Nobody is asked.
func (s *Service) gaps() []follow.Gap {
	if s.follow == nil {
		return []follow.Gap{}
	}
	return append([]follow.Gap{}, s.follow.Gaps()...)
}

// reopen has follow go on behind gaps.
func (s *Service) reopen(w http.ResponseWriter, r *http.Request) {
	var q FollowRequest
	if !ask(w, r, &q) {
		return
	}
	if s.follow == nil {
		reply(w, http.StatusNotFound, Fault{"a façade without Kafka follows nothing"})
		return
	}
	err := q.Validate()
	if err == nil {
		err = s.follow.Reopen(r.Context(), q.After, q.Date, q.Who, q.Why)
	}
	if errors.Is(err, follow.ErrNoGap) {
		reply(w, http.StatusConflict, Fault{err.Error()})
		return
	}
	done(w, err, q)
}
