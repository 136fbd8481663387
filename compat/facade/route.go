package facade

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

// maxSampled is how much of a read's answer is kept to be compared; longer ones are not.
const maxSampled = 1 << 20

// side is one of the two listeners that stand for Bank's.
type side struct {
	service    *Service
	name       string // api, operations
	operations bool
	bank       http.Handler // the way to Bank's listener
	bk         http.Handler // BK's answers; nil without a BK
}

// ServeHTTP serves a call in the mode that is in force: for a write that of its ticket.
func (s *side) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ctx, notes := withNotes(r.Context())
	r = r.WithContext(ctx)
	counted, route := &counter{ResponseWriter: w}, routeOf(r.URL.Path)
	current := s.service.keeper.Mode()
	// Deferred: the proxy ends a broken answer by a panic.
	defer func() {
		s.service.metrics.served(s.name, route, r.Method, current, counted.status, time.Since(began), notes.upstream)
		if counted.status >= http.StatusInternalServerError || counted.status == 0 {
			s.service.health.suspect()
		}
	}()
	if !writes(r) {
		s.read(counted, r, current)
		return
	}
	s.admit(counted, r, &current)
}

// admit makes a write in the mode of its ticket, which it notes.
func (s *side) admit(w http.ResponseWriter, r *http.Request, current *mode.Mode) {
	take := s.service.intake.take
	if !s.operations && strings.HasPrefix(r.URL.Path, "/uploads/") {
		take = s.service.uploads.spool
	}
	r, end := take(w, r)
	if r == nil {
		return
	}
	defer end()
	var trade, cash bank.ID
	if s.operations && r.Method == http.MethodPost && r.URL.Path == "/replay" {
		r, trade, cash = replayed(r)
	}
	for next, after := r, int64(0); next != nil; {
		if (trade != 0 || cash != 0) && s.service.ledger != nil && s.service.keeper.Mode().Primary() == mode.BK {
			// Before the ticket: the renewal waits for all that are out.
			if err := s.service.renew(r.Context(), trade, cash); err != nil {
				s.refuse(w, r, err)
				return
			}
		}
		ticket, err := s.service.keeper.Write(r.Context(), after)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		*current, after = ticket.Mode, ticket.Epoch
		next = s.write(w, next, ticket)
	}
}

// refuse answers a write that was not sent to anybody.
func (s *side) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, context.Canceled) {
		s.service.metrics.refuse(refusal(err))
		s.service.cfg.Log.Warn("a write is refused", "method", r.Method, "path", r.URL.Path, "error", err)
		answerError(w, bank.Errorf(bank.Internal, "%v", err))
	}
}

// write makes a write in the mode of its ticket, and gives the ticket back. If that mode was over before anything was done, it gives the request for the next.
func (s *side) write(w http.ResponseWriter, r *http.Request, ticket *mode.Ticket) (next *http.Request) {
	defer ticket.End()
	if s.operations && r.URL.Path == "/business-date" {
		ticket.Long()
	}
	uploads := !s.operations && strings.HasPrefix(r.URL.Path, "/uploads/")
	switch {
	case ticket.Mode == mode.BankOnly && uploads:
		s.service.uploads.pass(w, r.WithContext(ticket.Context), s.bank)
	case ticket.Mode == mode.BankOnly:
		s.bank.ServeHTTP(w, r.WithContext(ticket.Context))
	case uploads:
		s.service.uploads.handler.ServeHTTP(w, r.WithContext(ticket.Context))
	case ticket.Mode == mode.BankPrimary:
		return s.service.bankFirst.serve(w, r, ticket, s.operations, s.bank)
	default:
		s.bk.ServeHTTP(w, r.WithContext(ticket.Context))
	}
	return nil
}

func (s *side) read(w http.ResponseWriter, r *http.Request, current mode.Mode) {
	if !s.operations && strings.HasPrefix(r.URL.Path, "/uploads/") {
		s.service.uploads.read(w, r, current, s.bank)
		return
	}
	if r.ContentLength != 0 && current.Primary() == mode.Bank {
		taken, end := s.service.intake.take(w, r)
		if taken == nil {
			return
		}
		defer end()
		r = taken
	}
	primary := s.bank
	if current.Primary() == mode.BK {
		primary = http.HandlerFunc(s.fromBooks)
	}
	sampler := s.service.sampler
	if s.operations || sampler == nil || current.Secondary() == mode.None {
		primary.ServeHTTP(w, r)
		return
	}
	state, _ := s.service.keeper.State()
	if state.Mode != current || state.Sampling == 0 || !sampler.Wants(r, state) {
		primary.ServeHTTP(w, r)
		return
	}
	kept := &copied{ResponseWriter: w}
	primary.ServeHTTP(kept, r)
	if !kept.long {
		sampler.Compare(r, state, kept.status, w.Header(), kept.body.Bytes())
	}
}

// counter notes the status of an answer.
type counter struct {
	http.ResponseWriter
	status int
}

func (c *counter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// copied keeps what is sent.
type copied struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	long   bool
}

func (c *copied) WriteHeader(status int) {
	if status >= 200 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *copied) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	if c.body.Len()+len(p) <= maxSampled {
		c.body.Write(p)
	} else {
		c.long = true
	}
	return c.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (c *copied) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// routes are what metrics tell apart.
var routes = [...]string{
	"/trades", "/trades/{trade_id}", "/entities", "/entities/{entity_id}", "/accounts", "/accounts/{account_id}", "/accounts/{account_id}/trades",
	"/accounts/{account_id}/trades/{trade_id}", "/accounts/{account_id}/positions", "/accounts/{account_id}/positions/{symbol}", "/accounts/{account_id}/balances",
	"/accounts/{account_id}/journal", "/business-date", "/cash", "/replay", "/uploads/insert", "/uploads/cancel", "/uploads/{upload_id}",
}

// routeOf gives a path's route, "other" if it is none of the contract's: labels are bounded.
func routeOf(path string) string {
	for _, route := range routes {
		if matches(route, path) {
			return route
		}
	}
	return "other"
}

func matches(route, path string) bool {
	for {
		r, p := strings.IndexByte(route[1:], '/'), -1
		if path == "" || path[0] != '/' {
			return false
		}
		p = strings.IndexByte(path[1:], '/')
		head, segment := route[1:], path[1:]
		if r >= 0 {
			head = route[1 : r+1]
		}
		if p >= 0 {
			segment = path[1 : p+1]
		}
		if head[0] != '{' && head != segment || segment == "" || (r < 0) != (p < 0) {
			return false
		}
		if r < 0 {
			return true
		}
		route, path = route[r+1:], path[p+1:]
	}
}
