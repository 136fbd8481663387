package books

import (
	"github.com/bkledger/bk/compat/parity/dialect"
)

// The tables. Their names begin with books_, so that they are no others' of the warehouse.
const (
	accountTable  = "books_account"
	dateTable     = "books_business_date"
	tradeTable    = "books_trade"   // Bank's, and BK's as they are put together of the three below
	summaryTable  = "books_summary" // what BK's projection of trades says
	bookingTable  = "books_booking" // what BK's journal says of them: the bookings
	cancelTable   = "books_cancel"  // and the cancels
	journalTable  = "books_journal"
	positionTable = "books_position"
	balanceTable  = "books_balance"
	dayTable      = "books_day" // BK's days that have ended
	cutTable      = "books_cut"
	lookTable     = "books_look"  // the accounts that are looked at again
	foundTable    = "books_found" // differences, before it is known what follows from what
	// FindingsTable has the differences of the last look: see [Finding].
	FindingsTable = "books_finding"
)

// The sides.
const (
	sideBank = dialect.SideBank
	sideBK   = dialect.SideBK
)

func table(name string, columns ...dialect.Column) *dialect.Table {
	return &dialect.Table{Name: name, Columns: columns}
}

func text(name string) dialect.Column     { return dialect.Column{Name: name, Type: dialect.Text} }
func integer(name string) dialect.Column  { return dialect.Column{Name: name, Type: dialect.Integer} }
func long(name string) dialect.Column     { return dialect.Column{Name: name, Type: dialect.Long} }
func decimals(name string) dialect.Column { return dialect.Column{Name: name, Type: dialect.Decimal} }

func nullable(c dialect.Column) dialect.Column {
	c.Nullable = true
	return c
}

// tradeFields are the columns of a trade that are compared under their own names, besides those that need care: request, links.
var tradeFields = []dialect.Column{
	text("state"), long("account_id"), nullable(long("target_account_id")), integer("trade_date"), integer("settle_date"), text("symbol"), text("currency"), text("direction"),
	decimals("quantity"), decimals("price"), decimals("commission"), decimals("accrued"), decimals("gross_amount"), decimals("sec_fee"), decimals("taf_fee"), decimals("net_amount"),
}

var (
	accounts = table(accountTable, text("side"), long("account_id"), long("entity_id"))
	dates    = table(dateTable, text("side"), integer("business_date"))
	trades   = table(tradeTable, append([]dialect.Column{text("side"), nullable(long("trade_id")), nullable(long("entry_id"))}, append(tradeFields,
		long("booked_at"), nullable(long("canceled_at")), nullable(long("replaced_by")), nullable(long("replaces")), text("request"))...)...)
	// Entries are named by BK's ids here; 0 is none.
	summaries = table(summaryTable, append([]dialect.Column{long("entry_id")}, append(tradeFields, long("canceled_by"), long("replaced_by_entry"), long("corrects_entry"))...)...)
	bookings  = table(bookingTable, long("entry_id"), nullable(long("trade_id")), long("booked_at"), nullable(long("replaces")), text("request"))
	cancels   = table(cancelTable, long("entry_id"), long("canceled_at"))

	journal = table(journalTable, text("side"), long("account_id"), long("row_id"), integer("business_date"), nullable(long("trade_id")), nullable(long("entry_id")), nullable(long("cash_id")),
		text("symbol"), text("currency"), text("memo"), decimals("td_quantity"), decimals("td_amount"), decimals("sd_quantity"), decimals("sd_amount"),
		nullable(long("sequence")), nullable(integer("effective_date")))
	positions = table(positionTable, text("side"), long("account_id"), text("symbol"), decimals("quantity"), decimals("settled_quantity"))
	balances  = table(balanceTable, text("side"), long("account_id"), text("currency"), decimals("settled_cash"), decimals("unsettled_debits"), decimals("unsettled_credits"),
		decimals("trade_cash"))
	days = table(dayTable, integer("business_date"), long("end_sequence"))
	cuts = table(cutTable, integer("business_date"), long("account_id"), text("symbol"), text("currency"), decimals("traded"), decimals("settled"))
	look = table(lookTable, long("account_id"))

	// chain names what the rows of a trade or a cash movement have in common; finding_id is by level, the nearest to a cause first, and cause_id that of the one it follows from.
	found = table(foundTable, integer("level"), text("kind"), long("account_id"), nullable(long("trade_id")), text("symbol"), text("currency"), integer("business_date"),
		text("chain"), text("what"), nullable(text("bank_value")), nullable(text("bk_value")), decimals("money"))
	findings = table(FindingsTable, append([]dialect.Column{long("finding_id"), long("cause_id")}, found.Columns...)...)
)

func tables() []*dialect.Table {
	return []*dialect.Table{accounts, dates, trades, summaries, bookings, cancels, journal, positions, balances, days, cuts, look, found, findings}
}
