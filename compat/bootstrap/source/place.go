package source

import (
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// Place is the instant of a snapshot: all of Bank's work up to EventID is in it, and none behind.
type Place struct {
	EventID       int64     `json:"event_id"` // the last of Bank's
	BusinessDate  bank.Date `json:"business_date"`
	LastTradeID   int64     `json:"last_trade_id"`   // that the sequence gave; it may have been given to nothing
	LastCashID    int64     `json:"last_cash_id"`    // likewise
	LastJournalID int64     `json:"last_journal_id"` // likewise
	TakenAt       time.Time `json:"taken_at"`        // by Bank's clock
	HeldMS        float64   `json:"held_ms"`         // how long Bank's writes were held
	Source        string    `json:"source"`          // "database", or "api"
	// Offsets are where Bank's topics ended before the snapshot was taken: no later event of Bank's stands before. Empty: Kafka was not asked.
	Offsets []Offset `json:"offsets,omitempty"`
}

// String tells it in words.
func (p Place) String() string {
	return fmt.Sprintf("event %d of business date %d, last trade %d", p.EventID, p.BusinessDate, p.LastTradeID)
}

// Offset is a place in one of Bank's topics.
type Offset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Next      int64  `json:"next"` // offset of the next event
}

// Range is what one chunk has of a table.
type Range struct {
	Table Table `json:"table"`
	// From and Below bound it: ids of the column that the table is read by, or, where Pages is set, pages of the table. Below 0: to the end.
	From  int64 `json:"from"`
	Below int64 `json:"below,omitempty"`
	Pages bool  `json:"pages,omitempty"`
}

// String tells it in words.
func (r Range) String() string {
	what, to := shapes[r.Table].by, "the end"
	if r.Pages {
		what = "page"
	}
	if r.Below > 0 {
		to = fmt.Sprintf("below %d", r.Below)
	}
	return fmt.Sprintf("%s, %s from %d to %s", r.Table, what, r.From, to)
}

// query gives the statement that reads it. Numbers are all that is put into it.
func (r Range) query() string {
	s := shapes[r.Table]
	where := ""
	switch {
	case r.Pages:
		where = fmt.Sprintf("ctid >= '(%d,0)'::tid", r.From)
		if r.Below > 0 {
			where += fmt.Sprintf(" AND ctid < '(%d,0)'::tid", r.Below)
		}
	default:
		where = fmt.Sprintf("%s >= %d", s.by, r.From)
		if r.Below > 0 {
			where += fmt.Sprintf(" AND %s < %d", s.by, r.Below)
		}
	}
	return fmt.Sprintf("SELECT %s FROM bank.%s WHERE %s ORDER BY %s", columns(s.columns), r.Table, where, s.order)
}

func columns(names []string) string {
	list := ""
	for i, n := range names {
		if i > 0 {
			list += ", "
		}
		list += `"` + n + `"`
	}
	return list
}
