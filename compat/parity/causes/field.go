package causes

import (
	"math/bits"
	"slices"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// columns are those of a table that Fields has bits for.
func columns(cash bool) []string {
	table := dialect.TradeEvents
	if cash {
		table = dialect.CashEvents
	}
	return Columns(table)
}

// Columns gives the columns of a table that [Fields] has bits for, in their order.
func Columns(table string) []string {
	return dialect.Lookup(table).Names(dialect.Content, dialect.Total)
}

// derived has the columns of trades in the order in which one follows from another: the first of those that differ is the cause. Columns that are not named come first.
var derived = []string{
	"trade_account_id", "instrument_identifier", "side_direction", "settlement_currency", "currency", "quantity", "price", "interest_accrued", "trade_date",
	"fees_commission", "fees_omit_sec", "fees_omit_taf", "trade_type",
	"settle_date", "gross_amount", "sec_fee", "taf_fee", "net_amount", "amount", "state", "business_date",
}

var decimals = []string{
	"quantity", "price", "fees_commission", "interest_yield", "interest_accrued", "gross_amount", "sec_fee", "taf_fee", "net_amount", "amount",
}

// moving are the columns that change what an event does to the totals, or to which ones.
var moving = []string{
	"trade_account_id", "instrument_identifier", "side_direction", "settlement_currency", "currency", "quantity", "price", "interest_accrued", "gross_amount",
	"net_amount", "amount", "fees_commission", "sec_fee", "taf_fee", "trade_type",
}

// naming knows the columns of one table.
type naming struct {
	names  []string
	rank   []int
	totals Fields
	moving Fields
}

func newNaming(cash bool) *naming {
	n := &naming{names: columns(cash)}
	n.rank = make([]int, len(n.names))
	for i, name := range n.names {
		n.rank[i] = slices.Index(derived, name)
		if slices.Contains(totalNames[:], name) {
			n.totals |= 1 << i
		}
		if slices.Contains(moving, name) {
			n.moving |= 1 << i
		}
	}
	return n
}

// content is what differs besides totals.
func (n *naming) content(f Fields) Fields { return f &^ n.totals }

// kind names the first of the columns that differ.
func (n *naming) kind(f Fields) (kind, column string) {
	best := -1
	for rest := f; rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros64(uint64(rest)); best < 0 || n.rank[i] < n.rank[best] {
			best = i
		}
	}
	switch column = n.names[best]; {
	case column == "trade_account_id":
		return WrongAccount, column
	case column == "state":
		return WrongState, column
	case column == "business_date":
		return WrongBusinessDate, column
	case slices.Contains(decimals, column):
		return WrongDecimal + column, column
	}
	return WrongField + column, column
}
