package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

// status asks a replica of the façade.
func (t *Targets) status(ctx context.Context) (s facade.Status, err error) {
	if err := Ask(ctx, t.Facade, "/status", false, &s); err != nil {
		return s, fmt.Errorf("the façade: %w", err)
	}
	return s, nil
}

// QueuesDrained holds where the façade has brought the other system all that one has done.
type QueuesDrained struct {
	MaxRows int64         `yaml:"max-rows" json:"max-rows"` // that may wait nevertheless, as under load there are always some
	MaxAge  time.Duration `yaml:"max-age" json:"max-age"`   // of the oldest of them; 0: any
}

func (q *QueuesDrained) needs() []need { return []need{needFacade} }

func (q *QueuesDrained) validate() (errs []error) {
	if q.MaxRows < 0 || q.MaxAge < 0 {
		errs = append(errs, errors.New("max-rows, max-age: must not be negative"))
	}
	return errs
}

func (q *QueuesDrained) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	var rows, intents int64
	var age float64
	s, err := t.status(ctx)
	if err != nil {
		return nil, "", err
	}
	f := Figures{"mode": s.State.Mode}
	name, table := "queue", "facade.queue"
	if s.State.Mode.Primary() == mode.BK {
		name, table = "feed", "facade.feed"
	}
	for _, b := range s.Backlogs {
		if b.Name == name {
			rows, age = b.Rows, b.AgeSeconds
		}
	}
	if s.State.Mode == mode.BKOnly { // the feed rests: what Bank lacks is what counts
		var in facade.InForce
		if err := Ask(ctx, t.Facade, "/mode", false, &in); err != nil {
			return nil, "", fmt.Errorf("the façade: %w", err)
		}
		rows, age = 0, 0
		if in.BankLacks != nil {
			rows = in.BankLacks.Entries
		}
	}
	if t.Databases[FacadeDatabase] != "" { // the status is up to a second old
		conn, err := t.Connect(ctx, FacadeDatabase, true)
		if err != nil {
			return nil, "", err
		}
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was read
		var waiting int64
		if err := conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM facade.intent), (SELECT count(*) FROM `+table+` WHERE done_at IS NULL)`).Scan(&intents, &waiting); err != nil {
			return nil, "", fmt.Errorf("the façade's database: %w", err)
		}
		rows = max(rows, waiting)
	}
	f[name+"_rows"], f["oldest_seconds"], f["open_calls"] = rows, age, intents
	var wrong []string
	if rows+intents > q.MaxRows {
		wrong = append(wrong, fmt.Sprintf("%d rows wait in the %s and the outcome of %d calls is open, above %d", rows, name, intents, q.MaxRows))
	}
	if q.MaxAge > 0 && age > q.MaxAge.Seconds() {
		wrong = append(wrong, fmt.Sprintf("the oldest row is %.1f s old, above %s", age, q.MaxAge))
	}
	return f, reasons(wrong), nil
}

// NoneBlocked holds where no system has rejected what the other did.
type NoneBlocked struct{}

func (*NoneBlocked) needs() []need     { return []need{needFacade} }
func (*NoneBlocked) validate() []error { return nil }

func (*NoneBlocked) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	s, err := t.status(ctx)
	if err != nil {
		return nil, "", err
	}
	f, wrong := Figures{}, []string(nil)
	blocked := map[string]int64{}
	for _, b := range s.Backlogs {
		blocked[b.Name] = int64(b.Blocked)
	}
	held := int64(0)
	for _, u := range s.Uploads {
		if u.Held != nil {
			held++
		}
	}
	if t.Databases[FacadeDatabase] != "" {
		conn, err := t.Connect(ctx, FacadeDatabase, true)
		if err != nil {
			return nil, "", err
		}
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was read
		var queue, feed int64
		if err := conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM facade.queue WHERE attempts > 0 AND done_at IS NULL),
			(SELECT count(*) FROM facade.feed WHERE attempts > 0 AND done_at IS NULL)`).Scan(&queue, &feed); err != nil {
			return nil, "", fmt.Errorf("the façade's database: %w", err)
		}
		blocked["queue"], blocked["feed"] = max(blocked["queue"], queue), max(blocked["feed"], feed)
	}
	for _, name := range []string{"queue", "feed"} {
		f[name+"_blocked"] = blocked[name]
		if n := blocked[name]; n > 0 {
			wrong = append(wrong, fmt.Sprintf("%d rows of the %s were rejected", n, name))
		}
	}
	if f["upload_rows_held"] = held; held > 0 {
		wrong = append(wrong, fmt.Sprintf("%d uploads wait for a row that fails", held))
	}
	return f, reasons(wrong), nil
}

// NoUpload holds where no file is being worked off.
type NoUpload struct{}

func (*NoUpload) needs() []need     { return []need{needFacade} }
func (*NoUpload) validate() []error { return nil }

func (*NoUpload) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	s, err := t.status(ctx)
	if err != nil {
		return nil, "", err
	}
	f, wrong := Figures{"facade": len(s.Uploads)}, []string(nil)
	if len(s.Uploads) > 0 {
		wrong = append(wrong, fmt.Sprintf("the façade works off %d files", len(s.Uploads)))
	}
	if t.Databases[BankDatabase] == "" {
		return f, reasons(wrong), nil
	}
	conn, err := t.Connect(ctx, BankDatabase, true)
	if err != nil {
		return nil, "", err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was read
	var left int64
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM bank.upload WHERE status IN ('pending', 'running')`).Scan(&left); err != nil {
		return nil, "", fmt.Errorf("Bank's uploads: %w", err)
	}
	if f["bank"] = left; left > 0 {
		wrong = append(wrong, fmt.Sprintf("Bank works off %d files", left))
	}
	return f, reasons(wrong), nil
}

// Ready holds where all replicas of the façade are well.
type Ready struct {
	Replicas int `yaml:"replicas" json:"replicas"` // there have to be so many at least; 1 if left out
}

func (*Ready) needs() []need { return []need{needFacade} }

func (r *Ready) validate() []error {
	if r.Replicas < 0 || r.Replicas > 1000 {
		return []error{fmt.Errorf("replicas: %d is not between 0 and 1000", r.Replicas)}
	}
	return nil
}

func (r *Ready) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	s, err := t.status(ctx)
	if err != nil {
		return nil, "", err
	}
	f, wrong := Figures{"mode": s.State.Mode, "epoch": s.State.Epoch.Epoch}, []string(nil)
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	live := 0
	for _, one := range s.Replicas {
		if !one.Live {
			say("replica %s has not ended in order, and nothing is heard of it", one.Name)
			continue
		}
		live++
		if one.Epoch != s.State.Epoch.Epoch {
			say("replica %s serves epoch %d, not %d", one.Name, one.Epoch, s.State.Epoch.Epoch)
		}
		var ready facade.Readiness
		at := one.Admin
		if at != "" && !strings.Contains(at, "://") {
			at = "http://" + at
		}
		if at == "" {
			at = t.Facade
		}
		switch err := Ask(ctx, at, "/readyz", true, &ready); {
		case err != nil:
			say("replica %s: %v", one.Name, err)
		case !ready.Ready:
			say("replica %s is not ready", one.Name)
		case ready.Degraded:
			say("replica %s can't reach the primary %s: %s", one.Name, ready.Primary.Name, ready.Primary.Error)
		case !ready.Writes:
			say("replica %s takes no writes", one.Name)
		case ready.Gaps > 0:
			say("replica %s: Kafka has deleted %d parts of Bank's topics that were not read", one.Name, ready.Gaps)
		}
	}
	if f["replicas"] = live; live < max(r.Replicas, 1) {
		say("%d replicas are alive, and there should be %d", live, max(r.Replicas, 1))
	}
	if on := s.State.Switching; on != nil {
		say("a switch to %s, by %s, is under way", on.To, on.Who)
	}
	for _, m := range s.Missing {
		say("the façade could not find out: %s", m)
	}
	return f, reasons(wrong), nil
}

// InMode holds where the façade is in a mode.
type InMode struct {
	Is    string `yaml:"is" json:"is"`
	Final bool   `yaml:"final" json:"final,omitempty"` // bk-only, and declared final; else it must not be final
}

func (*InMode) needs() []need { return []need{needFacade} }

func (m *InMode) validate() (errs []error) {
	if _, err := mode.Parse(m.Is); err != nil {
		errs = append(errs, fmt.Errorf("is: %w", err))
	}
	if m.Final && m.Is != string(mode.BKOnly) {
		errs = append(errs, fmt.Errorf("final: only %s is ever final", mode.BKOnly))
	}
	return errs
}

func (m *InMode) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	var in facade.InForce
	if err := Ask(ctx, t.Facade, "/mode", false, &in); err != nil {
		return nil, "", fmt.Errorf("the façade: %w", err)
	}
	f := Figures{"mode": in.Mode, "epoch": in.Epoch.Epoch, "final": in.Final, "who": in.Who, "why": in.Why, "since": in.Since}
	if string(in.Mode) != m.Is || in.Final != m.Final {
		return f, fmt.Sprintf("the façade is in %s (final: %t), not in %s (final: %t)", in.Mode, in.Final, m.Is, m.Final), nil
	}
	return f, "", nil
}
