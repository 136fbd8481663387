package bank

import (
	"slices"
	"strconv"
	"strings"
)

// TradeRows reads the rows of an upload of trades: it makes of a row the JSON that its columns are the paths of, and reads that as any trade.
// A cell that is empty is left out.
type TradeRows struct {
	columns []column // ordered by path, so that what belongs to one object stands together
}

type column struct {
	cell   int
	object string // "" for a trade's own field
	name   string
	spell  func(to []byte, cell string) []byte
}

// NewTradeRows reads the header. Columns that are no known path, and an empty name, are ignored; a column that comes twice is a fault of every row.
func NewTradeRows(header []string) *TradeRows {
	rows := &TradeRows{}
	for i, path := range header {
		path = strings.TrimSpace(strings.TrimPrefix(path, "\ufeff"))
		object, name, nested := strings.Cut(path, ".")
		if !nested {
			object, name = "", path
		}
		if name == "" || !simple(object) || !simple(name) {
			continue
		}
		rows.columns = append(rows.columns, column{cell: i, object: object, name: name, spell: spelling(path)})
	}
	slices.SortStableFunc(rows.columns, func(a, b column) int { return strings.Compare(a.object, b.object) })
	return rows
}

// simple tells whether a name needs no escape in JSON, as all that are known do not.
func simple(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// spelling says how the cells of a column are written in JSON.
func spelling(path string) func([]byte, string) []byte {
	switch path {
	case "timestamp", "date", "settlement.date", "interest.accrued_days":
		return spellInteger
	case "is_when_issued", "fees.omit_sec", "fees.omit_taf", "fees.omit_bill":
		return spellFlag
	case "contra_side_qualifier", "nscc_clearing", "last_market", "locate", "behalf_of_account_id", "solicited", "registered_rep", "branch_office", "user_data":
		return spellKept
	}
	return appendQuoted
}

// spellInteger writes a number; what is none becomes a string, and with that a fault of its field.
func spellInteger(to []byte, cell string) []byte {
	number, err := strconv.ParseInt(cell, 10, 64)
	if err != nil {
		return appendQuoted(to, cell)
	}
	return strconv.AppendInt(to, number, 10)
}

func spellFlag(to []byte, cell string) []byte {
	switch strings.ToLower(cell) {
	case "true":
		return append(to, "true"...)
	case "false":
		return append(to, "false"...)
	}
	return appendQuoted(to, cell)
}

// spellKept writes a cell that is an object, an array, true or false as it stands, and any other as a string: a number may be a name with zeros in front.
func spellKept(to []byte, cell string) []byte {
	if cell == "true" || cell == "false" || (cell[0] == '{' || cell[0] == '[') && checkJSON(cell) == nil {
		return append(to, cell...)
	}
	return appendQuoted(to, cell)
}

// Trade reads a row: malformed_trade, whose message begins with the column.
func (r *TradeRows) Trade(row []string) (Trade, error) {
	trade, err := ReadTrade(r.json(row))
	if TypeOf(err) == MalformedRequest { // bytes that are not UTF-8, deep nesting
		return Trade{}, Errorf(MalformedTrade, "the row is not UTF-8 text")
	}
	return trade, err
}

func (r *TradeRows) json(row []string) []byte {
	to, object := append(make([]byte, 0, 1<<10), '{'), ""
	for _, c := range r.columns {
		if c.cell >= len(row) {
			continue
		}
		cell := strings.TrimSpace(row[c.cell])
		if cell == "" {
			continue
		}
		if c.object != object {
			if object != "" {
				to = append(to, '}')
			}
			to = appendComma(to)
			to = append(append(append(to, '"'), c.object...), `":{`...)
			object = c.object
		}
		to = appendComma(to)
		to = append(append(append(to, '"'), c.name...), `":`...)
		to = c.spell(to, cell)
	}
	if object != "" {
		to = append(to, '}')
	}
	return append(to, '}')
}

func appendComma(to []byte) []byte {
	if to[len(to)-1] == '{' {
		return to
	}
	return append(to, ',')
}

// CancelRows reads the rows of an upload of cancels: columns `account, trade_id, by_client_id`, or `account_id, client_trade_id`.
type CancelRows struct {
	account, tradeID, byClientID, clientTradeID int // columns, -1: none
}

// NewCancelRows reads the header: malformed_request if it is neither.
func NewCancelRows(header []string) (*CancelRows, error) {
	find := func(names ...string) int {
		return slices.IndexFunc(header, func(column string) bool {
			return slices.Contains(names, strings.TrimSpace(strings.TrimPrefix(column, "\ufeff")))
		})
	}
	rows := &CancelRows{account: find("account", "account_id"), tradeID: find("trade_id"), byClientID: find("by_client_id"), clientTradeID: find("client_trade_id")}
	if rows.tradeID < 0 && (rows.account < 0 || rows.clientTradeID < 0) {
		return nil, Errorf(MalformedRequest, "the columns are neither account, trade_id, by_client_id nor account_id, client_trade_id")
	}
	return rows, nil
}

// Ref reads a row: malformed_request, missing_account_id.
func (r *CancelRows) Ref(row []string) (TradeRef, error) {
	cell := func(column int) string {
		if column < 0 || column >= len(row) {
			return ""
		}
		return strings.TrimSpace(row[column])
	}
	name, byClientID := cell(r.clientTradeID), true
	if name == "" {
		name = cell(r.tradeID)
		switch text := strings.ToLower(cell(r.byClientID)); text {
		case "", "false", "0", "no":
			byClientID = false
		case "true", "1", "yes":
		default:
			return TradeRef{}, Errorf(MalformedRequest, "by_client_id: %q is neither true nor false", text)
		}
	}
	if name == "" {
		return TradeRef{}, Errorf(MalformedRequest, "the row names no trade")
	}
	if err := checkJSON(string(appendQuoted(nil, name))); err != nil || strings.IndexByte(name, 0) >= 0 {
		return TradeRef{}, Errorf(MalformedRequest, "the trade's id is not UTF-8 text")
	}
	return ReadTradeRef(name, byClientID, cell(r.account))
}
