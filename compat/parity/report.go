package parity

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/causes"
)

// Report is what a comparison has found. Its JSON is for programs, too: keys are only added.
type Report struct {
	At          time.Time `json:"at"`
	Seconds     Seconds   `json:"seconds"`
	LagSeconds  float64   `json:"lag_seconds"`
	Sides       []Side    `json:"sides"` // Bank's first
	Compared    int64     `json:"compared"`
	Equal       int64     `json:"equal"` // of those, events that both sides have alike
	Pending     int64     `json:"pending"`
	PendingFrom time.Time `json:"pending_from,omitzero"` // when the oldest pending one landed

	// Findings, each the first event of something that is wrong.
	Unexplained int64   `json:"unexplained"`
	Explained   int64   `json:"explained"`
	Causes      []Cause `json:"causes"` // unexplained ones first, then by money, then by rows

	Accounts          []Account        `json:"accounts"` // that differ, the most money first, at most 1000
	AccountsCompared  int64            `json:"accounts_compared"`
	AccountsDiffering int64            `json:"accounts_differing"`
	Days              []Day            `json:"days"`
	Ends              Ends             `json:"ends_of_days"`
	Rules             []RuleUse        `json:"rules"`
	Findings          []causes.Finding `json:"findings"`          // in the order of causes, at most Config.Keep
	LeftOut           int64            `json:"findings_left_out"` // of Findings, not of any count
	Notes             []string         `json:"notes"`
}

// Seconds is how long it took.
type Seconds struct {
	Total   float64 `json:"total"`
	SQL     float64 `json:"sql"`     // over all rows
	Examine float64 `json:"examine"` // the accounts with differences
}

// Side is what was landed of one.
type Side struct {
	Side        string    `json:"side"`
	Trades      int64     `json:"trade_events"`
	Cash        int64     `json:"cash_events"`
	Dates       int64     `json:"date_events"`
	Repeats     int64     `json:"repeats"` // events that came again under the same id, of the accounts that were examined
	Rejects     int64     `json:"rejects"`
	Topics      []string  `json:"topics"`
	FirstLanded time.Time `json:"first_landed,omitzero"`
	LastLanded  time.Time `json:"last_landed,omitzero"`
	CaughtUp    time.Time `json:"caught_up,omitzero"` // when its landing last had all that Kafka had; zero: not known, or not yet
	Gaps        int64     `json:"gaps"`               // accepted ones
}

// Events is how many of all kinds.
func (s *Side) Events() int64 { return s.Trades + s.Cash + s.Dates }

// Cause is all findings of a kind that one rule explains, or none.
type Cause struct {
	Kind        string                  `json:"kind"`
	Findings    int64                   `json:"findings"`
	Rows        int64                   `json:"rows"` // with those that follow from them
	Accounts    int64                   `json:"accounts"`
	Money       causes.Money            `json:"money"` // of all currencies, added as they are: for weight
	ByCurrency  map[string]causes.Money `json:"money_by_currency"`
	EndsOfDays  int64                   `json:"ends_of_days"`
	ExplainedBy string                  `json:"explained_by,omitempty"`
	ExpiredRule string                  `json:"expired_rule,omitempty"` // that would explain some of them
	First       causes.Finding          `json:"first"`                  // the one of the most money

	accounts map[int64]bool
}

// Account is one that differs.
type Account struct {
	Account     int64          `json:"account"`
	Findings    int64          `json:"findings"`
	Unexplained int64          `json:"unexplained"`
	Rows        int64          `json:"rows"`
	Money       causes.Money   `json:"money"`
	First       causes.Finding `json:"first"` // the first event that diverges
}

// Day is a business date.
type Day struct {
	Date      bank.Date    `json:"business_date"`
	Events    [2]int64     `json:"events"`    // Bank's, BK's
	Findings  int64        `json:"findings"`  // whose event is of that day
	Money     causes.Money `json:"money"`     // of the findings
	Differing []Sum        `json:"differing"` // sums that are not the same
}

// Sum is what the amounts of a kind of event come to on a day in a currency.
type Sum struct {
	Event    string       `json:"event"`
	Currency string       `json:"currency"`
	Count    [2]int64     `json:"count"` // Bank's, BK's
	Bank     bank.Decimal `json:"bank"`
	BK       bank.Decimal `json:"bk"`
}

// Ends are positions and balances at the end of a business date, by account and symbol or currency: the last running totals of a day, all of which are compared.
type Ends struct {
	Differing int64 `json:"differing"`
}

// RuleUse is what a rule has done.
type RuleUse struct {
	Name    string    `json:"name"`
	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires"`
	Expired bool      `json:"expired"`
	// Explained is how many findings it explains; WouldHave how many it would, had it not expired.
	Explained int64 `json:"explained"`
	WouldHave int64 `json:"would_have_explained"`
}

const maxAccounts = 1000

// gatherer makes a report of findings as they come.
type gatherer struct {
	report   *Report
	rules    *Rules
	now      time.Time
	keep     int
	causes   map[[2]string]*Cause
	accounts map[int64]*Account
	days     map[bank.Date]*Day
	uses     map[string]*RuleUse
	kept     []causes.Finding
}

func newGatherer(r *Report, rules *Rules, keep int, now time.Time) *gatherer {
	g := &gatherer{
		report: r, rules: rules, now: now, keep: keep, causes: map[[2]string]*Cause{}, accounts: map[int64]*Account{}, days: map[bank.Date]*Day{}, uses: map[string]*RuleUse{},
	}
	for _, rule := range rules.all {
		g.uses[rule.Name] = &RuleUse{Name: rule.Name, Owner: rule.Owner, Reason: rule.Reason, Expires: rule.Expires, Expired: !now.Before(rule.Expires)}
	}
	return g
}

// take counts a finding.
func (g *gatherer) take(f *causes.Finding) {
	f.ExplainedBy, f.ExpiredRule = g.rules.explain(f, g.now)
	if f.ExplainedBy != "" {
		g.report.Explained++
		g.uses[f.ExplainedBy].Explained++
	} else {
		g.report.Unexplained++
	}
	if f.ExpiredRule != "" {
		g.uses[f.ExpiredRule].WouldHave++
	}
	c := g.causes[[2]string{f.Kind, f.ExplainedBy}]
	if c == nil {
		c = &Cause{Kind: f.Kind, ExplainedBy: f.ExplainedBy, ByCurrency: map[string]causes.Money{}, accounts: map[int64]bool{}, First: *f}
		g.causes[[2]string{f.Kind, f.ExplainedBy}] = c
	}
	c.Findings++
	c.Rows += 1 + f.Follows
	c.EndsOfDays += f.EndsOfDays
	c.Money = causes.Money{Decimal: c.Money.Add(f.Money.Decimal)}
	if f.Currency != "" && !f.Money.IsZero() {
		c.ByCurrency[f.Currency] = causes.Money{Decimal: c.ByCurrency[f.Currency].Add(f.Money.Decimal)}
	}
	if f.ExpiredRule != "" {
		c.ExpiredRule = f.ExpiredRule
	}
	if f.Money.GreaterThan(c.First.Money.Decimal) {
		c.First = *f
	}
	if f.Account != 0 {
		c.accounts[f.Account] = true
		a := g.accounts[f.Account]
		if a == nil {
			a = &Account{Account: f.Account, First: *f}
			g.accounts[f.Account] = a
		}
		a.Findings++
		if f.ExplainedBy == "" {
			a.Unexplained++
		}
		a.Rows += 1 + f.Follows
		a.Money = causes.Money{Decimal: a.Money.Add(f.Money.Decimal)}
		if earlier(f, &a.First) {
			a.First = *f
		}
	}
	d := g.day(f.BusinessDate)
	d.Findings++
	d.Money = causes.Money{Decimal: d.Money.Add(f.Money.Decimal)}
	g.kept = append(g.kept, *f)
	if len(g.kept) >= 2*g.keep+1000 {
		g.prune()
	}
}

func (g *gatherer) day(date bank.Date) *Day {
	d := g.days[date]
	if d == nil {
		d = &Day{Date: date}
		g.days[date] = d
	}
	return d
}

// earlier tells whether a finding is of an earlier event than another of the account.
func earlier(f, than *causes.Finding) bool {
	if f.Bank != nil && than.Bank != nil {
		return f.Bank.EventID < than.Bank.EventID
	}
	if f.BK != nil && than.BK != nil {
		return f.BK.EventID < than.BK.EventID
	}
	return f.BusinessDate < than.BusinessDate
}

// prune keeps the findings of the most money, unexplained ones first.
func (g *gatherer) prune() {
	slices.SortStableFunc(g.kept, func(a, b causes.Finding) int {
		if (a.ExplainedBy == "") != (b.ExplainedBy == "") {
			if a.ExplainedBy == "" {
				return -1
			}
			return 1
		}
		return cmp.Or(b.Money.Cmp(a.Money.Decimal), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Event, b.Event))
	})
	if len(g.kept) > g.keep {
		g.report.LeftOut += int64(len(g.kept) - g.keep)
		g.kept = g.kept[:g.keep]
	}
}

// finish fills the report in.
func (g *gatherer) finish() {
	r := g.report
	g.prune()
	r.Findings = append([]causes.Finding{}, g.kept...)
	r.Causes = []Cause{}
	for _, c := range g.causes {
		c.Accounts = int64(len(c.accounts))
		r.Causes = append(r.Causes, *c)
	}
	slices.SortFunc(r.Causes, func(a, b Cause) int {
		if (a.ExplainedBy == "") != (b.ExplainedBy == "") {
			if a.ExplainedBy == "" {
				return -1
			}
			return 1
		}
		return cmp.Or(b.Money.Cmp(a.Money.Decimal), cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ExplainedBy, b.ExplainedBy))
	})
	r.Accounts = []Account{}
	for _, a := range g.accounts {
		r.Accounts = append(r.Accounts, *a)
	}
	r.AccountsDiffering = int64(len(r.Accounts))
	slices.SortFunc(r.Accounts, func(a, b Account) int {
		return cmp.Or(b.Money.Cmp(a.Money.Decimal), cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Account, b.Account))
	})
	if len(r.Accounts) > maxAccounts {
		r.Accounts = r.Accounts[:maxAccounts]
	}
	r.Days = []Day{}
	for _, date := range slices.Sorted(maps.Keys(g.days)) {
		if d := g.days[date]; date != 0 || d.Events != [2]int64{} {
			if d.Differing == nil {
				d.Differing = []Sum{}
			}
			r.Days = append(r.Days, *d)
		}
	}
	r.Rules = []RuleUse{}
	for _, rule := range g.rules.all {
		r.Rules = append(r.Rules, *g.uses[rule.Name])
	}
}
