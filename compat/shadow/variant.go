package shadow

import (
	"strconv"
	"strings"
)

// variant writes a trade in another way that means the same: decimals with zeros, old names, defaults filled in, seconds.
func (d dice) variant(trade obj) obj {
	t := clone(trade)
	for _, name := range []string{"quantity", "price"} {
		if d.percent(60) {
			t[name] = padded(t[name].(string))
		}
	}
	if at, ok := t["timestamp"].(int64); ok {
		switch {
		case at < secondsBelow:
			t["timestamp"] = at * 1000
		case at%1000 == 0:
			t["timestamp"] = at / 1000
		}
	}
	switch id := t["account_id"].(type) {
	case int64:
		t["account_id"] = strconv.FormatInt(id, 10)
	case string:
		t["account_id"] = "0" + id
	}
	if number, ok := t["contra_clearing_num"]; ok {
		delete(t, "contra_clearing_num")
		t["contra_dtc_num"] = number
	}
	if interest, ok := t["interest"].(obj); ok {
		t["fixed_income"] = obj{"accrued_interest": interest["accrued"]}
		delete(interest, "accrued")
	}
	fees, ok := t["fees"].(obj)
	if !ok {
		t["fees"] = obj{"commission": "0.00", "omit_bill": false}
	} else if _, given := fees["omit_sec"]; !given {
		fees["omit_sec"] = false
	}
	settlement, ok := t["settlement"].(obj)
	if !ok {
		settlement = obj{}
		t["settlement"] = settlement
	}
	if _, given := settlement["currency"]; !given {
		settlement["currency"] = "USD"
		if currency, ok := t["instrument"].(obj)["currency"]; ok {
			settlement["currency"] = currency
		}
	}
	if _, given := t["is_when_issued"]; !given {
		t["is_when_issued"] = pick[any](d, false, nil)
	}
	if _, given := t["order_id"]; !given {
		t["order_id"] = nil
	}
	t["also_of_no_meaning"] = []any{1, 2}
	return t
}

// secondsBelow parts timestamps in seconds from those in milliseconds.
const secondsBelow = 100_000_000_000

// padded writes a decimal with a zero before it, and one behind its point.
func padded(decimal string) string {
	if !strings.Contains(decimal, ".") {
		decimal += "."
	}
	return "0" + decimal + "0"
}

// other writes a trade that is another one: the same ids, other content.
func (d dice) other(trade obj) obj {
	t := clone(trade)
	switch d.IntN(4) {
	case 0:
		t["quantity"] = "1" + t["quantity"].(string)
	case 1:
		t["price"] = "1" + t["price"].(string)
	case 2:
		t["user_data"] = obj{"another": d.IntN(1000), "time": true}
	default:
		t["last_market"] = "another-" + strconv.Itoa(d.IntN(1000))
	}
	return t
}
