package dialect

import (
	"slices"
)

// The names of the tables.
const (
	TradeEvents = "trade_events"
	CashEvents  = "cash_events"
	DateEvents  = "date_events"
	Offsets     = "landing_offsets"
	Rejects     = "landing_rejects"
	Gaps        = "landing_gaps"
)

// What the type [Decimal] holds: so many digits, so many of them behind the point.
const (
	DecimalDigits = 38
	DecimalScale  = 10
)

// The two sides that are compared.
const (
	SideBank = "bank" // what Bank's relay has sent
	SideBK   = "bk"   // what the façade's stream makes of BK's events
)

// Type is what a column holds.
type Type uint8

// The types.
const (
	Text    Type = iota
	Integer      // 32 bits
	Long         // 64 bits
	Decimal      // 28 integer digits, 10 fraction digits
	Flag
	Time  // an instant in microseconds, UTC, without a zone
	Bytes // anything
)

// Class says what a column is to a comparison of both sides.
type Class uint8

// The classes.
const (
	Place   Class = iota // where the row comes from: side, topic, partition, offset, landed_at
	Own                  // each side has its own: event_id, at
	Moment               // equal where one side replays the other's work: booked_at, canceled_at
	Content              // to be equal
	Total                // to be equal, and the sum of what was before: running totals
	Check                // made of the others: content_hash, canonical
)

// Column is a column of a table.
type Column struct {
	Name     string
	Path     string // of the value in the event's JSON, such as trade.instrument.identifier; "" for what is not in it
	Type     Type
	Nullable bool
	Class    Class
}

// Table is a table.
type Table struct {
	Name    string
	Columns []Column
}

// Names gives the names of the columns, those of some classes only if there are any.
func (t *Table) Names(classes ...Class) []string {
	var names []string
	for _, c := range t.Columns {
		if len(classes) == 0 || slices.Contains(classes, c.Class) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Column gives a column's place, -1 if there is none of that name.
func (t *Table) Column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// Tables gives all tables. They are the caller's.
func Tables() []Table {
	return []Table{
		{TradeEvents, slices.Concat(place(), head(), businessDay(), trade(), totals("position", "balance", "settled_position", "settled_balance"), checks())},
		{CashEvents, slices.Concat(place(), head(), businessDay(), cash(), totals("balance", "settled_balance"), checks())},
		{DateEvents, slices.Concat(place(), head(), []Column{{"from_date", "from", Integer, false, Content}, {"to_date", "to", Integer, false, Content}}, checks())},
		{Offsets, []Column{
			{Name: "side", Type: Text}, {Name: "topic", Type: Text}, {Name: "partition", Type: Integer},
			{Name: "topic_id", Type: Text, Nullable: true},      // Kafka's, so that a topic made anew is seen
			{Name: "first_offset", Type: Long},                  // the first that was landed
			{Name: "next_offset", Type: Long},                   // the first that is not
			{Name: "events", Type: Long},                        // rows in the tables of events
			{Name: "rejects", Type: Long},                       // rows in landing_rejects
			{Name: "skipped", Type: Long},                       // records that are the other side's: with the header bk-entry on Bank's topics
			{Name: "end_offset", Type: Long},                    // where the partition ended when that was last asked
			{Name: "changed_at", Type: Time},                    // when next_offset last changed
			{Name: "caught_up_at", Type: Time, Nullable: true},  // when all was here that Kafka had then, the last time
			{Name: "last_event_id", Type: Long, Nullable: true}, // the highest
			{Name: "last_event_at", Type: Long, Nullable: true}, // the latest at, milliseconds
		}},
		{Rejects, slices.Concat(place(), []Column{
			{Name: "reason", Type: Text}, {Name: "record_key", Type: Bytes, Nullable: true}, {Name: "value", Type: Bytes, Nullable: true},
		})},
		{Gaps, []Column{
			{Name: "side", Type: Text}, {Name: "topic", Type: Text}, {Name: "partition", Type: Integer},
			{Name: "first_offset", Type: Long}, {Name: "next_offset", Type: Long}, // missing: from the first to before the next
			{Name: "accepted_at", Type: Time}, {Name: "who", Type: Text}, {Name: "why", Type: Text},
		}},
	}
}

// Lookup gives the table of a name, nil if there is none.
func Lookup(name string) *Table {
	for _, t := range Tables() {
		if t.Name == name {
			return &t
		}
	}
	return nil
}

func place() []Column {
	return []Column{
		{Name: "side", Type: Text}, {Name: "topic", Type: Text}, {Name: "partition", Type: Integer}, {Name: "offset", Type: Long}, {Name: "landed_at", Type: Time},
	}
}

func head() []Column {
	return []Column{{"event_id", "event_id", Long, false, Own}, {"event", "event", Text, false, Content}, {"at", "at", Long, false, Own}}
}

func businessDay() []Column {
	return []Column{{"business_date", "business_date", Integer, false, Content}, {"account_id", "account_id", Long, false, Content}}
}

func trade() []Column {
	return []Column{
		{"trade_id", "trade.trade_id", Long, false, Content},
		{"trade_type", "trade.type", Text, false, Content},
		{"trade_timestamp", "trade.timestamp", Long, false, Content},
		{"client_trade_id", "trade.client_trade_id", Text, false, Content},
		{"trade_date", "trade.date", Integer, false, Content},
		{"trade_account_id", "trade.account_id", Long, false, Content},
		{"quantity", "trade.quantity", Decimal, false, Content},
		{"price", "trade.price", Decimal, false, Content},
		{"instrument_identifier", "trade.instrument.identifier", Text, false, Content},
		{"instrument_identifier_type", "trade.instrument.identifier_type", Text, false, Content},
		{"instrument_country", "trade.instrument.country", Text, true, Content},
		{"instrument_currency", "trade.instrument.currency", Text, true, Content},
		{"side_direction", "trade.side.direction", Text, false, Content},
		{"side_qualifier", "trade.side.qualifier", Text, true, Content},
		{"side_position", "trade.side.position", Text, true, Content},
		{"capacity", "trade.capacity", Text, true, Content},
		{"mic", "trade.mic", Text, true, Content},
		{"exec_mpid", "trade.exec_mpid", Text, true, Content},
		{"contra_mpid", "trade.contra_mpid", Text, true, Content},
		{"contra_clearing_num", "trade.contra_clearing_num", Text, true, Content},
		{"target_account_id", "trade.target_account_id", Long, true, Content},
		{"settlement_currency", "trade.settlement.currency", Text, false, Content},
		{"settlement_date", "trade.settlement.date", Integer, true, Content},
		{"fees_commission", "trade.fees.commission", Decimal, false, Content},
		{"fees_omit_sec", "trade.fees.omit_sec", Flag, false, Content},
		{"fees_omit_taf", "trade.fees.omit_taf", Flag, false, Content},
		{"fees_omit_bill", "trade.fees.omit_bill", Flag, false, Content},
		{"interest_yield", "trade.interest.yield", Decimal, true, Content},
		{"interest_accrued", "trade.interest.accrued", Decimal, true, Content},
		{"interest_accrued_days", "trade.interest.accrued_days", Long, true, Content},
		{"is_when_issued", "trade.is_when_issued", Flag, false, Content},
		{"order_id", "trade.order_id", Text, true, Content},
		{"cancel_trade_id", "trade.cancel_trade_id", Text, true, Content},
		{"contra_side_qualifier", "trade.contra_side_qualifier", Text, true, Content},
		{"nscc_clearing", "trade.nscc_clearing", Text, true, Content},
		{"last_market", "trade.last_market", Text, true, Content},
		{"locate", "trade.locate", Text, true, Content},
		{"behalf_of_account_id", "trade.behalf_of_account_id", Text, true, Content},
		{"solicited", "trade.solicited", Text, true, Content},
		{"registered_rep", "trade.registered_rep", Text, true, Content},
		{"branch_office", "trade.branch_office", Text, true, Content},
		{"user_data", "trade.user_data", Text, true, Content},
		{"state", "trade.state", Text, false, Content},
		{"settle_date", "trade.settle_date", Integer, false, Content},
		{"gross_amount", "trade.gross_amount", Decimal, false, Content},
		{"sec_fee", "trade.sec_fee", Decimal, false, Content},
		{"taf_fee", "trade.taf_fee", Decimal, false, Content},
		{"net_amount", "trade.net_amount", Decimal, false, Content},
		{"booked_at", "trade.booked_at", Long, false, Moment},
		{"canceled_at", "trade.canceled_at", Long, true, Moment},
		{"replaced_by", "trade.replaced_by", Long, true, Content},
		{"replaces", "trade.replaces", Long, true, Content},
	}
}

func cash() []Column {
	return []Column{
		{"cash_id", "cash_id", Long, false, Content}, {"client_id", "client_id", Text, false, Content}, {"currency", "currency", Text, false, Content},
		{"amount", "amount", Decimal, false, Content},
	}
}

func totals(names ...string) []Column {
	var columns []Column
	for _, name := range names {
		columns = append(columns, Column{name, name, Decimal, false, Total})
	}
	return columns
}

func checks() []Column {
	return []Column{{Name: "content_hash", Type: Long, Class: Check}, {Name: "canonical", Type: Flag, Class: Check}}
}
