package cutover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/cutover/gate"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

// reason is what the façade writes down for a switch: it names the run and the step, so that the switch is known again.
func (r *runner) reason(s *Step) string {
	return fmt.Sprintf("cutover %s, run %s, step %s", r.book.Name, r.p.first.Hash[:16], s.Name)
}

// target tells where a switch goes.
func (m *Mode) target() (to mode.Mode, final bool) {
	if m.Final {
		return mode.BKOnly, true
	}
	return mode.Mode(m.To), false
}

func (r *runner) inForce(ctx context.Context) (in facade.InForce, err error) {
	if err := gate.Ask(ctx, r.book.Targets.Facade, "/mode", false, &in); err != nil {
		return in, fmt.Errorf("the façade: %w", err)
	}
	return in, nil
}

// pretendMode looks whether the switch could be asked for at all.
func (r *runner) pretendMode(ctx context.Context, s *Step) (*Output, error) {
	from := mode.Mode(r.pretend)
	if from == "" {
		in, err := r.inForce(ctx)
		if err != nil {
			return nil, err
		}
		from = in.Mode
		if in.Final {
			return nil, errors.New("the façade is in bk-only, which is final")
		}
	}
	to, final := s.Mode.target()
	if final && from != mode.BKOnly || !final && !from.Adjacent(to) {
		return nil, fmt.Errorf("the façade would be in %s, from which no step leads to %s", from, to)
	}
	r.pretend = string(to)
	if final {
		return &Output{Would: "declare bk-only final"}, nil
	}
	return &Output{Would: fmt.Sprintf("switch the façade from %s to %s", from, to)}, nil
}

// there looks whether the façade is where a switch leads: by this step, or, on the way back, by anybody. By somebody else is an error: what is not ours is not ours to undo.
func (r *runner) there(ctx context.Context, s *Step) (bool, *Output, error) {
	in, err := r.inForce(ctx)
	if err != nil {
		return false, nil, err
	}
	to, final := s.Mode.target()
	if in.Mode != to || in.Final != final {
		return false, nil, nil
	}
	if in.Why == r.reason(s) || r.backing {
		return true, told(in.Epoch), nil
	}
	return false, told(in.Epoch), fmt.Errorf("the façade is in %s already, by %s: %s", to, in.Who, in.Why)
}

// switchMode switches the façade.
func (r *runner) switchMode(ctx context.Context, s *Step) (*Output, error) {
	if there, output, err := r.there(ctx, s); err != nil || there {
		return output, err
	}
	to, final := s.Mode.target()
	q := facade.SwitchRequest{Final: final, Who: r.cfg.Who, Why: r.reason(s), WaitMS: s.Mode.wait().Milliseconds()}
	if !final {
		q.To = string(to)
	}
	in, err := r.post(ctx, q)
	if err == nil {
		return told(in.Epoch), nil
	}
	var refused refusal
	if errors.As(err, &refused) {
		return nil, err
	}
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(defaultTimeout)
	}
	made, output, fault := r.made(s, end) // the answer was lost, or there was none
	switch {
	case fault != nil:
		return nil, fmt.Errorf("%w; and it can't be found out whether it was made: %w", err, fault)
	case made:
		return output, nil
	}
	return nil, err
}

// refusal is an answer of the façade that is none: nothing was switched.
type refusal struct{ error }

func (r *runner) post(ctx context.Context, q facade.SwitchRequest) (in facade.InForce, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return in, fmt.Errorf("encode the switch: %w", err)
	}
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(r.book.Targets.Facade, "/")+"/mode", bytes.NewReader(body))
	if err != nil {
		return in, fmt.Errorf("switch the façade: %w", err)
	}
	asked.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(asked)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return in, fmt.Errorf("switch the façade: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return in, fmt.Errorf("switch the façade: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		if err := json.Unmarshal(text, &in); err != nil {
			return in, fmt.Errorf("switch the façade: its answer can't be read: %w", err)
		}
		return in, nil
	}
	var fault facade.Fault
	if json.Unmarshal(text, &fault) != nil || fault.Error == "" {
		fault.Error = fmt.Sprintf("%s: %.300s", answer.Status, text)
	}
	err = fmt.Errorf("switch the façade: %s", fault.Error)
	if answer.StatusCode/100 == 4 {
		err = refusal{err}
	}
	return in, err
}

const (
	modeLooks = 500 * time.Millisecond // between two looks whether a switch was made
	modeQuiet = 3 * time.Second        // for which there must be none under way: one that lost its caller ends by then
)

// made finds out whether the switch of a step was made: whether there is an epoch with its reason. One that is under way is waited for, until then.
func (r *runner) made(s *Step, until time.Time) (bool, *Output, error) {
	ctx, cancel := context.WithDeadline(context.Background(), until.Add(modeQuiet))
	defer cancel()
	why := r.reason(s)
	quiet := time.Now()
	for {
		var status facade.Status
		err := gate.Ask(ctx, r.book.Targets.Facade, "/status", false, &status)
		if err == nil {
			for _, e := range status.History {
				if e.Why == why {
					return true, told(e), nil
				}
			}
			if on := status.State.Switching; on != nil && on.Why == why {
				quiet = time.Now()
			} else if time.Since(quiet) >= modeQuiet {
				return r.madeLongAgo(ctx, why)
			}
		} else {
			quiet = time.Now()
		}
		select {
		case <-ctx.Done():
			return false, nil, errors.Join(err, fmt.Errorf("no answer until %s", until.UTC().Format(time.RFC3339)))
		case <-time.After(modeLooks):
		}
	}
}

// madeLongAgo looks for an epoch that the façade no longer lists, in its database if that is among the targets.
func (r *runner) madeLongAgo(ctx context.Context, why string) (bool, *Output, error) {
	if r.book.Targets.Databases[gate.FacadeDatabase] == "" {
		return false, nil, nil
	}
	// The reason is of small letters, digits and signs that need no escape: names are checked.
	a, err := r.book.Targets.Query(ctx, gate.FacadeDatabase, "SELECT epoch, mode, since, who, why FROM facade.mode WHERE why = '"+why+"'", true)
	if err != nil || a.Count == 0 {
		return false, nil, err
	}
	return true, &Output{Answer: &a}, nil
}

// told is what is kept of an epoch.
func told(e mode.Epoch) *Output {
	return &Output{Mode: map[string]any{"mode": e.Mode, "epoch": e.Epoch, "since": e.Since, "who": e.Who, "why": e.Why, "held_ms": e.HeldMS, "final": e.Final}}
}
