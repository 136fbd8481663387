package source

import (
	"fmt"
	"slices"
)

// Table is one of Bank's tables, without its schema.
type Table string

// The tables that are read, in the order in which a plan has them.
const (
	Entities      Table = "entity"
	Accounts      Table = "account"
	Trades        Table = "trade"
	CashMovements Table = "cash"
	Journal       Table = "journal"
	Positions     Table = "position"
	Balances      Table = "balance"
	Uploads       Table = "upload"
	UploadErrors  Table = "upload_error"
	UploadGivenUp Table = "upload_given_up"
)

// Tables gives all of them, in their order.
func Tables() []Table {
	return []Table{Entities, Accounts, Trades, CashMovements, Journal, Positions, Balances, Uploads, UploadErrors, UploadGivenUp}
}

// shape is how a table is read.
type shape struct {
	columns []string // in the order of a chunk's fields
	key     []string // of these the key that a row goes by in quarantine
	by      string   // what its chunks are ranges of; "": of pages of the table
	order   string   // of the rows of a chunk
}

var shapes = map[Table]shape{
	Entities: {[]string{"entity_id", "client_code", "legal_name"}, []string{"entity_id"}, "entity_id", "entity_id"},
	Accounts: {[]string{"account_id", "entity_id", "name"}, []string{"account_id"}, "account_id", "account_id"},
	Trades: {[]string{"trade_id", "account_id", "client_trade_id", "target_account_id", "trade_date", "settle_date", "state", "symbol", "currency", "sell", "quantity", "price",
		"gross_amount", "sec_fee", "taf_fee", "net_amount", "running", "target_running", "booked_at", "canceled_at", "replaced_by", "replaces", "request"},
		[]string{"trade_id"}, "trade_id", "trade_id"},
	CashMovements: {[]string{"cash_id", "client_id", "account_id", "target_account_id", "currency", "amount", "kind", "booked_at"}, []string{"cash_id"}, "cash_id", "cash_id"},
	Journal: {[]string{"journal_id", "account_id", "date", "trade_id", "cash_id", "symbol", "currency", "memo", "td_quantity", "td_amount", "sd_quantity", "sd_amount"},
		[]string{"journal_id"}, "", "journal_id"},
	Positions: {[]string{"account_id", "symbol", "quantity", "settled_quantity"}, []string{"account_id", "symbol"}, "account_id", "account_id, symbol"},
	Balances:  {[]string{"account_id", "currency", "settled_cash", "unsettled_debits", "unsettled_credits"}, []string{"account_id", "currency"}, "account_id", "account_id, currency"},
	Uploads: {[]string{"seq", "kind", "upload_id", "name", "created_at", "updated_at", "status", "processed", "skipped", "attempted"}, []string{"seq"},
		"seq", "seq"},
	UploadErrors:  {[]string{"seq", "row", "type", "message"}, []string{"seq", "row"}, "seq", "seq, row"},
	UploadGivenUp: {[]string{"seq", "row", "attempts", "since", "type", "message", "who", "why", "force", "given_up_at"}, []string{"seq", "row"}, "seq", "seq, row"},
}

// ParseTable reads a table's name.
func ParseTable(name string) (Table, error) {
	if _, known := shapes[Table(name)]; !known {
		return "", fmt.Errorf("table: %q is none of %v", name, Tables())
	}
	return Table(name), nil
}

// Columns gives a table's columns, in the order in which a chunk's rows have them.
func (t Table) Columns() []string { return slices.Clone(shapes[t].columns) }

// column gives a column's place; -1 where the table has none of that name.
func (t Table) column(name string) int { return slices.Index(shapes[t].columns, name) }

// KeyColumns gives the columns that a row's key is made of.
func (t Table) KeyColumns() []string { return slices.Clone(shapes[t].key) }
