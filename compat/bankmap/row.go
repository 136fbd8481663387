package bankmap

import (
	"fmt"
	"strings"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

// rowsPerEntry is how many journal rows an entry may have: an entry has at most 1000 postings.
const rowsPerEntry = 1 << 10

// RowID gives the id of an entry's nth row: the place in the journal comes first, so ids ascend along it.
func RowID(sequence int64, n int) bank.ID { return bank.ID(sequence*rowsPerEntry + int64(n)) }

// RowPlace gives the sequence number of the entry that a row is of.
func RowPlace(id bank.ID) (sequence int64) { return int64(id) / rowsPerEntry }

// RowNames are what an entry doesn't say in Bank's terms.
type RowNames struct {
	Date  bank.Date // the business date at the entry's place
	Trade bank.ID   // Bank's id of the trade that the entry is about; 0: none
	// Instrument gives the symbol of a security, or the code of a currency, by BK's number.
	Instrument func(number int64) (symbol, currency string, err error)
}

// Rows gives the journal rows of an account in an entry: of entries about trades as the contract has it, of others one for each instrument that they move.
func Rows(e *bkv1.Entry, account bank.ID, names RowNames) ([]bank.JournalRow, error) {
	var rows []bank.JournalRow
	var err error
	if suffix, does, known := stepOf(e); known {
		rows, err = tradeRows(e, account, suffix, does)
	} else {
		rows, err = postingRows(e, account, names)
	}
	if err != nil {
		return nil, fmt.Errorf("journal entry %d: %w", e.GetId(), err)
	}
	for i := range rows {
		rows[i].JournalID, rows[i].Date = RowID(e.GetSequence(), i), names.Date
		if names.Trade != 0 {
			id := names.Trade
			rows[i].TradeID = &id
		}
	}
	return rows, nil
}

// step is what an entry does to a trade: it comes into a column, or goes out of it.
type step struct {
	td, sd int64
	memo   string // of the principal
}

// stepOf says what an entry does to its trade; false where it does nothing that Bank knows.
func stepOf(e *bkv1.Entry) (memo string, s step, known bool) {
	switch {
	case e.GetTrade() == nil:
		return "", step{}, false
	case e.GetKind() == kindSettle:
		return "_settle", step{sd: 1, memo: "settle"}, true
	case e.GetKind() == kindCancel:
		return "_cancel", step{td: -1, memo: "cancel"}, true
	case e.GetKind() == kindReverse:
		return "_reverse", step{sd: -1, memo: "reverse"}, true
	case Opens(e):
		return "", step{td: 1, memo: "open"}, true
	}
	return "", step{}, false
}

// tradeRows gives the rows of a step of a trade: the principal's, and those of fees, which stay with the account that the trade is booked to.
func tradeRows(e *bkv1.Entry, account bank.ID, suffix string, s step) ([]bank.JournalRow, error) {
	r := e.GetTrade()
	t := r.GetTrade()
	own := bank.ID(t.GetAccount().GetId()) == account
	if len(e.GetPostings()) == 0 || !own && bank.ID(t.GetTarget().GetId()) != account {
		return nil, nil
	}
	var read decimals
	quantity, gross, accrued := read.decimal("quantity", t.GetQuantity()), read.decimal("gross", r.GetGross()), read.decimal("accrued", t.GetAccrued())
	commission, sec, taf := read.decimal("commission", t.GetCommission()), read.decimal("sec_fee", r.GetSecFee()), read.decimal("taf_fee", r.GetTafFee())
	if read.err != nil {
		return nil, read.err
	}
	amount := bank.Decimal{Decimal: gross.Add(accrued.Decimal)}
	if buys := t.GetDirection() == bkv1.Direction_DIRECTION_BUY; buys == own {
		amount = negative(amount)
	} else {
		quantity = negative(quantity)
	}
	rows := []bank.JournalRow{rowOf(t, s.memo, s, quantity, amount)}
	if !own {
		return rows, nil
	}
	for _, fee := range [...]struct {
		memo   string
		amount bank.Decimal
	}{{"commission", commission}, {"sec_fee", sec}, {"taf", taf}} {
		if !fee.amount.IsZero() {
			rows = append(rows, rowOf(t, fee.memo+suffix, s, bank.Decimal{}, negative(fee.amount)))
		}
	}
	return rows, nil
}

func rowOf(t *bkv1.Trade, memo string, s step, quantity, amount bank.Decimal) bank.JournalRow {
	row := bank.JournalRow{Symbol: t.GetInstrument().GetValue(), Currency: t.GetCurrency(), Memo: memo}
	row.TDQuantity, row.TDAmount = signed(quantity, s.td), signed(amount, s.td)
	row.SDQuantity, row.SDAmount = signed(quantity, s.sd), signed(amount, s.sd)
	return row
}

// postingRows gives the rows of what an entry posts: one for each instrument, in the order in which they appear.
func postingRows(e *bkv1.Entry, account bank.ID, names RowNames) ([]bank.JournalRow, error) {
	var rows []bank.JournalRow
	places := map[int64]int{}
	memo := cashKinds.from(e.GetKind())
	if memo == "" {
		memo = strings.ReplaceAll(e.GetKind(), ".", "_")
	}
	for _, p := range e.GetPostings() {
		if bank.ID(p.GetAccount()) != account {
			continue
		}
		quantity, err := Decimal(p.GetQuantity())
		if err != nil {
			return nil, err
		}
		symbol, currency, err := names.Instrument(p.GetInstrument())
		if err != nil {
			return nil, err
		}
		i, there := places[p.GetInstrument()]
		if !there {
			i = len(rows)
			places[p.GetInstrument()] = i
			rows = append(rows, bank.JournalRow{Symbol: symbol, Currency: currency, Memo: memo})
		}
		row := &rows[i]
		td, sd := &row.TDQuantity, &row.SDQuantity
		if symbol == "" {
			td, sd = &row.TDAmount, &row.SDAmount
		}
		td.Decimal = td.Add(quantity.Decimal)
		if p.GetBucket() != bkv1.Bucket_BUCKET_UNSETTLED {
			sd.Decimal = sd.Add(quantity.Decimal)
		}
	}
	return rows, nil
}

func negative(d bank.Decimal) bank.Decimal { return bank.Decimal{Decimal: d.Neg()} }

// signed gives d, 0 or -d for the signs 1, 0 and -1.
func signed(d bank.Decimal, sign int64) bank.Decimal {
	switch sign {
	case 1:
		return d
	case -1:
		return negative(d)
	}
	return bank.Decimal{}
}
