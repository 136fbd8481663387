package cutover

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/cutover/evidence"
)

// ErrRefused is in the chain of an error of a run that was not begun.
var ErrRefused = errors.New("the run is not begun")

// token is what a dry run's last record gives: short enough to be typed.
func token(finish evidence.Record) string {
	sum := sha256.Sum256([]byte("arm " + finish.Hash))
	text := hex.EncodeToString(sum[:6])
	return text[:4] + "-" + text[4:8] + "-" + text[8:]
}

// fingerprint is of all that has to be the same in a dry run and in the live one that it arms: the file, where the systems are, and the variables. Secrets are not in it.
func (r *Runbook) fingerprint() (string, error) {
	text, err := json.Marshal([]any{r.hash, r.Targets.Public(), r.public()})
	if err != nil {
		return "", fmt.Errorf("encode the runbook's variables: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// public gives the variables that may be shown.
func (r *Runbook) public() map[string]string {
	out := map[string]string{}
	for name, value := range r.values {
		if out[name] = value; r.Variables[name].Secret {
			out[name] = hidden
		}
	}
	red := newRedactor(r.secrets())
	for name, value := range out {
		out[name] = red.text(value)
	}
	return out
}

// armed finds the dry run that a token is of, and says why it is not good.
func armed(all []*progress, text string, about runRecord, armFor time.Duration, now time.Time) (by int64, err error) {
	if text == "" {
		return 0, fmt.Errorf("%w: a live run needs --arm with the token of a dry run of the same runbook", ErrRefused)
	}
	for _, p := range all {
		if !p.about.Dry && p.about.ArmedBy != 0 {
			continue
		}
		if !p.about.Dry || p.finish == nil || p.finish.Outcome != OutcomeDone || token(p.last) != text {
			continue
		}
		switch age := now.Sub(p.last.At); {
		case p.about.SHA256 != about.SHA256:
			return 0, fmt.Errorf("%w: the token is of another runbook, or the file was changed since: make a dry run of this one", ErrRefused)
		case p.about.Fingerprint != about.Fingerprint:
			return 0, fmt.Errorf("%w: the dry run was against other targets, or with other variables", ErrRefused)
		case age > armFor || age < -time.Minute:
			return 0, fmt.Errorf("%w: the dry run is %s old, and its token is good for %s", ErrRefused, age.Round(time.Second), armFor)
		}
		for _, other := range all {
			if other.about.ArmedBy == p.last.Seq {
				return 0, fmt.Errorf("%w: the token was used by run %d: make another dry run", ErrRefused, other.run)
			}
		}
		return p.last.Seq, nil
	}
	return 0, fmt.Errorf("%w: no dry run in this log gave the token %q", ErrRefused, text)
}
