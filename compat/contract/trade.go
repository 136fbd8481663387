package contract

import (
	"fmt"
	"strings"
)

// The types of trade.
const (
	exchange   = "exchange_trade"
	bilateral  = "bilateral_trade"
	away       = "away_trade"
	allocation = "allocation_trade"
	transfer   = "transfer_trade"
)

// gone as the value of an edit takes the field away.
type gone struct{}

// trade gives a trade with all that its type needs: a buy of 100 AAPL at 167.41 on monday. Edits are pairs of a path and a value.
func (c *client) trade(kind string, account int64, edits ...any) obj {
	t := obj{
		"type": kind, "timestamp": 1381132800464, "client_trade_id": c.name(), "date": monday, "account_id": account, "quantity": "100", "price": "167.41",
		"instrument": obj{"identifier": "AAPL", "identifier_type": "ticker", "country": "US", "currency": "USD"},
		"side":       obj{"direction": "buy"},
	}
	switch kind {
	case exchange:
		t["capacity"], t["mic"], t["exec_mpid"] = "agency", "XNAS", "EXEC"
	case bilateral:
		t["capacity"], t["exec_mpid"], t["contra_mpid"], t["contra_clearing_num"] = "principal", "EXEC", "CONT", "0161"
	case away:
		t["capacity"], t["exec_mpid"], t["contra_mpid"] = "mixed", "EXEC", "CONT"
	}
	return edit(t, edits...)
}

// buy and sell give an exchange trade of that many AAPL at a price.
func (c *client) buy(account int64, quantity, price string, edits ...any) obj {
	return c.trade(exchange, account, append([]any{"quantity", quantity, "price", price}, edits...)...)
}

func (c *client) sell(account int64, quantity, price string, edits ...any) obj {
	return c.buy(account, quantity, price, append([]any{"side.direction", "sell"}, edits...)...)
}

// edit changes a trade in place and gives it back.
func edit(t obj, edits ...any) obj {
	for i := 0; i < len(edits); i += 2 {
		at, steps := t, strings.Split(edits[i].(string), ".")
		for _, step := range steps[:len(steps)-1] {
			inner, ok := at[step].(obj)
			if !ok {
				inner = obj{}
				at[step] = inner
			}
			at = inner
		}
		last := steps[len(steps)-1]
		if _, remove := edits[i+1].(gone); remove {
			delete(at, last)
		} else {
			at[last] = edits[i+1]
		}
	}
	return t
}

// changed gives a copy with edits.
func changed(t obj, edits ...any) obj { return edit(clone(t), edits...) }

func clone(t obj) obj {
	copied := make(obj, len(t))
	for name, value := range t {
		if inner, ok := value.(obj); ok {
			value = clone(inner)
		}
		copied[name] = value
	}
	return copied
}

// many gives n trades of an account, each with its own client id; edits as of [client.trade], plus what each gets.
func (c *client) many(n int, account int64, each func(i int) []any) []obj {
	trades := make([]obj, n)
	for i := range trades {
		trades[i] = c.trade(exchange, account)
		if each != nil {
			edit(trades[i], each(i)...)
		}
	}
	return trades
}

// text gives n times a letter.
func text(n int, letter string) string { return strings.Repeat(letter, n) }

// say joins what makes up a row, for comparison; "-" for what is empty.
func say(parts ...any) string {
	words := make([]string, len(parts))
	for i, p := range parts {
		if words[i] = fmt.Sprint(p); words[i] == "" {
			words[i] = "-"
		}
	}
	return strings.Join(words, " ")
}
