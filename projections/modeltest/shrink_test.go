package modeltest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// shrink leaves steps out, many at once, then one by one, as long as the rest fails still; then it makes what is left plainer. It tries for so long.
func shrink(steps []Step, fails func([]Step) error, most time.Duration) ([]Step, error) {
	var last error
	began := time.Now()
	try := func(candidate []Step) bool {
		if time.Since(began) > most {
			return false
		}
		err := fails(candidate)
		if err != nil {
			steps, last = candidate, err
		}
		var at *stepError
		if errors.As(err, &at) {
			steps = steps[:at.step+1] // what follows has no part in it
		}
		return err != nil
	}
	try(steps)
	for before := ""; before != stepsText(steps, len(steps)) && last != nil && time.Since(began) < most; {
		before = stepsText(steps, len(steps))
		for lot := max(len(steps)/2, 1); lot > 0; lot /= 2 {
			for at := 0; at < len(steps); {
				if !try(slices.Concat(steps[:at], steps[min(at+lot, len(steps)):])) {
					at += lot
				}
			}
		}
		for i := range steps {
			for _, plainer := range simplifications {
				if s := simplified(steps[i], plainer); stepText(s) != stepText(steps[i]) {
					candidate := slices.Clone(steps)
					candidate[i] = s
					try(candidate)
				}
			}
		}
	}
	return steps, last
}

// stepError says at which step a sequence failed.
type stepError struct {
	step int // from 0
	err  error
}

func (e *stepError) Error() string { return fmt.Sprintf("step %d: %v", e.step+1, e.err) }
func (e *stepError) Unwrap() error { return e.err }

// simplified gives a copy of a step with one thing made plainer.
func simplified(s Step, plainer func(*Step)) Step {
	if s.Trade != nil {
		terms := *s.Trade
		s.Trade = &terms
	}
	if s.Read != nil {
		read := *s.Read
		s.Read = &read
	}
	plainer(&s)
	return s
}

// simplifications make one thing of a step plainer.
var simplifications = []func(*Step){
	func(s *Step) { s.SettleDate = 0 },
	func(s *Step) { s.EffectiveDate = 0 },
	func(s *Step) { s.Street = false },
	func(s *Step) { s.Link = false },
	func(s *Step) { s.Unsettled = false },
	onTrade(func(s *Step) { s.Trade.Commission = "" }),
	onTrade(func(s *Step) { s.Trade.Accrued = "" }),
	onTrade(func(s *Step) { s.Trade.Currency = "" }),
	onTrade(func(s *Step) { s.Trade.Short = false }),
	onTrade(func(s *Step) { s.Trade.OmitSEC, s.Trade.OmitTAF = true, true }),
	onTrade(func(s *Step) { s.Trade.Quantity = "100" }),
	onTrade(func(s *Step) { s.Trade.Quantity = "1" }),
	onTrade(func(s *Step) { s.Trade.Price = "10" }),
	onTrade(func(s *Step) { s.Trade.Security = "AAA" }),
	onTrade(func(s *Step) { s.Trade.Account = "cust:1001" }),
	onTrade(func(s *Step) { s.Kind, s.Trade.Target, s.Trade.Contra = "trade.exchange", "", "" }),
	func(s *Step) {
		if s.Read != nil {
			s.Read.AsOf = 0
		}
	},
	func(s *Step) {
		if s.Read != nil {
			s.Read.Back = -1
		}
	},
}

func onTrade(do func(*Step)) func(*Step) {
	return func(s *Step) {
		if s.Trade != nil {
			do(s)
		}
	}
}

func stepText(s Step) string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func stepsText(steps []Step, most int) string {
	var b strings.Builder
	for i, s := range steps {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == most {
			fmt.Fprintf(&b, "and %d more", len(steps)-i)
			break
		}
		b.WriteString(stepText(s))
	}
	return b.String()
}
