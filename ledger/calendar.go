package ledger

import (
	"slices"
	"sync"
	"time"
)

// The settlement calendar of US securities (bank-api, section 4): a settlement day is one on which both the New York Stock Exchange
// and the Federal Reserve banks are open.

// Next gives the calendar day that follows.
func (d Date) Next() Date { return DateOf(d.Time().AddDate(0, 0, 1)) }

// settlementCycles say how many settlement days after its trade date a trade settles regular way, by trade date.
var settlementCycles = [...]struct {
	from Date
	days int
}{{0, 3}, {20170905, 2}, {20240528, 1}}

// SettlementDate gives the day on which a trade settles regular way: trade date + 3 settlement days before 2017-09-05, + 2 from then, + 1
// from 2024-05-28. The trade date itself need not be a settlement day; for one that is not [Date.Valid] it gives 0.
func SettlementDate(trade Date) Date { return settlementTable().day(trade).settles }

// IsSettlementDay reports whether both NYSE and the Federal Reserve banks are open; no date that is not [Date.Valid] is one.
func IsSettlementDay(d Date) bool { return settlementTable().day(d).open }

// calendar has a row for every valid date, at a place that its digits give: 12 months of 31 days each year. Every trade asks for its settlement
// date, and so needs no search; the gaps are one row in seventy.
type calendar []calendarDay

type calendarDay struct {
	settles Date // what trades of the day settle on, regular way
	open    bool // a settlement day
}

// place gives a date's row.
func (calendar) place(d Date) int {
	y, m, day := int(d)/10000, int(d)/100%100, int(d)%100
	return ((y-int(MinDate)/10000)*12+m-1)*31 + day - 1
}

// day gives a date's row, and an empty one where there is none.
func (c calendar) day(d Date) calendarDay {
	if i := c.place(d); i >= 0 && i < len(c) {
		return c[i]
	}
	return calendarDay{}
}

var settlementTable = sync.OnceValue(makeCalendar)

// makeCalendar works out all rows: the last day first, so that the settlement days that follow a day are known when its turn comes.
func makeCalendar() calendar {
	c := make(calendar, calendar(nil).place(MaxDate)+1)
	var next []Date // settlement days after the day, the nearest one last
	for day := MaxDate.Time().AddDate(0, 1, 0); ; day = day.AddDate(0, 0, -1) {
		date, open := DateOf(day), isSettlementDay(day)
		if date < MinDate {
			return c
		}
		if date <= MaxDate {
			c[c.place(date)] = calendarDay{settles: next[len(next)-cycleOn(date)], open: open}
		}
		if open {
			next = append(next, date)
		}
	}
}

// cycleOn gives the number of settlement days that a trade of the day takes to settle.
func cycleOn(trade Date) (days int) {
	for _, cycle := range settlementCycles {
		if cycle.from <= trade {
			days = cycle.days
		}
	}
	return days
}

func isSettlementDay(day time.Time) bool {
	return !isWeekend(day) && !exchangeClosed(day) && !bankHoliday(day)
}

func isWeekend(day time.Time) bool {
	return day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
}

// exchangeClosed reports whether NYSE is closed on a weekday.
func exchangeClosed(day time.Time) bool {
	return exchangeHoliday(day) || slices.Contains(exchangeClosings[:], DateOf(day))
}

// exchangeClosings are the weekdays on which NYSE was closed beside its holidays, from its list of special closings since 2001.
var exchangeClosings = [...]Date{
	20010911, 20010912, 20010913, 20010914, // the attacks on New York
	20040611,           // mourning for President Reagan
	20070102,           // mourning for President Ford
	20121029, 20121030, // hurricane Sandy
	20181205, // mourning for President Bush
	20250109, // mourning for President Carter
}

// exchangeHoliday reports whether a weekday is a regular NYSE holiday (rule 7.2): one that falls on a Saturday is kept on the Friday before,
// unless that ends a year (so New Year's Day on a Saturday is not kept at all); one on a Sunday on the Monday after.
func exchangeHoliday(day time.Time) bool {
	y, m, d := day.Date()
	if bothHoliday(day) || day.Equal(easter(y).AddDate(0, 0, -2)) { // the latter is Good Friday
		return true
	}
	// The Friday before a Saturday holiday.
	return day.Weekday() == time.Friday && (m == time.July && d == 3 || m == time.December && d == 24 || m == time.June && d == 18 && y >= 2022)
}

// bankHoliday reports whether a weekday is a Federal Reserve holiday: one that falls on a Sunday is kept on the Monday after, one on a
// Saturday not at all.
func bankHoliday(day time.Time) bool {
	m := day.Month()
	return bothHoliday(day) ||
		m == time.October && isNth(day, time.Monday, 2) || // Columbus Day
		m == time.November && fixed(day, 11) // Veterans Day
}

// bothHoliday reports whether a weekday is a holiday of both.
func bothHoliday(day time.Time) bool {
	y, m, d := day.Date()
	switch m {
	case time.January:
		return fixed(day, 1) || isNth(day, time.Monday, 3) // New Year's Day, Martin Luther King's birthday
	case time.February:
		return isNth(day, time.Monday, 3) // Washington's birthday
	case time.May:
		return day.Weekday() == time.Monday && d > 24 // Memorial Day
	case time.June:
		return y >= 2022 && fixed(day, 19) // Juneteenth
	case time.July:
		return fixed(day, 4) // Independence Day
	case time.September:
		return isNth(day, time.Monday, 1) // Labor Day
	case time.November:
		return isNth(day, time.Thursday, 4) // Thanksgiving
	case time.December:
		return fixed(day, 25) // Christmas
	}
	return false
}

// fixed reports whether a weekday keeps the holiday of that day of its month: on the day itself, or on the Monday after a Sunday.
func fixed(day time.Time, holiday int) bool {
	return day.Day() == holiday || day.Day() == holiday+1 && day.Weekday() == time.Monday
}

// isNth reports whether the day is the nth such weekday of its month.
func isNth(day time.Time, weekday time.Weekday, n int) bool {
	return day.Weekday() == weekday && (day.Day()-1)/7 == n-1
}

// easter gives Easter Sunday of the Gregorian calendar (the anonymous algorithm as New Scientist printed it in 1961).
func easter(year int) time.Time {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 19*l) / 433
	month := (h + l - 7*m + 90) / 25
	day := (h + l - 7*m + 33*month + 19) % 32
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}
