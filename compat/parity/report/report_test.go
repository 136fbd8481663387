package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity"
	"github.com/bkledger/bk/compat/parity/causes"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func money(text string) causes.Money { return causes.Money{Decimal: decimal.RequireFromString(text)} }

// sample is a report of many differences, some of them explained.
func sample() *parity.Report {
	at := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	r := &parity.Report{
		At: at, Seconds: parity.Seconds{Total: 3.4, SQL: 2.9, Examine: 0.4}, LagSeconds: 60, Compared: 1_234_567, Equal: 1_234_000, Pending: 12, Unexplained: 561, Explained: 6,
		AccountsCompared: 2000, AccountsDiffering: 140, Ends: parity.Ends{Differing: 77}, LeftOut: 3,
		Sides: []parity.Side{
			{Side: "bank", Trades: 1_200_000, Cash: 34_567, Dates: 4, Topics: []string{"bank.cash", "bank.trades"}, FirstLanded: at.Add(-time.Hour), LastLanded: at},
			{Side: "bk", Trades: 1_199_990, Cash: 34_567, Dates: 4, Rejects: 1, Topics: []string{"facade.bank.trades"}, FirstLanded: at.Add(-time.Hour), LastLanded: at},
		},
		Rules: []parity.RuleUse{
			{Name: "order-ids", Owner: "anna", Reason: "BK trims them (CHG-12)", Expires: at.AddDate(0, 1, 0), Explained: 6},
			{Name: "old-one", Owner: "ben", Reason: "was mended", Expires: at.AddDate(0, -1, 0), Expired: true, WouldHave: 9},
		},
		Notes: []string{"rules that have expired explain nothing: old-one"},
	}
	for i, kind := range []string{causes.WrongDecimal + "price", causes.Missing, causes.WrongAccount, causes.Late, causes.WrongRunningTotal, causes.WrongField + "order_id"} {
		f := causes.Finding{
			Kind: kind, Side: "bk", Account: int64(100_001 + i), Number: int64(4711 + i), Client: "<script>alert(1)</script>", Event: bank.EventOpened, BusinessDate: 20131007, Symbol: "<b>IBM</b>", Currency: "USD",
			Bank: &causes.Place{Topic: "bank.trades", Partition: 3, Offset: int64(1000 * i), EventID: int64(i)}, BankValue: "167.41", BKValue: "<i>167.42</i>", Money: money(fmt.Sprint(1_000_000 / (i*i*i + 1))), Follows: int64(30 * i),
		}
		c := parity.Cause{Kind: kind, Findings: int64(100 - i), Rows: int64(5000 / (i + 1)), Accounts: 20, Money: f.Money, ByCurrency: map[string]causes.Money{"USD": f.Money}, First: f}
		if i == 5 {
			c.ExplainedBy, f.ExplainedBy = "order-ids", "order-ids"
		}
		r.Causes = append(r.Causes, c)
		r.Findings = append(r.Findings, f)
	}
	for i := range 140 {
		r.Accounts = append(r.Accounts, parity.Account{Account: int64(100_001 + i), Findings: 4, Unexplained: 4, Rows: 90, Money: money(fmt.Sprint(140_000 - 1000*i)), First: r.Findings[i%6]})
	}
	for i := range 20 {
		d := parity.Day{Date: bank.Date(20131001 + i), Events: [2]int64{int64(60_000 + 300*i), int64(60_000 + 300*i)}}
		if i%3 == 0 {
			d.Findings, d.Money = int64(1+i*i), money("12.5")
			d.Differing = []parity.Sum{{Event: bank.EventOpened, Currency: "USD", Count: [2]int64{5, 4}, Bank: bank.Decimal{Decimal: decimal.RequireFromString("-5.25")}}}
		}
		r.Days = append(r.Days, d)
	}
	return r
}

func equal() *parity.Report {
	r := &parity.Report{At: time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC), Compared: 10, Equal: 10, Sides: sample().Sides, Causes: []parity.Cause{}, Notes: []string{}}
	return r
}

func TestText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	must(t, Text(&b, sample()))
	for _, want := range []string{
		"561 unexplained, 6 explained", "wrong_decimal:price", "1,000,000.00", "order-ids", "EXPIRED, would explain 9", "1234567 compared", "and 130 more", "2013-10-07", "bank.trades/3@1000",
		"12 pending (lag 1m0s)", "Bank 167.41, BK",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	b.Reset()
	must(t, Text(&b, equal()))
	if !strings.Contains(b.String(), "0 unexplained: both sides say the same") || strings.Contains(b.String(), "CAUSE") {
		t.Errorf("%s", b.String())
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	must(t, JSON(&b, sample()))
	var got struct {
		Compared, Unexplained, Explained *int64
		Causes                           []struct {
			Kind           string
			Rows, Accounts *int64
			Money          json.Number
		}
	}
	must(t, json.Unmarshal(b.Bytes(), &got))
	if *got.Compared != 1_234_567 || *got.Unexplained != 561 || *got.Explained != 6 || len(got.Causes) != 6 {
		t.Errorf("%+v", got)
	}
	if c := got.Causes[0]; c.Kind != "wrong_decimal:price" || *c.Rows != 5000 || *c.Accounts != 20 || c.Money != "1000000" {
		t.Errorf("%+v", c)
	}
	b.Reset()
	must(t, JSON(&b, equal()))
	if !strings.Contains(b.String(), `"causes": []`) || !strings.Contains(b.String(), `"unexplained": 0`) {
		t.Errorf("%s", b.String())
	}
}

func TestAmount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"0": "0.00", "5": "5.00", "1234567.5": "1,234,567.50", "0.0000000001": "0.0000000001", "-1234.5678": "-1,234.5678", "100": "100.00", "1e6": "1,000,000.00"} {
		if got := amount(money(text)); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}
