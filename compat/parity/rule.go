package parity

import (
	"fmt"
	"path"
	"strconv"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/rules"
)

// Rule explains findings that somebody has looked at and answers for, for a time.
type Rule struct {
	Name, Owner, Reason string
	// Expires is when it ends to explain.
	Expires time.Time

	// What it explains, one of them at least. Empty ones fit all.
	Kind        string    // wrong_field:order_id; * is any text: wrong_field:*
	Side        string    // bank, bk
	Account     int64     // 0: any
	Event       string    // opened, deposit, ...
	Symbol      string    // as in the trade
	Currency    string    // as in the trade or cash movement
	From, Until bank.Date // business dates, both included
}

// Rules are all that are in force, checked. The zero value has none.
type Rules struct{ all []Rule }

// All gives the rules in their order.
func (r *Rules) All() []Rule { return append([]Rule{}, r.all...) }

// NewRules checks rules; the error names everything that is wrong with any. A rule that has expired already is right, but explains nothing.
func NewRules(list []Rule) (*Rules, error) {
	var common []rules.Rule
	for _, r := range list {
		common = append(common, rules.Rule{Name: r.Name, Owner: r.Owner, Reason: r.Reason, Expires: r.Expires})
	}
	err := rules.Check(common, func(i int, wrong func(format string, args ...any)) {
		r := list[i]
		if about := (Rule{Name: r.Name, Owner: r.Owner, Reason: r.Reason, Expires: r.Expires}); r == about {
			wrong("kind: one of kind, side, account, event, symbol, currency, from and until is needed")
		}
		if _, err := path.Match(r.Kind, ""); err != nil {
			wrong("kind: %q is no pattern", rules.Cut(r.Kind))
		}
		if r.Side != "" && r.Side != dialect.SideBank && r.Side != dialect.SideBK {
			wrong("side: %q is neither %s nor %s", rules.Cut(r.Side), dialect.SideBank, dialect.SideBK)
		}
		if r.Account < 0 {
			wrong("account: %d is none", r.Account)
		}
		for name, date := range map[string]bank.Date{"from": r.From, "until": r.Until} {
			if date != 0 && !date.Real() {
				wrong("%s: %d is no day such as 20131007", name, date)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return &Rules{list}, nil
}

// ReadRules reads a file of rules, as [rules.Read] does. They may have kind, side, account, event, symbol, currency, from and until; from and until are business dates: 20131007.
func ReadRules(file string) (*Rules, error) {
	read, err := rules.Read(file, rules.Field{Name: "kind"}, rules.Field{Name: "side"}, rules.Field{Name: "account", Number: true}, rules.Field{Name: "event"},
		rules.Field{Name: "symbol"}, rules.Field{Name: "currency"}, rules.Field{Name: "from", Number: true}, rules.Field{Name: "until", Number: true})
	if err != nil {
		return nil, err
	}
	var all []Rule
	for i, r := range read {
		one := Rule{
			Name: r.Name, Owner: r.Owner, Reason: r.Reason, Expires: r.Expires,
			Kind: r.About["kind"], Side: r.About["side"], Event: r.About["event"], Symbol: r.About["symbol"], Currency: r.About["currency"],
		}
		for name, set := range map[string]func(int64){
			"account": func(n int64) { one.Account = n }, "from": func(n int64) { one.From = bank.Date(n) }, "until": func(n int64) { one.Until = bank.Date(n) },
		} {
			if text := r.About[name]; text != "" {
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					return nil, fmt.Errorf("%s: rules[%d].%s: %q is no number", file, i, name, rules.Cut(text))
				}
				set(n)
			}
		}
		all = append(all, one)
	}
	checked, err := NewRules(all)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return checked, nil
}

// explain gives the first rule that explains a finding; if there is none, the first that would, had it not expired.
func (r *Rules) explain(f *causes.Finding, now time.Time) (rule, expired string) {
	for i := range r.all {
		one := &r.all[i]
		if !one.fits(f) {
			continue
		}
		if now.Before(one.Expires) {
			return one.Name, ""
		}
		if expired == "" {
			expired = one.Name
		}
	}
	return "", expired
}

func (r *Rule) fits(f *causes.Finding) bool {
	if r.Kind != "" {
		if ok, err := path.Match(r.Kind, f.Kind); !ok || err != nil {
			return false
		}
	}
	return (r.Side == "" || r.Side == f.Side) && (r.Account == 0 || r.Account == f.Account) && (r.Event == "" || r.Event == f.Event) &&
		(r.Symbol == "" || r.Symbol == f.Symbol) && (r.Currency == "" || r.Currency == f.Currency) &&
		(r.From == 0 || f.BusinessDate >= r.From) && (r.Until == 0 || f.BusinessDate != 0 && f.BusinessDate <= r.Until)
}
