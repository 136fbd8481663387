package ledger

import (
	"fmt"
	"time"
)

// Date is a calendar day as YYYYMMDD; 0 means that there is none.
type Date int32

// Bounds of a date that a caller may give (bank-api: 20010101 to 21000101), and the settlement date of what trades when-issued.
const (
	MinDate        Date = 20010101
	MaxDate        Date = 21000101
	WhenIssuedDate Date = 99991231
)

// DateOf gives the day of t in UTC.
func DateOf(t time.Time) Date {
	y, m, d := t.UTC().Date()
	return Date(y*10000 + int(m)*100 + d)
}

// Valid reports whether d is a real day between [MinDate] and [MaxDate].
func (d Date) Valid() bool {
	return d >= MinDate && d <= MaxDate && DateOf(d.Time()) == d
}

// Time gives midnight UTC of the day.
func (d Date) Time() time.Time {
	return time.Date(int(d)/10000, time.Month(int(d)/100%100), int(d)%100, 0, 0, 0, 0, time.UTC)
}

// String writes YYYY-MM-DD, and "" for no date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", int(d)/10000, int(d)/100%100, int(d)%100)
}
