package history_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/oddities"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
)

// TestOddities: a Bank with legacy oddities is loaded. Each rule fires as often as it has to, quarantine has the rows that it has to have, and all that remains is as it was: each
// trade but for what was repaired, each position and balance but for what is in quarantine.
func TestOddities(t *testing.T) {
	t.Parallel()
	old := stage.StartBank(t)
	played, err := shadow.Play(t.Context(), shadow.Traffic{Target: system("Bank", old.Target), Seed: *seed, Requests: 1000, Accounts: 24, Rolls: 8})
	if err != nil || played.Surprised > 0 {
		t.Fatal(played, err)
	}
	planted, err := oddities.Plant(t.Context(), oddities.Config{DSN: old.DSN, Seed: *seed})
	if err != nil {
		t.Fatal(err)
	}
	e := extract(t, old.DSN, 200)
	b := build(t, e, transform(t, e, false))
	t.Logf("%+v", b.Report)
	for rule := range history.Rules() {
		if got, want := b.Report.Fired[rule], planted.Fired[rule]; got != want {
			t.Errorf("%s fired %d times, not %d", rule, got, want)
		}
	}
	var rows []oddities.Row
	for _, q := range b.Quarantined {
		row := oddities.Row{Table: q.Table, Key: q.Key, Rule: q.Rule}
		if rows = append(rows, row); !slices.Contains(planted.Quarantined, row) {
			t.Errorf("in quarantine: %+v: %s: %s", row, q.Reason, q.Row)
		}
		if q.Reason == "" || !json.Valid(q.Row) {
			t.Errorf("%+v: reason %q, row %s", row, q.Reason, q.Row)
		}
	}
	for _, row := range planted.Quarantined {
		if !slices.Contains(rows, row) {
			t.Errorf("not in quarantine: %+v", row)
		}
	}
	if again := build(t, e, transform(t, e, true)); !reflect.DeepEqual(again, b) {
		t.Error("the same input gives other output")
	}
	bk := serve(t, b)
	compareTrades(t, e, b, bk.API)
	compareHoldings(t, e, b, bk.API)
	askAgain(t, e, b, bk.API)
}

// askAgain has clients send what they sent once: the same trade gets its first id, another under its name is a conflict, and what is closed can't be cancelled.
func askAgain(t *testing.T, e extracted, b *built, api string) {
	t.Helper()
	held := map[string]bool{}
	for _, q := range b.Quarantined {
		held[string(q.Table)+q.Key] = true
	}
	asked := map[string]int{}
	for i, row := range all[source.Trade](t, e, source.Trades) {
		key := row.TradeID.String()
		odd := row.SECFee.IsZero() && row.Sell || row.BookedAt < 1e12 || row.SettleDate == 20131225
		if held["trade"+key] || i%10 != 0 && !odd {
			continue
		}
		request, err := bank.ReadTrade([]byte(row.Request))
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`202 [{"client_trade_id":%s,"trade_id":%q}]`, quoted(request.ClientTradeID), key)
		if got := send(t, "POST", api+"/trades", "["+string(request.AppendJSON(nil))+"]"); got != want {
			t.Errorf("trade %s again: %s, not %s", key, got, want)
		}
		request.UserData = json.RawMessage(`"another"`)
		if got := send(t, "POST", api+"/trades", "["+string(request.AppendJSON(nil))+"]"); !strings.Contains(got, "client_trade_id_conflict") {
			t.Errorf("another trade under the name of %s: %s", key, got)
		}
		asked[row.State]++
		switch row.State {
		case bank.StateSettled, bank.StateCanceled:
			if got := send(t, "DELETE", api+"/trades/"+key, ""); !strings.Contains(got, map[string]string{bank.StateSettled: "trade_settled", bank.StateCanceled: "trade_already_canceled"}[row.State]) {
				t.Errorf("cancel of %s, which is %s: %s", key, row.State, got)
			}
		}
	}
	if asked[bank.StateOpen] == 0 || asked[bank.StateSettled] == 0 || asked[bank.StateCanceled] == 0 {
		t.Errorf("trades of these states were asked for again: %v", asked)
	}
}

// quoted is a text as JSON, as Bank's API spells it.
func quoted(text string) string {
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetEscapeHTML(false)
	_ = to.Encode(text) // a string can always be written
	return strings.TrimSpace(out.String())
}

// send gives the status and the body of an answer.
func send(t *testing.T, method, url, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(answer.StatusCode, " ", strings.TrimSpace(string(text)))
}

// get reads an answer.
func get(t *testing.T, url string, to any) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s: %v", url, answer.Status, body, err)
	}
	if err := json.Unmarshal(body, to); err != nil {
		t.Fatalf("%s: %s: %v", url, body, err)
	}
}

func all[T any](t *testing.T, e extracted, table source.Table) (rows []T) {
	t.Helper()
	next := rowsOf[T](table, e.chunks[table]...)
	for {
		row, err := next()
		if err == io.EOF {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, *row)
	}
}

// compareTrades holds each trade of Bank's that is not in quarantine against the new one.
func compareTrades(t *testing.T, e extracted, b *built, api string) {
	t.Helper()
	held, now := map[string]bool{}, map[string]string{}
	for _, q := range b.Quarantined {
		held[string(q.Table)+q.Key] = true
	}
	for _, r := range b.Repaired {
		if r.Table == source.Trades {
			now[r.Key+r.Field] = r.Now
		}
	}
	compared := 0
	for _, row := range all[source.Trade](t, e, source.Trades) {
		key := row.TradeID.String()
		if held["trade"+key] {
			continue
		}
		request, err := bank.ReadTrade([]byte(row.Request))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"booked_at": fmt.Sprint(row.BookedAt), "canceled_at": "", "replaced_by": "", "replaces": "", "state": row.State, "settle_date": fmt.Sprint(row.SettleDate),
			"gross_amount": row.GrossAmount.String(), "sec_fee": row.SECFee.String(), "taf_fee": row.TAFFee.String(), "net_amount": row.NetAmount.String(),
			"request": string(request.AppendJSON(nil)),
		}
		if row.CanceledAt != nil {
			want["canceled_at"] = fmt.Sprint(*row.CanceledAt)
		}
		if row.ReplacedBy != nil {
			want["replaced_by"] = row.ReplacedBy.String()
		}
		if row.Replaces != nil {
			want["replaces"] = row.Replaces.String()
		}
		for field := range want {
			if repaired, ok := now[key+field]; ok {
				want[field] = repaired
			}
		}
		var s bank.StoredTrade
		get(t, api+"/trades/"+key, &s)
		got := map[string]string{
			"booked_at": fmt.Sprint(s.BookedAt), "canceled_at": "", "replaced_by": "", "replaces": "", "state": s.State, "settle_date": fmt.Sprint(s.SettleDate),
			"gross_amount": s.GrossAmount.String(), "sec_fee": s.SECFee.String(), "taf_fee": s.TAFFee.String(), "net_amount": s.NetAmount.String(),
			"request": string(s.Trade.AppendJSON(nil)),
		}
		if s.CanceledAt != nil {
			got["canceled_at"] = fmt.Sprint(*s.CanceledAt)
		}
		if s.ReplacedBy != nil {
			got["replaced_by"] = s.ReplacedBy.String()
		}
		if s.Replaces != nil {
			got["replaces"] = s.Replaces.String()
		}
		if compared++; !maps.Equal(got, want) {
			t.Errorf("trade %s:\n got %v\nwant %v", key, got, want)
		}
	}
	if compared < 300 {
		t.Errorf("only %d trades were compared", compared)
	}
}

// compareHoldings holds positions and balances against the new ones: what is in quarantine is all that may be missing.
func compareHoldings(t *testing.T, e extracted, b *built, api string) {
	t.Helper()
	type key struct {
		account          bank.ID
		symbol, currency string
	}
	left := map[key][2]decimal.Decimal{}
	add := func(k key, traded, settled decimal.Decimal) {
		was := left[k]
		left[k] = [2]decimal.Decimal{was[0].Add(traded), was[1].Add(settled)}
	}
	for _, q := range b.Quarantined {
		for _, c := range q.Effects {
			add(key{c.AccountID, c.Symbol, c.Currency}, c.Amount.Neg(), c.SettledAmount.Neg())
		}
	}
	for _, p := range all[source.Position](t, e, source.Positions) {
		add(key{p.AccountID, p.Symbol, ""}, p.Quantity.Decimal, p.SettledQuantity.Decimal)
	}
	for _, c := range all[source.Balance](t, e, source.Balances) {
		add(key{c.AccountID, "", c.Currency}, c.SettledCash.Add(c.UnsettledCredits.Decimal).Sub(c.UnsettledDebits.Decimal), c.SettledCash.Decimal)
	}
	for _, a := range all[source.Account](t, e, source.Accounts) {
		var positions struct{ Data []bank.Position }
		get(t, fmt.Sprintf("%s/accounts/%d/positions?view=full&page_size=1000", api, a.AccountID), &positions)
		for _, p := range positions.Data {
			add(key{a.AccountID, p.Symbol, ""}, p.Quantity.Neg(), p.SettledQuantity.Neg())
		}
		var balances struct{ Data []bank.Balance }
		get(t, fmt.Sprintf("%s/accounts/%d/balances", api, a.AccountID), &balances)
		for _, c := range balances.Data {
			add(key{a.AccountID, "", c.Currency}, c.TradeCash.Neg(), c.SettledCash.Neg())
		}
	}
	if len(left) < 50 {
		t.Errorf("only %d positions and balances were compared", len(left))
	}
	for k, amounts := range left {
		if !amounts[0].IsZero() || !amounts[1].IsZero() {
			t.Errorf("%+v: old - new - quarantine is %s, settled %s", k, amounts[0], amounts[1])
		}
	}
}
