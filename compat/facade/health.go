package facade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

const (
	probeEvery = 2 * time.Second        // while nothing fails
	probeAgain = 200 * time.Millisecond // behind a failure, and the least between two
	probeFails = 2                      // of them in a row are an outage: one may be a slow answer
	maxProbed  = 64 << 10
)

// Primary is how the system that answers does, as far as this replica knows.
type Primary struct {
	Name  mode.System `json:"name"`
	Up    bool        `json:"up"`
	Since time.Time   `json:"since"` // it is up, or is not
	Error string      `json:"error"` // why it is not
}

// health asks the primary in the background whether it is there: every two seconds, and at once when clients' calls fail.
type health struct {
	probes  map[mode.System]func(context.Context) error
	primary func() mode.System
	log     *slog.Logger
	wake    chan struct{}

	mu    sync.Mutex
	known Primary
}

func newHealth(primary func() mode.System, probes map[mode.System]func(context.Context) error, log *slog.Logger) *health {
	return &health{probes: probes, primary: primary, log: log, wake: make(chan struct{}, 1)}
}

// suspect says that a call has failed, or that another system is the primary now. It does not wait.
func (h *health) suspect() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// now gives what is known. A system that was not asked yet counts as up.
func (h *health) now() Primary {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name := h.primary(); h.known.Name != name {
		h.known = Primary{Name: name, Up: true, Since: time.Now()}
	}
	return h.known
}

// run asks until ctx ends.
func (h *health) run(ctx context.Context) {
	fails := 0
	for {
		name := h.now().Name
		err := h.probe(ctx, name)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			fails = 0
			h.note(name, nil)
		default:
			if fails++; fails >= probeFails {
				h.note(name, err)
			}
		}
		pause := probeEvery
		if fails > 0 && fails < probeFails {
			pause = probeAgain
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			continue
		case <-h.wake:
			timer.Reset(probeAgain)
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (h *health) probe(ctx context.Context, name mode.System) error {
	ask := h.probes[name]
	if ask == nil {
		return errors.New("none is configured")
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return ask(ctx)
}

// note takes an outcome in, and says so if it is another than before.
func (h *health) note(name mode.System, err error) {
	was := h.now()
	if was.Name != name { // it is the primary no more
		return
	}
	next := Primary{Name: name, Up: err == nil, Since: time.Now()}
	if was.Up == next.Up {
		next.Since = was.Since
	}
	if err != nil {
		next.Error = err.Error()
	}
	switch {
	case was.Up && !next.Up:
		h.log.Warn("the primary can't be reached", "primary", name, "error", err)
	case !was.Up && next.Up:
		h.log.Info("the primary is there again", "primary", name, "away", time.Since(was.Since).Round(time.Millisecond))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known.Name == name {
		h.known = next
	}
}

// assembleHealth makes it, and asks a first time, so that a URL that leads nowhere is seen in the log.
func (s *Service) assembleHealth(ctx context.Context) {
	probes := map[mode.System]func(context.Context) error{mode.Bank: s.probeBank}
	if s.client != nil {
		probes[mode.BK] = s.probeBK
	}
	s.health = newHealth(func() mode.System { return s.keeper.Mode().Primary() }, probes, s.cfg.Log)
	name := s.health.now().Name
	s.health.note(name, s.health.probe(ctx, name))
}

// probeBank asks for the cheapest there is. An error of the contract is an answer, unless it is Bank's own trouble.
func (s *Service) probeBank(ctx context.Context) error {
	_, err := s.bank.BusinessDate(ctx)
	if kind := bank.TypeOf(err); kind != "" && kind != bank.Internal && kind != bank.OutcomeUnknown {
		return nil
	}
	return err
}

func (s *Service) probeBK(ctx context.Context) error {
	_, err := s.client.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
	return err
}

// ErrNotBK says that another program answers where BK should.
var ErrNotBK = errors.New("what answers there is not BK: it knows no bk.v1")

// isBK gives [ErrNotBK] where something else answers at a URL. No answer, and one that says that the server has trouble, tell nothing.
func isBK(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	// By HTTP/1.1, which anything may understand.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+bkv1connect.AdminServiceStatusProcedure, strings.NewReader("{}"))
	if err != nil {
		return fmt.Errorf("BK: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DialContext: newDialer().DialContext, DisableKeepAlives: true}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode >= 500, res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusRequestTimeout:
		return nil
	case res.StatusCode == http.StatusOK:
		text, err := io.ReadAll(io.LimitReader(res.Body, maxProbed))
		if err != nil || json.Valid(text) {
			return nil
		}
	}
	return fmt.Errorf("BK: %s: %w (%s)", url, ErrNotBK, res.Status)
}
