package ledger

import (
	"slices"
	"testing"
	"time"
)

// TestSettlementDate has a row for every kind of day that is easily counted wrong. Weekdays are the trade date's.
func TestSettlementDate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		trade, settles Date
		why            string
	}{
		// T+3
		{20010907, 20010918, "Fri, before the exchange closed for four days"},
		{20010910, 20010919, "Mon, all three days after the closing"},
		{20010914, 20010919, "Fri, a closed day itself"},
		{20011005, 20011011, "Fri before Columbus Day"},
		{20011108, 20011114, "Veterans Day on a Sunday: banks closed on Monday"},
		{20021220, 20021226, "Christmas on a Wednesday"},
		{20040609, 20040615, "Wed, mourning on Friday"},
		{20040610, 20040616, "Thu, mourning on Friday"},
		{20041221, 20041227, "Christmas on a Saturday: NYSE closed on Friday"},
		{20041229, 20050103, "New Year on a Saturday: Friday is open"},
		{20051229, 20060104, "New Year on a Sunday: Monday is closed"},
		{20061108, 20061113, "Veterans Day on a Saturday: Friday is open"},
		{20061227, 20070103, "New Year, and mourning the day after"},
		{20061228, 20070104, "New Year, and mourning the day after"},
		{20070102, 20070105, "a closed day itself"},
		{20071108, 20071114, "Veterans Day on a Sunday"},
		{20090630, 20090706, "July 4 on a Saturday: NYSE closed on Friday"},
		{20100701, 20100707, "July 4 on a Sunday: Monday is closed"},
		{20101221, 20101227, "Christmas on a Saturday"},
		{20101229, 20110103, "New Year on a Saturday"},
		{20110113, 20110119, "Martin Luther King's birthday"},
		{20110419, 20110425, "Good Friday"},
		{20121024, 20121031, "Wed, hurricane on Monday and Tuesday"},
		{20121025, 20121101, "Thu, the same"},
		{20121026, 20121102, "Fri, the same"},
		{20121030, 20121102, "a closed day itself"},
		{20131007, 20131010, "an ordinary Monday"},
		{20131009, 20131015, "Columbus Day"},
		{20131010, 20131016, "Columbus Day"},
		{20131012, 20131017, "a Saturday, Columbus Day behind it"},
		{20131014, 20131017, "Columbus Day itself, NYSE open"},
		{20131107, 20131113, "Veterans Day on a Monday"},
		{20131125, 20131129, "Thanksgiving"},
		{20131220, 20131226, "Christmas"},
		{20140521, 20140527, "Memorial Day"},
		{20150630, 20150706, "July 4 on a Saturday"},
		{20161108, 20161114, "Veterans Day on a Friday"},
		{20161228, 20170103, "New Year on a Sunday"},
		// From T+3 to T+2: two days of trades settle on one.
		{20170831, 20170906, "the last but one of T+3, Labor Day"},
		{20170901, 20170907, "the last of T+3, Labor Day"},
		{20170904, 20170907, "Labor Day itself, still T+3"},
		{20170905, 20170907, "the first of T+2"},
		{20170906, 20170908, "T+2"},
		{20181109, 20181114, "Veterans Day on a Sunday"},
		{20181203, 20181206, "mourning on Wednesday"},
		{20181204, 20181207, "mourning on Wednesday"},
		{20200701, 20200706, "July 4 on a Saturday: NYSE closed, banks open on Friday"},
		{20200702, 20200707, "July 4 on a Saturday"},
		{20210617, 20210621, "Juneteenth is no holiday of NYSE's yet"},
		{20211222, 20211227, "Christmas on a Saturday"},
		{20211230, 20220103, "New Year on a Saturday"},
		{20220616, 20220621, "Juneteenth on a Sunday"},
		{20221229, 20230103, "New Year on a Sunday"},
		{20230615, 20230620, "Juneteenth on a Monday"},
		{20240327, 20240401, "Good Friday"},
		// From T+2 to T+1.
		{20240523, 20240528, "the last but one of T+2, Memorial Day"},
		{20240524, 20240529, "the last of T+2, Memorial Day"},
		{20240527, 20240529, "Memorial Day itself, still T+2"},
		{20240528, 20240529, "the first of T+1"},
		{20240618, 20240620, "Juneteenth"},
		{20240703, 20240705, "July 4"},
		{20241011, 20241015, "Columbus Day"},
		{20241108, 20241112, "Veterans Day"},
		{20250108, 20250110, "mourning on Thursday"},
		{20250117, 20250121, "Martin Luther King's birthday"},
		{20250417, 20250421, "Good Friday"},
		{20260702, 20260706, "July 4 on a Saturday"},
		{20270617, 20270621, "Juneteenth on a Saturday: NYSE closed on Friday"},
		{20271223, 20271227, "Christmas on a Saturday"},
		{20271231, 20280103, "New Year on a Saturday"},
		{21000101, 21000104, "the last trade date there is"},
	} {
		if got := SettlementDate(c.trade); got != c.settles {
			t.Errorf("%s settles on %s, want %s: %s", c.trade, got, c.settles, c.why)
		}
	}
	for _, d := range []Date{0, -1, 20001231, 21000102, 20130230, WhenIssuedDate} {
		if got := SettlementDate(d); got != 0 || IsSettlementDay(d) {
			t.Errorf("%d is no date; it settles on %d", d, got)
		}
	}
}

// holidays are the weekdays on which NYSE and the Federal Reserve banks were or will be closed, from the lists that both publish, special
// closings included, as month and day.
var holidays = []struct {
	year        int
	nyse, banks []int
}{
	{2001, []int{101, 115, 219, 413, 528, 704, 903, 911, 912, 913, 914, 1122, 1225}, []int{101, 115, 219, 528, 704, 903, 1008, 1112, 1122, 1225}},
	{2004, []int{101, 119, 216, 409, 531, 611, 705, 906, 1125, 1224}, []int{101, 119, 216, 531, 705, 906, 1011, 1111, 1125}},
	{2005, []int{117, 221, 325, 530, 704, 905, 1124, 1226}, []int{117, 221, 530, 704, 905, 1010, 1111, 1124, 1226}},
	{2007, []int{101, 102, 115, 219, 406, 528, 704, 903, 1122, 1225}, []int{101, 115, 219, 528, 704, 903, 1008, 1112, 1122, 1225}},
	{2010, []int{101, 118, 215, 402, 531, 705, 906, 1125, 1224}, []int{101, 118, 215, 531, 705, 906, 1011, 1111, 1125}},
	{2012, []int{102, 116, 220, 406, 528, 704, 903, 1029, 1030, 1122, 1225}, []int{102, 116, 220, 528, 704, 903, 1008, 1112, 1122, 1225}},
	{2013, []int{101, 121, 218, 329, 527, 704, 902, 1128, 1225}, []int{101, 121, 218, 527, 704, 902, 1014, 1111, 1128, 1225}},
	{2018, []int{101, 115, 219, 330, 528, 704, 903, 1122, 1205, 1225}, []int{101, 115, 219, 528, 704, 903, 1008, 1112, 1122, 1225}},
	{2020, []int{101, 120, 217, 410, 525, 703, 907, 1126, 1225}, []int{101, 120, 217, 525, 907, 1012, 1111, 1126, 1225}},
	{2021, []int{101, 118, 215, 402, 531, 705, 906, 1125, 1224}, []int{101, 118, 215, 531, 705, 906, 1011, 1111, 1125}},
	{2022, []int{117, 221, 415, 530, 620, 704, 905, 1124, 1226}, []int{117, 221, 530, 620, 704, 905, 1010, 1111, 1124, 1226}},
	{2024, []int{101, 115, 219, 329, 527, 619, 704, 902, 1128, 1225}, []int{101, 115, 219, 527, 619, 704, 902, 1014, 1111, 1128, 1225}},
	{2025, []int{101, 109, 120, 217, 418, 526, 619, 704, 901, 1127, 1225}, []int{101, 120, 217, 526, 619, 704, 901, 1013, 1111, 1127, 1225}},
	{2026, []int{101, 119, 216, 403, 525, 619, 703, 907, 1126, 1225}, []int{101, 119, 216, 525, 619, 907, 1012, 1111, 1126, 1225}},
	{2027, []int{101, 118, 215, 326, 531, 618, 705, 906, 1125, 1224}, []int{101, 118, 215, 531, 705, 906, 1011, 1111, 1125}},
}

// closedIn lists the weekdays of a year on which a calendar is closed, as month and day.
func closedIn(year int, closed func(time.Time) bool) (days []int) {
	for day := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == year; day = day.AddDate(0, 0, 1) {
		if !isWeekend(day) && closed(day) {
			days = append(days, int(day.Month())*100+day.Day())
		}
	}
	return days
}

func TestHolidays(t *testing.T) {
	t.Parallel()
	for _, c := range holidays {
		if got := closedIn(c.year, exchangeClosed); !slices.Equal(got, c.nyse) {
			t.Errorf("NYSE is closed in %d on %v, want %v", c.year, got, c.nyse)
		}
		if got := closedIn(c.year, bankHoliday); !slices.Equal(got, c.banks) {
			t.Errorf("banks are closed in %d on %v, want %v", c.year, got, c.banks)
		}
		open := func(day time.Time) bool { return IsSettlementDay(DateOf(day)) }
		both := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(c.nyse), c.banks...))))
		closed := slices.DeleteFunc(closedIn(c.year, func(time.Time) bool { return true }), func(day int) bool {
			return open(Date(c.year*10000 + day).Time())
		})
		if !slices.Equal(closed, both) {
			t.Errorf("no settlement in %d on %v, want %v", c.year, closed, both)
		}
	}
}

// TestTradingDays holds the number of days on which NYSE was open against the one that it reports for each year.
func TestTradingDays(t *testing.T) {
	t.Parallel()
	for i, want := range []int{
		248, 252, 252, 252, 252, 251, 251, 253, 252, 252, // 2001 to 2010
		252, 250, 252, 252, 252, 252, 251, 251, 252, 253, // 2011 to 2020
		252, 251, 250, 252, 250, // 2021 to 2025
	} {
		if got := len(closedIn(2001+i, func(day time.Time) bool { return !exchangeClosed(day) })); got != want {
			t.Errorf("NYSE was open on %d days of %d, want %d", got, 2001+i, want)
		}
	}
}

// TestEaster compares with the method of Meeus, which takes other steps.
func TestEaster(t *testing.T) {
	t.Parallel()
	for year := 2001; year <= 2100; year++ {
		c := year / 100
		a, b := year%19, c-c/4-(8*c+13)/25
		epact := (19*a + b + 15) % 30
		epact -= (epact / 28) * (1 - (29/(epact+1))*((21-a)/11))
		weekday := (year + year/4 + epact + 2 - c + c/4) % 7
		days := epact - weekday
		month := 3 + (days+40)/44
		day := days + 28 - 31*(month/4)
		if got := easter(year); got != time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC) || got.Weekday() != time.Sunday {
			t.Errorf("Easter of %d on %s, want %02d-%02d", year, got.Format(time.DateOnly), month, day)
		}
	}
}

// TestSettlementFollowsTheCalendar counts settlement days one by one for every day there is.
func TestSettlementFollowsTheCalendar(t *testing.T) {
	t.Parallel()
	last := Date(0)
	for trade := MinDate; trade < 20991200; trade = trade.Next() {
		days := 1
		switch {
		case trade < 20170905:
			days = 3
		case trade < 20240528:
			days = 2
		}
		want := trade
		for days > 0 {
			if want = want.Next(); IsSettlementDay(want) {
				days--
			}
		}
		got := SettlementDate(trade)
		if got != want || got < last || !IsSettlementDay(got) {
			t.Fatalf("%s settles on %s, want %s (the day before: %s)", trade, got, want, last)
		}
		last = got
	}
}

func BenchmarkSettlementDate(b *testing.B) {
	days := [...]Date{20131007, 20131009, 20170905, 20240528}
	SettlementDate(days[0]) // the table is worked out once
	i, sum := 0, Date(0)
	for b.Loop() {
		sum += SettlementDate(days[i&3])
		i++
	}
	if sum == 0 {
		b.Error("no trade settles")
	}
}

func BenchmarkSettlementTable(b *testing.B) {
	for b.Loop() {
		if len(makeCalendar()) == 0 {
			b.Error("empty")
		}
	}
}
