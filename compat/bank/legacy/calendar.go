package legacy

import (
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// Settlement days, from the rules of the two that must be open: the New York Stock Exchange (rule 7.2) and the Federal Reserve banks.

// closings are the days on which the exchange closed unscheduled.
var closings = map[bank.Date]bool{
	20010911: true, 20010912: true, 20010913: true, 20010914: true, // attacks on New York and Washington
	20040611: true,                 // mourning for President Reagan
	20070102: true,                 // for President Ford
	20121029: true, 20121030: true, // hurricane Sandy
	20181205: true, // for President G. H. W. Bush
	20250109: true, // for President Carter
}

// cycles are the settlement days from trade to settlement, by the first trade date, latest first.
var cycles = []struct {
	from bank.Date
	days int
}{{20240528, 1}, {20170905, 2}, {0, 3}}

// settleDate gives the regular settlement date of a trade.
func settleDate(trade bank.Date) bank.Date {
	days := 0
	for _, c := range cycles {
		if trade >= c.from {
			days = c.days
			break
		}
	}
	day := midday(trade)
	for days > 0 {
		day = day.AddDate(0, 0, 1)
		if isSettlementDay(day) {
			days--
		}
	}
	return dateOf(day)
}

// nextDay gives the calendar day after d.
func nextDay(d bank.Date) bank.Date { return dateOf(midday(d).AddDate(0, 0, 1)) }

func midday(d bank.Date) time.Time {
	return time.Date(int(d/10000), time.Month(d/100%100), int(d%100), 12, 0, 0, 0, time.UTC)
}

func dateOf(t time.Time) bank.Date {
	return bank.Date(t.Year()*10000 + int(t.Month())*100 + t.Day())
}

func isSettlementDay(day time.Time) bool {
	if wd := day.Weekday(); wd == time.Saturday || wd == time.Sunday {
		return false
	}
	return !closings[dateOf(day)] && !isMondayOrThursdayHoliday(day) && !isFixedHoliday(day) && !isGoodFriday(day)
}

// isMondayOrThursdayHoliday knows the holidays that are the n-th of a weekday in a month.
func isMondayOrThursdayHoliday(day time.Time) bool {
	nth := (day.Day() + 6) / 7
	switch day.Weekday() {
	case time.Monday:
		switch day.Month() {
		case time.January, time.February: // Martin Luther King Jr., Washington
			return nth == 3
		case time.May: // Memorial Day: the last
			return day.AddDate(0, 0, 7).Month() != time.May
		case time.September: // Labor Day
			return nth == 1
		case time.October: // Columbus Day: the Federal Reserve's only
			return nth == 2
		}
	case time.Thursday: // Thanksgiving
		return day.Month() == time.November && nth == 4
	}
	return false
}

// isFixedHoliday knows the holidays of a date, and their observance. On a Sunday both observe them on Monday. On a Saturday the Federal Reserve does
// not observe them, and the exchange closes on Friday, but not on a Friday that ends the year.
func isFixedHoliday(day time.Time) bool {
	candidates := []time.Time{day}
	switch day.Weekday() {
	case time.Monday:
		candidates = append(candidates, day.AddDate(0, 0, -1))
	case time.Friday:
		candidates = append(candidates, day.AddDate(0, 0, 1))
	}
	for _, c := range candidates {
		brought := c.After(day) // Saturday's, on Friday: the exchange's alone
		switch month, d := c.Month(), c.Day(); {
		case month == time.January && d == 1:
			if !brought {
				return true
			}
		case month == time.June && d == 19: // Juneteenth, by both from 2022
			if c.Year() >= 2022 {
				return true
			}
		case month == time.November && d == 11: // Veterans Day: the Federal Reserve's only
			if !brought {
				return true
			}
		case month == time.July && d == 4, month == time.December && d == 25:
			return true
		}
	}
	return false
}

// isGoodFriday: the exchange's only, two days before Easter.
func isGoodFriday(day time.Time) bool {
	return day.Weekday() == time.Friday && dateOf(day.AddDate(0, 0, 2)) == easter(day.Year())
}

// easter is the anonymous Gregorian computus, as in Meeus, Astronomical Algorithms, chapter 8.
func easter(year int) bank.Date {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return bank.Date(year*10000 + n/31*100 + n%31 + 1)
}
