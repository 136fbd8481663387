package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/causes"
)

//go:embed page.html
var pageText string

// How many rows of each list the page shows.
const (
	pageAccounts = 100
	pageFindings = 300
)

// page is what the template is given.
type page struct {
	*parity.Report
	Verdict, Class           string
	ByRows, ByMoney, Holders bars
	ByDay                    days
	ShownAccounts            []parity.Account
	ShownFindings            []causes.Finding
	DifferingDays            []parity.Day
}

// HTML writes the page.
func HTML(to io.Writer, r *parity.Report) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"amount": amount, "count": count, "date": date, "moment": moment, "where": where, "explained": explained, "uses": uses, "lastDay": lastDay, "orNone": orNone,
		"len64": func(list []parity.Account) int64 { return int64(len(list)) },
		"line":  func(f causes.Finding) string { return line(&f) },
		"f1":    func(f float64) string { return fmt.Sprintf("%.1f", f) },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	p := page{
		Report: r, Verdict: verdict(r), Class: "good", ByRows: causesByRows(r), ByMoney: causesByMoney(r), Holders: accountsByMoney(r), ByDay: byDay(r),
		ShownAccounts: r.Accounts[:min(len(r.Accounts), pageAccounts)], ShownFindings: r.Findings[:min(len(r.Findings), pageFindings)],
	}
	if r.Unexplained > 0 {
		p.Class = "bad"
	} else if r.Pending > 0 || r.Explained > 0 || r.Compared == 0 {
		p.Class = "fair"
	}
	for _, d := range r.Days {
		if d.Findings > 0 || len(d.Differing) > 0 {
			p.DifferingDays = append(p.DifferingDays, d)
		}
	}
	if err := t.Execute(to, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
