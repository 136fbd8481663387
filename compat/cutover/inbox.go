package cutover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/cutover/evidence"
)

// The kinds of request.
const (
	requestApprove = "approve"
	requestCancel  = "cancel"
	requestSettle  = "settle"
)

// Request is what another process asks of a runner: a file in the log's folder, until the runner has it in its log.
type Request struct {
	Kind string    `json:"kind"`
	Step string    `json:"step,omitempty"`
	Word string    `json:"word,omitempty"`
	As   string    `json:"as,omitempty"`
	Who  string    `json:"who"`
	Why  string    `json:"why,omitempty"`
	At   time.Time `json:"at"`

	file string
}

// ErrNotAsked says that nobody has asked for that.
var ErrNotAsked = errors.New("that is not asked for")

const inboxName = "requests"

// inbox is the requests of a folder.
type inbox struct{ dir string }

func openInbox(dir string) (*inbox, error) {
	at := filepath.Join(dir, inboxName)
	if err := os.MkdirAll(at, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of requests: %w", err)
	}
	return &inbox{at}, nil
}

// list gives all, the first first. What can't be read is none yet.
func (b *inbox) list() (all []Request) {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(b.dir, e.Name()))
		q := Request{}
		if err != nil || json.Unmarshal(text, &q) != nil {
			continue
		}
		q.file = filepath.Join(b.dir, e.Name())
		all = append(all, q)
	}
	slices.SortFunc(all, func(x, y Request) int { return x.At.Compare(y.At) })
	return all
}

// done takes a request away.
func (b *inbox) done(q Request) error {
	if err := os.Remove(q.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take a request away: %w", err)
	}
	return nil
}

// ignore writes a request down that came at the wrong time.
func (r *runner) ignore(q Request) error {
	if err := r.write(recIgnored, q.Step, q); err != nil {
		return err
	}
	if err := r.box.done(q); err != nil {
		return errLog{err}
	}
	return nil
}

// cancelled is why a run's context ends when somebody cancels by another process.
type cancelled struct{ q Request }

func (c *cancelled) Error() string { return "cancelled by " + c.q.Who + ": " + c.q.Why }

// watch looks for somebody who cancels.
func (r *runner) watch(ctx context.Context) {
	for {
		for _, q := range r.box.list() {
			if q.Kind == requestCancel {
				r.halt(&cancelled{q})
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.cfg.Poll):
		}
	}
}

// Answer answers the step that a run asks about at the moment.
func Answer(dir, step, word, who string) error {
	p, err := underWay(dir)
	if err != nil {
		return err
	}
	q := p.asked[step]
	switch {
	case q == nil:
		return fmt.Errorf("%w: run %d does not ask about step %s", ErrNotAsked, p.run, step)
	case word != q.Word:
		return fmt.Errorf("%w: the word is another one", ErrNotAsked)
	case q.NotBy != "" && q.NotBy == who:
		return fmt.Errorf("%w: it has to be somebody else than %s", ErrNotAsked, who)
	}
	return send(dir, Request{Kind: requestApprove, Step: step, Word: word, Who: who})
}

// Cancel has a run go back, or stop where it is behind the point of no return.
func Cancel(dir, who, why string) error {
	if _, err := underWay(dir); err != nil {
		return err
	}
	return send(dir, Request{Kind: requestCancel, Who: who, Why: why})
}

// Settle says how a step ended that a killed runner had begun: done, again or failed. The next start of the run takes it.
func Settle(dir, step, how, who, why string) error {
	if how != SettleDone && how != SettleAgain && how != SettleFailed {
		return fmt.Errorf("%w: %q is none of %s, %s, %s", ErrNotAsked, how, SettleDone, SettleAgain, SettleFailed)
	}
	p, err := underWay(dir)
	if err != nil {
		return err
	}
	if p.question != step {
		return fmt.Errorf("%w: run %d does not ask how step %s ended", ErrNotAsked, p.run, step)
	}
	return send(dir, Request{Kind: requestSettle, Step: step, As: how, Who: who, Why: why})
}

// underWay gives the run that is.
func underWay(dir string) (*progress, error) {
	records, _, err := evidence.Read(dir)
	if err != nil {
		return nil, err
	}
	all, err := runs(records)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 || all[len(all)-1].finish != nil {
		return nil, fmt.Errorf("%w: no run of %s is under way", ErrNotAsked, dir)
	}
	return all[len(all)-1], nil
}

// send leaves a request, whole or not at all.
func send(dir string, q Request) error {
	if q.Who == "" || len(q.Who) > 100 || len(q.Why) > 1000 {
		return fmt.Errorf("%w: who: needed, at most 100 bytes; why: at most 1000", ErrNotAsked)
	}
	b, err := openInbox(dir)
	if err != nil {
		return err
	}
	q.At = time.Now().UTC()
	text, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	name := filepath.Join(b.dir, fmt.Sprintf("%d-%d-%s", q.At.UnixNano(), os.Getpid(), q.Kind))
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return fmt.Errorf("leave a request: %w", err)
	}
	if err := os.Rename(name, name+".json"); err != nil {
		return fmt.Errorf("leave a request: %w", err)
	}
	return nil
}
