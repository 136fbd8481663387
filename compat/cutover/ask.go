package cutover

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// ask waits for a word: on the terminal, by another process, or, in a dry run, of what was given beforehand.
func (r *runner) ask(ctx context.Context, s *Step, q askRecord, another bool) error {
	q.Timeout = s.timeout().String()
	if another {
		q.NotBy = r.cfg.Who
	}
	if err := r.write(recAsk, s.Name, q); err != nil {
		return err
	}
	if word, ok := r.cfg.Answers[s.Name]; ok { // a dry run
		a := answerRecord{Who: r.cfg.Who, How: "dry run", OK: word == q.Word}
		if !a.OK {
			a.Why = "it is not the word"
		}
		if err := r.write(recAnswer, s.Name, a); err != nil || a.OK {
			return err
		}
		return fmt.Errorf("the answer %q is not the word %s", word, q.Word)
	}
	r.tell("%s: %s\ntype %s here, or: hotswap cutover approve %s %s --log %s", s.Name, q.Ask, q.Word, s.Name, q.Word, r.cfg.Dir)
	if q.NoBack {
		r.tell("%s: THERE IS NO WAY BACK FROM HERE", s.Name)
	}
	for {
		word, by, got, err := r.answer(s)
		if err != nil {
			return err
		}
		if got {
			switch {
			case word != q.Word:
				by.Why = "it is not the word"
			case q.NotBy != "" && by.Who == q.NotBy:
				by.Why = "it has to be somebody else than who runs it"
			default:
				by.OK = true
			}
			if err := r.write(recAnswer, s.Name, by); err != nil || by.OK {
				return err
			}
			r.tell("%s: not taken from %s: %s", s.Name, by.Who, by.Why)
			continue
		}
		select {
		case <-ctx.Done():
			return r.ended(ctx, s, "nobody has answered")
		case <-time.After(r.cfg.Poll):
		}
	}
}

// answer takes one, if there is any.
func (r *runner) answer(s *Step) (word string, by answerRecord, got bool, err error) {
	if line, ok := r.lines.line(); ok {
		return line, answerRecord{Who: r.cfg.Who, How: "terminal"}, true, nil
	}
	for _, q := range r.box.list() {
		if q.Kind != requestApprove {
			continue
		}
		if q.Step != s.Name {
			if err := r.ignore(q); err != nil {
				return "", by, false, err
			}
			continue
		}
		if err := r.box.done(q); err != nil {
			return "", by, false, errLog{err}
		}
		return q.Word, answerRecord{Who: q.Who, How: "approve"}, true, nil
	}
	return "", by, false, nil
}

// terminal reads lines without holding anybody up.
type terminal struct {
	from  io.Reader
	begin sync.Once
	lines chan string
}

func newTerminal(from io.Reader) *terminal {
	return &terminal{from: from, lines: make(chan string, 16)}
}

// line gives a line that was typed, if there is one.
func (t *terminal) line() (string, bool) {
	if t.from == nil {
		return "", false
	}
	t.begin.Do(func() {
		go func() { // it ends with the terminal
			scanner := bufio.NewScanner(t.from)
			for scanner.Scan() {
				t.lines <- strings.TrimSpace(scanner.Text())
			}
		}()
	})
	select {
	case line := <-t.lines:
		return line, line != ""
	default:
		return "", false
	}
}
