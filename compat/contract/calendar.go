package contract

import "fmt"

// calendarCases: trade dates and when they settle, worked out by hand from the calendars of NYSE and of the Federal Reserve.
func calendarCases() []testCase {
	var cases []testCase
	for _, d := range []struct {
		name          string
		trade, settle int
	}{
		{"Monday", 20131007, 20131010},
		{"over a weekend", 20131003, 20131008},
		{"on a Saturday", 20131005, 20131009},
		{"on a Sunday", 20131006, 20131009},
		{"over Columbus Day", 20131010, 20131016},
		{"on Columbus Day", 20131014, 20131017},
		{"over Veterans Day", 20131106, 20131112},
		{"over Veterans Day on a Sunday", 20181108, 20181113},
		{"over Veterans Day on a Saturday, which closes nothing", 20171108, 20171110},
		{"over Thanksgiving", 20131126, 20131202},
		{"over Christmas", 20131223, 20131227},
		{"over New Year", 20131230, 20140103},
		{"over New Year on a Saturday, which closes nothing", 20211229, 20211231},
		{"over Martin Luther King Day", 20140115, 20140121},
		{"over Washington's Birthday", 20140212, 20140218},
		{"over Good Friday 2012", 20120404, 20120410},
		{"over Good Friday 2013", 20130326, 20130401},
		{"over Good Friday 2024", 20240327, 20240401},
		{"over Memorial Day", 20140521, 20140527},
		{"over Independence Day", 20140702, 20140708},
		{"over Independence Day on a Saturday, when only NYSE closes the Friday", 20200701, 20200706},
		{"over Labor Day", 20140827, 20140902},
		{"over Christmas on a Saturday, when only NYSE closes the Friday", 20211222, 20211227},
		{"over Christmas on a Sunday", 20221222, 20221227},
		{"over Juneteenth 2022", 20220616, 20220621},
		{"over Juneteenth 2021, a Saturday, which closes nothing", 20210616, 20210618},
		{"before Juneteenth was a holiday", 20200617, 20200619},
		{"over 2001-09-11", 20010910, 20010919},
		{"over 2004-06-11", 20040609, 20040615},
		{"over 2007-01-02", 20061228, 20070104},
		{"over 2012-10-29 and 30", 20121026, 20121102},
		{"over 2018-12-05", 20181204, 20181207},
		{"over 2025-01-09", 20250108, 20250110},
		{"the last day of three", 20170901, 20170907},
		{"the last day of three, a holiday", 20170904, 20170907},
		{"the first day of two", 20170905, 20170907},
		{"the last day of two", 20240524, 20240529},
		{"the last day of two, a holiday", 20240527, 20240529},
		{"the first day of one", 20240528, 20240529},
		{"one day over a weekend", 20240531, 20240603},
		{"far away", 20491230, 20491231},
	} {
		cases = append(cases, testCase{fmt.Sprintf("settles: %s, traded %d", d.name, d.trade), func(c *client) {
			c.get("/trades/%s", c.one(c.trade(exchange, c.account(), "date", d.trade))).has(200, `{"date":%d,"settle_date":%d}`, d.trade, d.settle)
		}})
	}
	return cases
}
