package faults

import "github.com/bkledger/bk/compat/parity/causes"

// The kinds of fault.
const (
	Dropped        = "dropped"
	Doubled        = "doubled"    // again at the end of its partition, under a new event id
	Reordered      = "reordered"  // its offset and that of the account's next event are exchanged
	Late           = "late"       // at the end of its partition, behind two or more of its account
	Extra          = "extra"      // a trade that never was
	Unreadable     = "unreadable" // its record is no event
	WrongAccount   = "wrong_account"
	SwappedIDs     = "swapped_ids" // two events have each other's trade id
	WrongEvent     = "wrong_event" // settled for opened
	WrongState     = "wrong_state"
	WrongDate      = "wrong_date"          // business date
	WrongTotal     = "wrong_running_total" // one of the four
	WrongText      = "wrong_text"          // of a decimal: 100.0
	WrongPrice     = "wrong_price"
	WrongQuantity  = "wrong_quantity"
	WrongAmount    = "wrong_amount" // net amount
	WrongFee       = "wrong_fee"
	WrongLink      = "wrong_link" // replaces
	WrongSymbol    = "wrong_symbol"
	WrongSettle    = "wrong_settle_date"
	WrongDirection = "wrong_direction"
	WrongCurrency  = "wrong_currency"
	WrongClientID  = "wrong_client_id"
	WrongMoment    = "wrong_booked_at"
	WrongCash      = "wrong_cash_amount"
	DroppedCash    = "dropped_cash"
)

// kinds says how a comparison is to name each. The first is the name; further ones are right, too, where the event itself does not tell.
var kinds = []struct {
	kind  string
	names []string
}{
	{Dropped, []string{causes.Missing}},
	{Doubled, []string{causes.Doubled}},
	{Reordered, []string{causes.OutOfOrder}},
	{Late, []string{causes.Late}},
	{Extra, []string{causes.Extra}},
	{Unreadable, []string{causes.Unreadable}},
	{WrongAccount, []string{causes.WrongAccount}},
	{SwappedIDs, []string{causes.SwappedIDs}},
	{WrongEvent, []string{causes.WrongEvent}},
	{WrongState, []string{causes.WrongState}},
	{WrongDate, []string{causes.WrongBusinessDate}},
	{WrongTotal, []string{causes.WrongRunningTotal}},
	{WrongText, []string{causes.NotCanonical}},
	{WrongPrice, []string{causes.WrongDecimal + "price"}},
	{WrongQuantity, []string{causes.WrongDecimal + "quantity"}},
	{WrongAmount, []string{causes.WrongDecimal + "net_amount"}},
	{WrongFee, []string{causes.WrongDecimal + "fees_commission", causes.WrongDecimal + "sec_fee", causes.WrongDecimal + "taf_fee"}},
	{WrongLink, []string{causes.WrongField + "replaces"}},
	{WrongSymbol, []string{causes.WrongField + "instrument_identifier"}},
	{WrongSettle, []string{causes.WrongField + "settle_date"}},
	{WrongDirection, []string{causes.WrongField + "side_direction"}},
	{WrongCurrency, []string{causes.WrongField + "settlement_currency"}},
	{WrongClientID, []string{causes.WrongField + "client_trade_id"}},
	{WrongMoment, []string{causes.WrongField + "booked_at"}},
	{WrongCash, []string{causes.WrongDecimal + "amount"}},
	{DroppedCash, []string{causes.Missing}},
}

// Kinds gives all kinds of fault.
func Kinds() []string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.kind)
	}
	return all
}

// Names gives the names that a fault may have in a report.
func Names(kind string) []string {
	for _, k := range kinds {
		if k.kind == kind {
			return k.names
		}
	}
	return nil
}
