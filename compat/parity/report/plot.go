package report

import (
	"math"
	"strconv"

	"github.com/bkledger/bk/compat/parity"
)

// bar is one of a plot of bars.
type bar struct {
	Label, Value string
	Y, Width     float64 // from 0 to barWidth
	Class        string
}

// bars is a plot.
type bars struct {
	Title  string
	Bars   []bar
	Height float64
	More   int // that are left out
}

const (
	barWidth  = 200.0
	barHeight = 26.0
	maxBars   = 15
	minBar    = 2.0 // so that it is seen
)

// scaled lays bars out. Values go over powers of ten, so they are shown by their roots: the label says the number.
func scaled(title string, all []bar, values []float64) bars {
	b := bars{Title: title}
	if len(all) > maxBars {
		b.More = len(all) - maxBars
		all, values = all[:maxBars], values[:maxBars]
	}
	most := 0.0
	for _, v := range values {
		most = math.Max(most, v)
	}
	for i := range all {
		all[i].Y = float64(i) * barHeight
		if values[i] > 0 {
			all[i].Width = math.Max(minBar, math.Sqrt(values[i]/most)*barWidth)
		}
	}
	b.Bars, b.Height = all, float64(len(all))*barHeight
	return b
}

func class(explainedBy string) string {
	if explainedBy != "" {
		return "explained"
	}
	return "unexplained"
}

func causesByRows(r *parity.Report) bars {
	var all []bar
	var values []float64
	for _, c := range r.Causes {
		all = append(all, bar{Label: c.Kind, Value: count(c.Rows), Class: class(c.ExplainedBy)})
		values = append(values, float64(c.Rows))
	}
	return scaled("Causes by rows that differ", all, values)
}

func causesByMoney(r *parity.Report) bars {
	var all []bar
	var values []float64
	for _, c := range r.Causes {
		all = append(all, bar{Label: c.Kind, Value: amount(c.Money), Class: class(c.ExplainedBy)})
		values = append(values, c.Money.InexactFloat64())
	}
	return scaled("Causes by money", all, values)
}

func accountsByMoney(r *parity.Report) bars {
	var all []bar
	var values []float64
	for _, a := range r.Accounts {
		rule := "explained"
		if a.Unexplained > 0 {
			rule = ""
		}
		all = append(all, bar{Label: strconv.FormatInt(a.Account, 10), Value: amount(a.Money), Class: class(rule)})
		values = append(values, a.Money.InexactFloat64())
	}
	b := scaled("Accounts by money", all, values)
	b.More = int(r.AccountsDiffering) - len(b.Bars)
	return b
}

// column is a business date in the plot of days.
type column struct {
	X, Width         float64
	EventsY, EventsH float64
	FoundY, FoundH   float64
	LabelX           float64
	Title, Label     string
}

// days is the plot of business dates: how many events, and below how many first events that are wrong.
type days struct {
	Columns            []column
	Width              float64
	MostEvents, MostOf string
}

const (
	daysWidth   = 900.0
	eventsBase  = 150.0
	foundBase   = 170.0
	foundHeight = 70.0
	maxLabels   = 12
)

func byDay(r *parity.Report) days {
	d := days{Width: daysWidth}
	if len(r.Days) == 0 {
		return d
	}
	var most, found int64
	for _, day := range r.Days {
		most, found = max(most, day.Events[0], day.Events[1]), max(found, day.Findings)
	}
	step := daysWidth / float64(len(r.Days))
	every := (len(r.Days) + maxLabels - 1) / maxLabels
	for i, day := range r.Days {
		events := max(day.Events[0], day.Events[1])
		c := column{X: float64(i)*step + step*0.1, Width: step * 0.8, LabelX: float64(i)*step + step/2}
		c.EventsH = float64(events) / float64(max(most, 1)) * (eventsBase - 20)
		c.EventsY = eventsBase - c.EventsH
		if day.Findings > 0 {
			c.FoundH = math.Max(minBar, math.Sqrt(float64(day.Findings)/float64(found))*foundHeight)
		}
		c.FoundY = foundBase
		c.Title = date(day.Date) + ": " + count(day.Events[0]) + " events of Bank's, " + count(day.Events[1]) + " of BK's, " + count(day.Findings) + " first events that are wrong"
		if i%every == 0 {
			c.Label = date(day.Date)
		}
		d.Columns = append(d.Columns, c)
	}
	d.MostEvents, d.MostOf = count(most), count(found)
	return d
}
