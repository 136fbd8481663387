package shadow

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// dice draw at random, the same for the same seed.
type dice struct{ *rand.Rand }

func newDice(seed, number uint64) dice { return dice{rand.New(rand.NewPCG(seed, number))} }

// percent tells whether something that happens so often happens.
func (d dice) percent(p float64) bool { return d.Float64()*100 < p }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// instruments are those that are traded. The same symbol comes under several types, countries and currencies, and in capitals and small letters.
var instruments = []obj{
	instrument("AAPL", "ticker", "US", "USD"), instrument("AAPL", "ticker", "USA", "USD"), instrument("AAPL", "ticker", "DE", "EUR"),
	instrument("IBM", "ticker", "US", "USD"), instrument("IBM", "ticker", "US", "USD"), instrument("MSFT", "ticker", "US", "USD"),
	instrument("BRK.B", "ticker", "US", "USD"), instrument("brk.b", "ticker", "US", "USD"), instrument("RDS A", "ticker", "GB", "GBP"),
	instrument("VOD", "ticker", "GB", "GBP"), instrument("7203", "ticker", "JP", "JPY"), instrument("SAP", "ticker", "DE", "EUR"),
	instrument("594918104", "cusip", "US", "USD"), instrument("912828VS6", "cusip", "US", "USD"), instrument("US5949181045", "isin", "US", "USD"),
	instrument("DE0007164600", "isin", "DE", "EUR"), instrument("2588173", "sedol", "", ""), instrument("BH4HKS3", "sedol", "GB", "GBP"),
	instrument("2588173", "sedol", "US", "EUR"),
}

func instrument(identifier, kind, country, currency string) obj {
	i := obj{"identifier": identifier, "identifier_type": kind}
	if country != "" {
		i["country"], i["currency"] = country, currency
	}
	return i
}

// trade draws a trade of an account around a day, all but its client's id. other is an account for what moves between two.
func (d dice) trade(account, other bank.ID, day bank.Date) obj {
	kind := pick(d, bank.ExchangeTrade, bank.ExchangeTrade, bank.ExchangeTrade, bank.ExchangeTrade, bank.BilateralTrade, bank.AwayTrade, bank.AllocationTrade, bank.TransferTrade)
	date := d.tradeDate(day)
	t := obj{
		"type": kind, "timestamp": d.timestamp(date), "date": int(date), "account_id": int64(account), "quantity": d.quantity(), "price": d.price(),
		"instrument": clone(pick(d, instruments...)), "side": d.side(),
	}
	if d.percent(10) {
		t["account_id"] = account.String()
	}
	capacity := pick(d, "agency", "principal", "mixed", "riskless_principal")
	switch kind {
	case bank.ExchangeTrade:
		t["capacity"], t["mic"], t["exec_mpid"] = capacity, pick(d, "XNAS", "XNYS", "ARCX"), "EXEC"
	case bank.BilateralTrade:
		t["capacity"], t["exec_mpid"], t["contra_mpid"], t["contra_clearing_num"] = capacity, "EXEC", "CONT", "0161"
	case bank.AwayTrade:
		t["capacity"], t["exec_mpid"], t["contra_mpid"] = capacity, "EXEC", "CONT"
	default:
		t["target_account_id"] = int64(other)
	}
	d.money(t)
	d.settlement(t, date)
	d.extras(t)
	return t
}

// tradeDate is mostly the day itself; else late, or ahead.
func (d dice) tradeDate(day bank.Date) bank.Date {
	switch x := d.Float64(); {
	case x < 0.70:
		return day
	case x < 0.86:
		return plusDays(day, -1-d.IntN(maxLate))
	}
	return plusDays(day, 1+d.IntN(maxAhead))
}

// How many days a trade date may be away from the business date.
const maxLate, maxAhead = 9, 5

// timestamp is in milliseconds, or in seconds as old clients send it.
func (d dice) timestamp(date bank.Date) int64 {
	seconds := timeOf(date).Unix() + 13*3600 + d.Int64N(7*3600)
	if d.percent(10) {
		return seconds
	}
	return seconds*1000 + d.Int64N(1000)
}

func (d dice) quantity() string {
	switch x := d.Float64(); {
	case x < 0.60:
		return strconv.Itoa(100 * (1 + d.IntN(10)))
	case x < 0.85:
		return strconv.Itoa(1 + d.IntN(999))
	case x < 0.93:
		return fmt.Sprintf("%d.%04d", d.IntN(100), 1+d.IntN(9999))
	case x < 0.96:
		return strconv.Itoa(30_000 + d.IntN(100_000)) // beyond TAF's cap
	}
	return fmt.Sprintf("%d.0", 1+d.IntN(500))
}

func (d dice) price() string {
	switch x := d.Float64(); {
	case x < 0.75:
		return fmt.Sprintf("%d.%02d", d.IntN(400), d.IntN(100))
	case x < 0.90:
		return fmt.Sprintf("%d.%06d", d.IntN(200), d.IntN(1_000_000))
	case x < 0.98:
		return strconv.Itoa(d.IntN(1000))
	}
	return "0"
}

func (d dice) side() obj {
	side := obj{"direction": pick(d, bank.Buy, bank.Sell)}
	if side["direction"] == bank.Sell && d.percent(15) {
		side["qualifier"] = "short"
	}
	if d.percent(20) {
		side["position"] = pick(d, "open", "close")
	}
	return side
}

// money draws what is paid besides the price.
func (d dice) money(t obj) {
	if d.percent(50) {
		fees := obj{"commission": fmt.Sprintf("%d.%02d", d.IntN(20), d.IntN(100))}
		switch x := d.Float64(); {
		case x < 0.02:
			fees["commission"] = "-0.25" // a rebate
		case x < 0.06:
			fees["omit_sec"] = true
		case x < 0.10:
			fees["omit_taf"] = true
		case x < 0.12:
			fees["omit_bill"], fees["omit_sec"], fees["omit_taf"] = true, true, true
		}
		t["fees"] = fees
	}
	if d.percent(6) {
		interest := obj{"accrued": fmt.Sprintf("%d.%02d", d.IntN(50), d.IntN(100))}
		if d.percent(50) {
			interest["yield"], interest["accrued_days"] = "2.125", d.IntN(180)
		}
		if d.percent(10) {
			interest["accrued"] = "-1.5"
		}
		t["interest"] = interest
	}
}

// settlement draws an irregular currency or date, or none yet.
func (d dice) settlement(t obj, date bank.Date) {
	settlement := obj{}
	if d.percent(6) {
		settlement["currency"] = pick(d, "USD", "EUR", "GBP", "CHF")
	}
	switch x := d.Float64(); {
	case x < 0.06:
		settlement["date"] = int(plusDays(date, d.IntN(7)))
	case x < 0.07:
		settlement["date"] = int(bank.WhenIssued)
	case x < 0.10:
		t["is_when_issued"] = true
	}
	if len(settlement) > 0 {
		t["settlement"] = settlement
	}
}

// extras draws what is kept as given, and what is ignored.
func (d dice) extras(t obj) {
	if d.percent(30) {
		t["order_id"] = fmt.Sprintf("order-%d", d.IntN(1000))
	}
	if d.percent(15) {
		t["user_data"] = pick[any](d, "note", json.RawMessage(`{"z":1.0,"a":[1e3,-0,"é \u00e9 \"x\""],"n":null}`), json.RawMessage(`12.50`), true, obj{}, []any{}, "",
			strings.Repeat("long ", 400))
	}
	if d.percent(5) {
		t["locate"] = obj{"id": "L-" + strconv.Itoa(d.IntN(100)), "source": "desk"}
	}
	for _, name := range []string{"contra_side_qualifier", "nscc_clearing", "last_market", "behalf_of_account_id", "solicited", "registered_rep", "branch_office"} {
		if d.percent(3) {
			t[name] = pick[any](d, "X", true, false, 7, obj{"k": "v"})
		}
	}
	if d.percent(3) {
		t["of_no_meaning"] = 1
	}
}

func clone(o obj) obj {
	copied := make(obj, len(o))
	for name, value := range o {
		if inner, ok := value.(obj); ok {
			value = clone(inner)
		}
		copied[name] = value
	}
	return copied
}

func timeOf(d bank.Date) time.Time {
	return time.Date(int(d/10000), time.Month(d/100%100), int(d%100), 0, 0, 0, 0, time.UTC)
}

func plusDays(d bank.Date, days int) bank.Date {
	year, month, day := timeOf(d).AddDate(0, 0, days).Date()
	return bank.Date(year*10000 + int(month)*100 + day)
}
