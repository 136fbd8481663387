package ledger_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/bkledger/bk/ledger"
)

// stockLoan adds two business events that BK does not know: shares are lent to another firm against cash, and come back. This file is all of it.
//
// Who owns the shares does not change, only where they are: at the borrower in place of the depository. The cash is the borrower's, so it is held at the
// bank and owed to them. When all is back, location:loan and control:loan of the borrower are at 0.
//
//	stock.loan    location:dtc/s  +q S    location:loan:B/s  -q S    location:bank/s  -c $    control:loan:B/s  +c $
//	stock.return  the negation
func stockLoan() []ledger.Rule {
	fields := []ledger.Field{
		{Name: "borrower", Type: ledger.PartyField},
		{Name: "instrument", Type: ledger.SecurityField}, {Name: "quantity", Type: ledger.PositiveField},
		{Name: "currency", Type: ledger.CurrencyField}, {Name: "collateral", Type: ledger.PositiveField},
	}
	move := func(ev *ledger.Event, shares, cash ledger.Amount) {
		borrower := ev.Text("borrower")
		ev.Move(ev.House("location:loan:"+borrower), ev.House(ledger.CodeLocationDTC), ev.Security("instrument"), shares)
		ev.Move(ev.House(ledger.CodeLocationBank), ev.House("control:loan:"+borrower), ev.Currency("currency"), cash)
	}
	return []ledger.Rule{
		ledger.EventRule("stock.loan", fields, func(ev *ledger.Event) { move(ev, ev.Amount("quantity"), ev.Amount("collateral")) }),
		ledger.EventRule("stock.return", fields, func(ev *ledger.Event) { move(ev, ev.Amount("quantity").Neg(), ev.Amount("collateral").Neg()) }),
	}
}

// Example_stockLoan lends 500 IBM, gets 200 of them back, and asks for something that can't be.
func Example_stockLoan() {
	books, rules := newBooks(), ledger.StandardRules(stockLoan()...)
	var made ledger.Life
	for _, ask := range []struct {
		kind                 ledger.Kind
		quantity, collateral string
	}{{"stock.loan", "500", "91250.00"}, {"stock.return", "200", "36500.00"}, {"stock.loan", "half", "1"}} {
		c := &ledger.Command{Kind: ask.kind, Key: ask.quantity, Fields: map[string]string{
			"borrower": "coda", "instrument": "IBM", "instrument_country": "USA", "instrument_currency": "USD", "quantity": ask.quantity,
			"currency": "USD", "collateral": ask.collateral,
		}}
		draft, rej := rules.Prepare(c, books, time.Now())
		for _, code := range draft.NeedHouse { // the journal does this
			opened := &ledger.Entry{Account: &ledger.Account{Code: code}}
			books.Reserve(opened)
			books.Apply(opened)
		}
		if draft.NeedHouse != nil {
			draft, rej = rules.Prepare(c, books, time.Now())
		}
		if rej != nil {
			fmt.Println("rejected:", rej)
			continue
		}
		made = append(made, draft.Entry)
		fmt.Println(ask.kind)
		for line := range strings.SplitSeq(show(books, draft.Entry.Postings), ", ") {
			fmt.Println(" ", line)
		}
	}
	fmt.Println("on loan:", show(books, made.Made()))
	// Output:
	// stock.loan
	//   location:loan:CODA/s -500 IBM
	//   location:dtc/s 500 IBM
	//   location:bank/s -91250 USD
	//   control:loan:CODA/s 91250 USD
	// stock.return
	//   location:loan:CODA/s 200 IBM
	//   location:dtc/s -200 IBM
	//   location:bank/s 36500 USD
	//   control:loan:CODA/s -36500 USD
	// rejected: fields.quantity: not a decimal number such as 100, 167.41 or -0.5 (invalid_field)
	// on loan: location:loan:CODA/s -300 IBM, location:dtc/s 300 IBM, location:bank/s -54750 USD, control:loan:CODA/s 54750 USD
}
