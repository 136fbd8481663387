package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bkledger/bk/compat/demo/page"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

const (
	switchPatience = time.Minute // how long the façade tries a step again
	adminPatience  = 5 * time.Second
	watchEvery     = 100 * time.Millisecond
	who            = "demo"
)

// admin is the façade's own listener.
type admin struct {
	url  string
	http *http.Client
}

func newAdmin(url string) *admin { return &admin{url, &http.Client{Transport: &http.Transport{}}} }

func (a *admin) close() { a.http.CloseIdleConnections() }

func (a *admin) call(ctx context.Context, method, path string, in, out any, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	asked, err := http.NewRequestWithContext(ctx, method, a.url+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	answer, err := a.http.Do(asked)
	if err != nil {
		return err // it names both
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	text, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, bytes.TrimSpace(text))
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// change makes a step, and gives how long writes were held.
func (a *admin) change(ctx context.Context, to mode.Mode, why string) (held time.Duration, err error) {
	return a.step(ctx, facade.SwitchRequest{To: string(to), Who: who, Why: why, WaitMS: switchPatience.Milliseconds()}, to)
}

// final declares that there is no way back to Bank, after it has got all that it lacks.
func (a *admin) final(ctx context.Context, why string) (held time.Duration, err error) {
	return a.step(ctx, facade.SwitchRequest{Final: true, Who: who, Why: why, WaitMS: switchPatience.Milliseconds()}, mode.BKOnly)
}

func (a *admin) step(ctx context.Context, q facade.SwitchRequest, to mode.Mode) (held time.Duration, err error) {
	var now facade.InForce
	if err := a.call(ctx, http.MethodPost, "/mode", q, &now, switchPatience+30*time.Second); err != nil {
		return 0, fmt.Errorf("to %s: %w", to, err)
	}
	if now.Mode != to || now.Final != q.Final {
		return 0, fmt.Errorf("the façade is in %s (final: %t), and should be in %s", now.Mode, now.Final, to)
	}
	return time.Duration(now.HeldMS * float64(time.Millisecond)), nil
}

// waiting gives how the writes stand that wait for BK, or in the mode in which BK answers first, for Bank.
func waiting(s facade.Status) (b facade.Backlog) {
	name := "queue"
	if s.State.Mode.Primary() == mode.BK {
		name = "feed"
	}
	for _, one := range s.Backlogs {
		if one.Name == name {
			b = one
		}
	}
	return b
}

// watch keeps the figures, and what clients go by, at what the façade says, until ctx ends. A look that fails leaves everything as it is.
func (a *admin) watch(ctx context.Context, f *figures, m *market) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var epoch int64
	var entered time.Time
	for {
		var s facade.Status
		if a.call(ctx, http.MethodGet, "/status", nil, &s, adminPatience) == nil {
			if s.State.Epoch.Epoch != epoch {
				epoch, entered = s.State.Epoch.Epoch, time.Now()
			}
			b := waiting(s)
			// What is kept for a step back is no lag. And a step is made when the secondary is level, but what waits was counted before it.
			if s.State.Mode == mode.BKOnly || time.Since(entered) < stale {
				b = facade.Backlog{}
			}
			// In bank-only nobody waits for BK: clients have Bank's own pace.
			behind := b.Rows
			if s.State.Mode == mode.BankOnly {
				behind = 0
			}
			m.behind.Store(behind)
			f.set(func(p *page.State) {
				if p.Switching == "" { // else the one who switches says what is in force
					p.Mode = string(s.State.Mode)
				}
				p.Writes, p.Lag, p.LagSeconds = s.Gate.Open, b.Rows, b.AgeSeconds
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
