package modeltest

import (
	"fmt"
	"slices"
	"time"
)

// Date is a day as YYYYMMDD, 0 for none.
type Date int

// WhenIssued is the settlement date of what trades when-issued.
const WhenIssued Date = 99991231

// Plus gives the calendar day n days on.
func (d Date) Plus(n int) Date {
	t := time.Date(int(d)/10000, time.Month(int(d)/100%100), int(d)%100+n, 0, 0, 0, 0, time.UTC)
	return Date(t.Year()*10000 + int(t.Month())*100 + t.Day())
}

func (d Date) weekday() time.Weekday {
	return time.Date(int(d)/10000, time.Month(int(d)/100%100), int(d)%100, 0, 0, 0, 0, time.UTC).Weekday()
}

// The weekdays on which NYSE or the Federal Reserve banks are closed, read off their published lists, for the months that sequences are about.
var closed = map[Date][]Date{
	2013: {20130902, 20131014, 20131111, 20131128, 20131225},
	2017: {20170704, 20170904, 20171009, 20171123, 20171225},
	2024: {20240219, 20240329, 20240527, 20240619, 20240704, 20240902},
}

// months are what the list above is complete for.
var months = map[Date][2]Date{2013: {20130815, 20131231}, 2017: {20170610, 20171231}, 2024: {20240205, 20240930}}

// settlement gives trade date + n settlement days: 3 before 2017-09-05, 2 from then, 1 from 2024-05-28.
func settlement(trade Date) Date {
	n := 3
	if trade >= 20170905 {
		n = 2
	}
	if trade >= 20240528 {
		n = 1
	}
	day := trade
	for n > 0 {
		day = day.Plus(1)
		if known := months[day/10000]; trade < known[0] || day > known[1] {
			panic(fmt.Sprintf("modeltest: the calendar does not know %d", trade))
		}
		if day.weekday() != time.Saturday && day.weekday() != time.Sunday && !slices.Contains(closed[day/10000], day) {
			n--
		}
	}
	return day
}
