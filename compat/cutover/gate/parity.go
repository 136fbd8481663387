package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/bkledger/bk/compat/parity"
)

// ParityClean holds where a report of hotswap parity --json says that nothing is unexplained.
type ParityClean struct {
	File        string        `yaml:"file" json:"file"`
	MaxAge      time.Duration `yaml:"max-age" json:"max-age"`           // of the report; 1 h if left out
	MinCompared int64         `yaml:"min-compared" json:"min-compared"` // that have to be compared at least; 1 if left out
	MaxPending  *int64        `yaml:"max-pending" json:"max-pending"`   // that one side may have alone for now; any if left out
}

func (*ParityClean) needs() []need { return nil }

func (p *ParityClean) validate() (errs []error) {
	if p.File == "" {
		errs = append(errs, errors.New("file: needed: of hotswap parity --json"))
	}
	if p.MaxAge < 0 || p.MinCompared < 0 || p.MaxPending != nil && *p.MaxPending < 0 {
		errs = append(errs, errors.New("max-age, min-compared, max-pending: must not be negative"))
	}
	return errs
}

const maxReport = 256 << 20

func (p *ParityClean) measure(context.Context, *Targets) (Figures, string, error) {
	file, err := os.Open(p.File)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	var r parity.Report
	if err := json.NewDecoder(io.LimitReader(file, maxReport)).Decode(&r); err != nil {
		return nil, "", fmt.Errorf("%s is no report of hotswap parity: %w", p.File, err)
	}
	oldest := p.MaxAge
	if oldest == 0 {
		oldest = time.Hour
	}
	age := time.Since(r.At)
	f := Figures{
		"at": r.At, "age_seconds": age.Seconds(), "compared": r.Compared, "equal": r.Equal, "unexplained": r.Unexplained, "explained": r.Explained, "pending": r.Pending,
	}
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if r.Unexplained > 0 {
		say("%d are unexplained", r.Unexplained)
		if len(r.Causes) > 0 {
			say("the first: %s", r.Causes[0].Kind)
		}
	}
	if age > oldest || age < -time.Minute {
		say("the report is of %s, %s ago; it may be %s old", r.At.UTC().Format(time.RFC3339), age.Round(time.Second), oldest)
	}
	if least := max(p.MinCompared, 1); r.Compared < least {
		say("only %d were compared, below %d", r.Compared, least)
	}
	if p.MaxPending != nil && r.Pending > *p.MaxPending {
		say("%d are pending, above %d", r.Pending, *p.MaxPending)
	}
	for _, side := range r.Sides {
		if f["gaps_"+side.Side] = side.Gaps; side.Gaps > 0 {
			say("side %s has %d gaps", side.Side, side.Gaps)
		}
	}
	return f, reasons(wrong), nil
}
