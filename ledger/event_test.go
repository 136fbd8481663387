package ledger_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
)

// event makes a command of a kind with fields from "name value" lines.
func event(kind ledger.Kind, fields string) *ledger.Command {
	c := &ledger.Command{Kind: kind, Fields: map[string]string{}}
	for line := range strings.SplitSeq(fields, ", ") {
		name, value, _ := strings.Cut(line, " ")
		c.Fields[name] = value
	}
	return c
}

const (
	deposit  = "account cust:100001, currency USD, amount 12.50"
	journal  = "from 100001, to cust:100002, instrument IBM, instrument_country USA, instrument_currency USD, quantity 7"
	exchange = "account 100001, sold_currency EUR, sold_amount 100, bought_currency USD, bought_amount 108"
)

// TestEventRules follows the table of bookkeeping.md: one row for each event, with the fields as they are kept.
func TestEventRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind               ledger.Kind
		fields, want, kept string
	}{
		{ledger.KindDeposit, deposit, "location:bank/s -12.5 USD, cust:100001/s 12.5 USD", "account 100001, currency USD, amount 12.5"},
		{ledger.KindWithdrawal, deposit, "cust:100001/s -12.5 USD, location:bank/s 12.5 USD", "account 100001, currency USD, amount 12.5"},
		{ledger.KindInterestCharge, deposit, "cust:100001/s -12.5 USD, firm:interest/s 12.5 USD", "account 100001, currency USD, amount 12.5"},
		{ledger.KindInterestCredit, deposit, "firm:interest/s -12.5 USD, cust:100001/s 12.5 USD", "account 100001, currency USD, amount 12.5"},
		{ledger.KindJournalCash, "from 100001, to 100002, currency EUR, amount .5", "cust:100001/s -0.5 EUR, cust:100002/s 0.5 EUR", "from 100001, to 100002, currency EUR, amount 0.5"},
		{ledger.KindJournalSecurity, journal, "cust:100001/s -7 IBM, cust:100002/s 7 IBM",
			"from 100001, to 100002, instrument IBM, instrument_type ticker, instrument_country USA, instrument_currency USD, quantity 7, currency USD"},
		{ledger.KindJournalSecurity, journal + ", cost 070.10, currency EUR", "cust:100001/s -7 IBM, cust:100002/s 7 IBM",
			"from 100001, to 100002, instrument IBM, instrument_type ticker, instrument_country USA, instrument_currency USD, quantity 7, cost 70.1, currency EUR"},
		{ledger.KindFX, exchange, "cust:100001/s -100 EUR, firm:fx/s 100 EUR, firm:fx/s -108 USD, cust:100001/s 108 USD", exchange},
	} {
		w := newWorld(t)
		e := w.must(event(c.kind, c.fields))
		if got := show(w.books, e.Postings); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.kind, got, c.want)
		}
		if kept := event(c.kind, c.kept).Fields; !maps.Equal(e.Fields, kept) {
			t.Errorf("%s: the fields are kept as %v, want %v", c.kind, e.Fields, kept)
		}
		if e.EffectiveDate != 20131007 || e.Trade != nil || e.State != "" || e.Links != (ledger.Links{}) {
			t.Errorf("%s: %+v", c.kind, e)
		}
	}
}

// TestEventRejections has a row for each fault of a field. A change is "name value", to take a field out "name".
func TestEventRejections(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind           ledger.Kind
		fields, change string
		reason         ledger.Reason
		field          string
	}{
		{ledger.KindDeposit, deposit, "account", ledger.ReasonMissing, "account"},
		{ledger.KindDeposit, deposit, "currency", ledger.ReasonMissing, "currency"},
		{ledger.KindDeposit, deposit, "amount", ledger.ReasonMissing, "amount"},
		{ledger.KindDeposit, deposit, "colour blue", ledger.ReasonInvalid, "colour"},
		{ledger.KindDeposit, deposit, "amount 0.00", ledger.ReasonInvalid, "amount"},
		{ledger.KindDeposit, deposit, "amount -1", ledger.ReasonInvalid, "amount"},
		{ledger.KindDeposit, deposit, "amount 1e3", ledger.ReasonInvalid, "amount"},
		{ledger.KindDeposit, deposit, "amount 0.00000000001", ledger.ReasonOutOfRange, "amount"},
		{ledger.KindDeposit, deposit, "amount 1000000000000000000", ledger.ReasonOutOfRange, "amount"},
		{ledger.KindDeposit, deposit, "account cust:", ledger.ReasonInvalid, "account"},
		{ledger.KindDeposit, deposit, "account -5", ledger.ReasonInvalid, "account"},
		{ledger.KindDeposit, deposit, "account 99999999999999999999", ledger.ReasonInvalid, "account"},
		{ledger.KindDeposit, deposit, "account 5", ledger.ReasonUnknownAccount, "account"},
		{ledger.KindDeposit, deposit, "account cust:5", ledger.ReasonUnknownAccount, "account"},
		{ledger.KindDeposit, deposit, "currency usd", ledger.ReasonInvalid, "currency"},
		{ledger.KindDeposit, deposit, "currency XXX", ledger.ReasonWrongCurrency, "currency"},
		{ledger.KindWithdrawal, deposit, "amount 0", ledger.ReasonInvalid, "amount"},
		{ledger.KindInterestCharge, deposit, "amount", ledger.ReasonMissing, "amount"},
		{ledger.KindInterestCredit, deposit, "currency XXX", ledger.ReasonWrongCurrency, "currency"},
		{ledger.KindJournalCash, "from 100001, to 100002, currency USD, amount 1", "to cust:100001", ledger.ReasonInvalid, "to"},
		{ledger.KindJournalCash, "from 100001, to 100002, currency USD, amount 1", "from", ledger.ReasonMissing, "from"},
		{ledger.KindJournalCash, "from 100001, to 100002, currency USD, amount 1", "to 9", ledger.ReasonUnknownAccount, "to"},
		{ledger.KindJournalSecurity, journal, "quantity", ledger.ReasonMissing, "quantity"},
		{ledger.KindJournalSecurity, journal, "quantity -7", ledger.ReasonInvalid, "quantity"},
		{ledger.KindJournalSecurity, journal, "cost -1", ledger.ReasonInvalid, "cost"},
		{ledger.KindJournalSecurity, journal, "currency XXX", ledger.ReasonWrongCurrency, "currency"},
		{ledger.KindJournalSecurity, journal, "instrument", ledger.ReasonMissing, "instrument"},
		{ledger.KindJournalSecurity, journal, "instrument XYZ", ledger.ReasonUnknownInstrument, "instrument"},
		{ledger.KindJournalSecurity, journal, "instrument A*", ledger.ReasonInvalid, "instrument"},
		{ledger.KindJournalSecurity, journal, "instrument_type rune", ledger.ReasonInvalid, "instrument_type"},
		{ledger.KindJournalSecurity, strings.Replace(journal, "IBM", "EUR", 1), "instrument_type currency", ledger.ReasonInvalid, "instrument_type"},
		{ledger.KindJournalSecurity, journal, "instrument_type cusip", ledger.ReasonUnknownInstrument, "instrument"},
		{ledger.KindJournalSecurity, journal, "instrument_country", ledger.ReasonMissing, "instrument_country"},
		{ledger.KindJournalSecurity, journal, "instrument_currency", ledger.ReasonMissing, "instrument_currency"},
		{ledger.KindJournalSecurity, journal, "to 100001", ledger.ReasonInvalid, "to"},
		{ledger.KindFX, exchange, "bought_currency EUR", ledger.ReasonInvalid, "bought_currency"},
		{ledger.KindFX, exchange, "bought_amount", ledger.ReasonMissing, "bought_amount"},
		{ledger.KindFX, exchange, "sold_amount x", ledger.ReasonInvalid, "sold_amount"},
		{ledger.KindFX, exchange, "sold_currency XXX", ledger.ReasonWrongCurrency, "sold_currency"},
		{ledger.KindFX, exchange, "account", ledger.ReasonMissing, "account"},
		// Of several faults the reason of first precedence answers.
		{ledger.KindDeposit, "account 5, currency XXX, amount 0", "colour blue", ledger.ReasonInvalid, "amount"},
		{ledger.KindDeposit, "account 5, currency XXX, amount -1", "amount", ledger.ReasonMissing, "amount"},
		{ledger.KindDeposit, "account 5, currency XXX, amount 1", "account 6", ledger.ReasonUnknownAccount, "account"},
	} {
		name, value, set := strings.Cut(c.change, " ")
		command := event(c.kind, c.fields)
		if delete(command.Fields, name); set {
			command.Fields[name] = value
		}
		w := newWorld(t)
		for range 2 { // a refusal changes nothing about the command
			if _, rej := w.try(command); rej == nil || rej.Reason != c.reason || rej.Field != "fields."+c.field || rej.Message == "" {
				t.Errorf("%s with %q: %v, want %s at fields.%s", c.kind, c.change, rej, c.reason, c.field)
			}
		}
	}
	w := newWorld(t, stockLoan()...)
	loan := "borrower CODA, instrument IBM, instrument_country USA, instrument_currency USD, quantity 5, currency USD, collateral 900"
	if _, rej := w.try(event("stock.loan", strings.Replace(loan, "CODA", "CO:DA", 1))); rej == nil || rej.Field != "fields.borrower" || rej.Reason != ledger.ReasonInvalid {
		t.Errorf("a loan to a party that is none: %v", rej)
	}
	w.must(event(ledger.KindDeposit, deposit)) // opens location:bank
	if _, rej := w.try(event(ledger.KindDeposit, strings.Replace(deposit, "cust:100001", "location:bank", 1))); rej == nil || rej.Field != "fields.account" || rej.Reason != ledger.ReasonInvalid {
		t.Errorf("a deposit to the bank itself: %v", rej)
	}
}

// TestSameEvent: a field written in another way is the same request; another value is not.
func TestSameEvent(t *testing.T) {
	t.Parallel()
	hash := func(kind ledger.Kind, fields string) ledger.Content {
		t.Helper()
		w := newWorld(t)
		given := event(kind, fields)
		sent := maps.Clone(given.Fields)
		caller := given.Fields
		e := w.must(given)
		if !maps.Equal(caller, sent) {
			t.Errorf("the caller's fields are changed: %v, sent %v", caller, sent)
		}
		return e.Content
	}
	for _, same := range []struct{ kind, a, b string }{
		{"cash.deposit", "account cust:100001, currency USD, amount 10", "account 100001, currency USD, amount 10.0"},
		{"cash.deposit", "account 100001, currency USD, amount 10", "account 0100001, currency USD, amount 0010"},
		{"cash.deposit", "account 100001, currency USD, amount 10", "account 100001, currency USD, amount 10, memo "},
		{"journal.security", journal, journal + ", instrument_type ticker, currency USD"},
		{"journal.security", journal, strings.Replace(journal, "quantity 7", "quantity 7.000", 1)},
	} {
		if hash(ledger.Kind(same.kind), same.a) != hash(ledger.Kind(same.kind), same.b) {
			t.Errorf("%s: %q and %q are not the same", same.kind, same.a, same.b)
		}
	}
	for _, other := range []struct{ kind, a, b string }{
		{"cash.deposit", "account 100001, currency USD, amount 10", "account 100001, currency USD, amount 10.01"},
		{"cash.deposit", "account 100001, currency USD, amount 10", "account 100002, currency USD, amount 10"},
		{"cash.deposit", "account 100001, currency USD, amount 10", "account 100001, currency EUR, amount 10"},
		{"journal.security", journal, journal + ", cost 0"},
		{"journal.security", journal, journal + ", currency EUR"},
	} {
		if hash(ledger.Kind(other.kind), other.a) == hash(ledger.Kind(other.kind), other.b) {
			t.Errorf("%s: %q and %q are the same", other.kind, other.a, other.b)
		}
	}
	if hash(ledger.KindDeposit, deposit) == hash(ledger.KindWithdrawal, deposit) {
		t.Error("a deposit and a withdrawal are the same")
	}
}

// TestSchemas: a rule whose fields are no schema is a fault of the program, and found when it is registered.
func TestSchemas(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string][]ledger.Field{
		"twice":          {{Name: "a"}, {Name: "a"}},
		"no name":        {{Name: ""}},
		"capitals":       {{Name: "Amount"}},
		"part of a name": {{Name: "instrument", Type: ledger.SecurityField}, {Name: "instrument_type"}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: registered", name)
				}
			}()
			ledger.NewRules(ledger.EventRule("rain", fields, func(*ledger.Event) {}))
		}()
	}
}

// FuzzEventFields: what the ledger keeps of an event's fields is the same request again.
func FuzzEventFields(f *testing.F) {
	f.Add("cust:100001", "100002", "IBM", "ticker", "USA", "USD", "7.00", ".5", "EUR")
	f.Add("0100001", "+100002", "2005973", "sedol", "USA", "", "1", "", "")
	f.Fuzz(func(t *testing.T, from, to, instrument, scheme, country, listing, quantity, cost, currency string) {
		c := &ledger.Command{Kind: ledger.KindJournalSecurity, Key: "k", Fields: map[string]string{
			"from": from, "to": to, "instrument": instrument, "instrument_type": scheme, "instrument_country": country, "instrument_currency": listing,
			"quantity": quantity, "cost": cost, "currency": currency,
		}}
		books, rules := newBooks(), ledger.StandardRules()
		first, rej := rules.Prepare(c, books, time.UnixMicro(1))
		if rej != nil {
			if rej.Reason == "" || rej.Field == "" {
				t.Fatalf("%+v", rej)
			}
			return
		}
		again, rej := rules.Prepare(&ledger.Command{Kind: c.Kind, Key: "k", Fields: first.Entry.Fields}, books, time.UnixMicro(1))
		if rej != nil || again.Content != first.Content || !maps.Equal(again.Entry.Fields, first.Entry.Fields) || len(again.Entry.Postings) != 2 {
			t.Fatalf("%v becomes %v, and again %v (%v)", c.Fields, first.Entry.Fields, again.Entry, rej)
		}
	})
}
