package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/causes"
)

// How many rows of each list the terminal shows.
const (
	textAccounts = 10
	textDays     = 10
)

// JSON writes everything.
func JSON(to io.Writer, r *parity.Report) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Text writes tables for people.
func Text(to io.Writer, r *parity.Report) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "SIDE\tTRADE EVENTS\tCASH\tDATES\tREPEATS\tUNREADABLE\tLAST LANDED\tTOPICS\n")
	for _, s := range r.Sides {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", s.Side, s.Trades, s.Cash, s.Dates, s.Repeats, s.Rejects, moment(s.LastLanded), strings.Join(s.Topics, " "))
	}
	fmt.Fprintf(w, "\n%d compared in %.1f s, %d equal, %d pending (lag %s); %d of %d accounts differ; %d positions and balances at the end of a day differ\n",
		r.Compared, r.Seconds.Total, r.Equal, r.Pending, lag(r), r.AccountsDiffering, r.AccountsCompared, r.Ends.Differing)
	if len(r.Causes) > 0 {
		fmt.Fprintf(w, "\nCAUSE\tFIRST EVENTS\tROWS\tACCOUNTS\tMONEY\tEXPLAINED BY\tTHE ONE OF THE MOST MONEY\n")
		for _, c := range r.Causes {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\n", c.Kind, c.Findings, c.Rows, c.Accounts, amount(c.Money), explained(c.ExplainedBy, c.ExpiredRule), line(&c.First))
		}
		fmt.Fprintf(w, "\nACCOUNT\tFIRST EVENTS\tUNEXPLAINED\tROWS\tMONEY\tDIVERGES FIRST AT\n")
		for i, a := range r.Accounts {
			if i == textAccounts {
				fmt.Fprintf(w, "...\tand %d more\n", r.AccountsDiffering-textAccounts)
				break
			}
			fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%s\t%s\n", a.Account, a.Findings, a.Unexplained, a.Rows, amount(a.Money), line(&a.First))
		}
		shown := 0
		for _, d := range r.Days {
			if d.Findings == 0 && len(d.Differing) == 0 {
				continue
			}
			if shown == 0 {
				fmt.Fprintf(w, "\nBUSINESS DATE\tBANK'S EVENTS\tBK'S\tFIRST EVENTS\tMONEY\tSUMS THAT DIFFER\n")
			}
			if shown++; shown > textDays {
				fmt.Fprintf(w, "...\tand more\n")
				break
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%d\n", date(d.Date), d.Events[0], d.Events[1], d.Findings, amount(d.Money), len(d.Differing))
		}
	}
	if len(r.Rules) > 0 {
		fmt.Fprintf(w, "\nRULE\tOWNER\tUNTIL\tEXPLAINS\tREASON\n")
		for _, u := range r.Rules {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Name, u.Owner, lastDay(u.Expires), uses(u), u.Reason)
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "\nnote: %s\n", note)
	}
	fmt.Fprintf(w, "\n%s\n", verdict(r))
	return w.Flush()
}

func verdict(r *parity.Report) string {
	switch {
	case r.Unexplained > 0:
		return fmt.Sprintf("%d unexplained, %d explained", r.Unexplained, r.Explained)
	case r.Explained > 0:
		return fmt.Sprintf("0 unexplained, %d explained by rules", r.Explained)
	case r.Compared == 0:
		return "nothing to compare"
	}
	return "0 unexplained: both sides say the same"
}

func uses(u parity.RuleUse) string {
	if u.Expired {
		return fmt.Sprintf("EXPIRED, would explain %d", u.WouldHave)
	}
	return fmt.Sprint(u.Explained)
}

// lastDay is the last one on which a rule explains.
func lastDay(expires time.Time) string {
	return expires.Add(-time.Nanosecond).UTC().Format(time.DateOnly)
}

func explained(rule, expired string) string {
	switch {
	case rule != "":
		return rule
	case expired != "":
		return "(" + expired + ", expired)"
	}
	return "-"
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}

func lag(r *parity.Report) string { return time.Duration(r.LagSeconds * float64(time.Second)).String() }

func date(d bank.Date) string {
	if d == 0 {
		return "before the first"
	}
	return fmt.Sprintf("%04d-%02d-%02d", int(d)/10000, int(d)/100%100, int(d)%100)
}

// amount shows money with at least two digits behind the point, and spaces between thousands.
func amount(m causes.Money) string {
	text := m.StringFixed(max(2, -m.Exponent()))
	if whole, fraction, ok := strings.Cut(text, "."); ok {
		fraction = strings.TrimRight(fraction, "0")
		for len(fraction) < 2 {
			fraction += "0"
		}
		text = grouped(whole) + "." + fraction
	}
	return text
}

func grouped(whole string) string {
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	var b strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return sign + b.String()
}

func count(n int64) string { return grouped(fmt.Sprint(n)) }

// line tells a finding in one.
func line(f *causes.Finding) string {
	var b strings.Builder
	what := "trade"
	if f.Cash {
		what = "cash"
	}
	if f.Account != 0 {
		fmt.Fprintf(&b, "account %d, ", f.Account)
	}
	if f.Number != 0 {
		fmt.Fprintf(&b, "%s %d, ", what, f.Number)
	}
	if f.Event != "" {
		b.WriteString(f.Event + " ")
	}
	if f.BusinessDate != 0 {
		b.WriteString("on " + date(f.BusinessDate) + " ")
	}
	if f.Side != "" {
		b.WriteString("(" + f.Side + ") ")
	}
	if f.BankValue != "" || f.BKValue != "" {
		fmt.Fprintf(&b, "Bank %s, BK %s ", orNone(f.BankValue), orNone(f.BKValue))
	}
	switch {
	case f.Bank != nil:
		b.WriteString("at " + where(f.Bank))
	case f.BK != nil:
		b.WriteString("at " + where(f.BK))
	}
	return strings.TrimSpace(b.String())
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}

func where(p *causes.Place) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset)
}
