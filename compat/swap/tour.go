package swap

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

// stop is something that is done once a part of the rows is booked.
type stop struct {
	at   float64 // of all rows
	to   mode.Mode
	roll bool // the business date, one day on, instead
}

// tour is the way from Bank alone to BK alone, with a step back on the way from each stage.
var tour = []stop{
	{at: 0.10, to: mode.BankPrimary}, {at: 0.20, to: mode.BankOnly}, {at: 0.30, to: mode.BankPrimary},
	{at: 0.40, to: mode.BKPrimary}, {at: 0.50, to: mode.BankPrimary}, {at: 0.60, to: mode.BKPrimary},
	{at: 0.70, to: mode.BKOnly}, {at: 0.80, to: mode.BKPrimary}, {at: 0.90, to: mode.BKOnly},
	{at: 0.95, roll: true},
}

// Switch is a change of the mode as the façade's records tell it.
type Switch struct {
	To   mode.Mode
	At   int           // rows booked when it was asked for
	More int           // rows booked until it was done
	Took time.Duration // until it was done
	Held time.Duration // how long writes waited
}

// switchPatience is how long the façade tries a step again.
const switchPatience = 2 * time.Minute

// admin is the façade's own listener.
type admin struct {
	url  string
	http *http.Client
}

func (a *admin) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	asked, err := http.NewRequestWithContext(ctx, method, a.url+path, body)
	if err != nil {
		return err
	}
	answer, err := a.http.Do(asked)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, bytes.TrimSpace(text))
	}
	return json.Unmarshal(text, out)
}

// waiting gives what the other system still has to do of what the clients sent.
func (a *admin) waiting(ctx context.Context) (in string, rows int, err error) {
	var status facade.Status
	if err := a.call(ctx, http.MethodGet, "/status", nil, &status); err != nil {
		return "", 0, err
	}
	name := "queue"
	switch status.State.Mode {
	case mode.BKOnly:
		return string(mode.BKOnly), 0, nil
	case mode.BKPrimary:
		name = "feed"
	}
	for _, b := range status.Backlogs {
		if b.Name == name {
			rows = int(b.Rows)
		}
	}
	return string(status.State.Mode), rows, nil
}

// change makes a step.
func (a *admin) change(ctx context.Context, to mode.Mode) (held time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, switchPatience+30*time.Second)
	defer cancel()
	var state mode.State
	q := facade.SwitchRequest{To: string(to), Who: "swap", Why: "the tape's tour", WaitMS: switchPatience.Milliseconds()}
	if err := a.call(ctx, http.MethodPost, "/mode", q, &state); err != nil {
		return 0, fmt.Errorf("swap: to %s: %w", to, err)
	}
	if state.Mode != to {
		return 0, fmt.Errorf("swap: the façade is in %s, and should be in %s", state.Mode, to)
	}
	return time.Duration(state.HeldMS * float64(time.Millisecond)), nil
}

// tour makes all stops. While one is being made, clients go on as far as the next.
func (r *run) tour(ctx context.Context) error {
	rows, stops := len(r.cfg.Day.Trades), tour
	if r.cfg.Stay {
		stops = slices.DeleteFunc(slices.Clone(tour), func(s stop) bool { return !s.roll })
	}
	at := func(i int) int {
		if i >= len(stops) {
			return rows
		}
		return int(stops[i].at * float64(rows))
	}
	for i, s := range stops {
		r.pace.allow(at(i + 1))
		if err := r.reached(ctx, at(i)); err != nil {
			return err
		}
		began, before := time.Now(), int(r.score.done.Load())
		if s.roll {
			if err := r.clients[0].Roll(ctx, nextDay(r.cfg.Day.Date)); err != nil {
				return fmt.Errorf("swap: roll: %w", err)
			}
			r.report.Rolled = time.Since(began)
			continue
		}
		held, err := r.admin.change(ctx, s.to)
		if err != nil {
			return err
		}
		r.report.Switches = append(r.report.Switches, Switch{s.to, before, int(r.score.done.Load()) - before, time.Since(began), held})
		r.cfg.Progress("%5.1f s: %s, writes held %d ms, %d rows booked", time.Since(r.began).Seconds(), s.to, held.Milliseconds(), r.score.done.Load())
	}
	return nil
}

// reached waits until so many rows are booked.
func (r *run) reached(ctx context.Context, rows int) error {
	for int(r.score.done.Load()) < rows {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

func nextDay(d bank.Date) bank.Date {
	t := time.Date(int(d)/10000, time.Month(int(d)/100%100), int(d)%100+1, 0, 0, 0, 0, time.UTC)
	return bank.Date(t.Year()*10000 + int(t.Month())*100 + t.Day())
}
