package sample

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	list := func(rows ...string) string { return `{"data":[` + strings.Join(rows, ",") + `]}` }
	page := func(token string, rows ...string) string {
		return `{"next_page_token":"` + token + `","data":[` + strings.Join(rows, ",") + `]}`
	}
	pos := func(symbol, quantity string) string {
		return fmt.Sprintf(`{"account_id":"1","symbol":%q,"quantity":%q}`, symbol, quantity)
	}
	row := func(id int, memo, amount string) string {
		return fmt.Sprintf(`{"journal_id":"%d","date":20131007,"trade_id":"5","symbol":"IBM","currency":"USD","memo":%q,"td_amount":%q}`, id, memo, amount)
	}
	const positions, journal, trade = "/accounts/1/positions", "/accounts/1/journal", "/trades/1"
	for name, c := range map[string]struct {
		target             string
		statusA            int
		primary, secondary string
		statusB            int
		want               []string
	}{
		"same":                  {trade, 200, `{"a":"1"}`, `{"a":"1"}`, 200, nil},
		"order of keys, spaces": {trade, 200, `{"a":"1","b":{"c":2,"d":null}}`, " {\"b\": {\"d\":null, \"c\":2},\n \"a\":\"1\"}\n", 200, nil},
		"escapes":               {trade, 200, `{"a":"<é>"}`, `{"a":"\u003c\u00e9>"}`, 200, nil},
		"ignored fields":        {trade, 200, `{"event_id":1,"at":2,"a":"1"}`, `{"event_id":5,"journal_id":"3","a":"1"}`, 200, nil},
		"but not inside":        {trade, 200, `{"user_data":{"at":2}}`, `{"user_data":{"at":3}}`, 200, []string{"value $.user_data.at 2|3"}},
		"value":                 {trade, 200, `{"price":"10","b":1}`, `{"price":"10.0","b":1}`, 200, []string{`value $.price "10"|"10.0"`}},
		"kind of value":         {trade, 200, `{"a":"1","b":null,"c":{},"d":[]}`, `{"a":1,"b":false,"c":[],"d":"x"}`, 200, []string{`value $.a "1"|1`, `value $.b null|false`, `value $.c {}|[]`, `value $.d []|"x"`}},
		"long numbers":          {trade, 200, `{"a":9007199254740993}`, `{"a":9007199254740992}`, 200, []string{"value $.a 9007199254740993|9007199254740992"}},
		"missing, extra":        {trade, 200, `{"a":"1","b":null}`, `{"a":"1","c":3}`, 200, []string{"missing_field $.b null|", "extra_field $.c |3"}},
		"nested, odd names":     {trade, 200, `{"user_data":{"a b":{"c":[1,{"d":2}]}}}`, `{"user_data":{"a b":{"c":[1,{"d":3}]}}}`, 200, []string{`value $.user_data["a b"].c[1].d 2|3`}},
		"array's order":         {trade, 200, `{"user_data":[1,"b",null]}`, `{"user_data":["b",null,1]}`, 200, []string{`order $.user_data [1,"b",null]|["b",null,1]`}},
		"array's length":        {trade, 200, `{"a":[1,2,3],"b":[1]}`, `{"a":[1],"b":[1,2]}`, 200, []string{"missing_row $.a[1] 2|", "missing_row $.a[2] 3|", "extra_row $.b[1] |2"}},
		"status":                {trade, 200, `{"a":1}`, `{"type":"trade_not_found","message":"no"}`, 404, []string{"status $ 200|404 trade_not_found"}},
		"error's text":          {trade, 404, `{"type":"trade_not_found","message":"x"}`, `{"type":"trade_not_found","message":"y"}`, 404, nil},
		"error's type":          {trade, 404, `{"type":"trade_not_found","message":"x"}`, `{"type":"not_found","message":"x"}`, 404, []string{`value $.type "trade_not_found"|"not_found"`}},
		"no JSON":               {trade, 200, `{"a":1}`, `<html>`, 200, []string{`body $ {"a":1}|<html>`}},
		"two values":            {trade, 200, `{"a":1}`, `{"a":1}{}`, 200, []string{`body $ {"a":1}|{"a":1}{}`}},
		"both no JSON":          {trade, 200, `a`, `a`, 200, nil},
		"empty":                 {trade, 200, ``, `{}`, 200, []string{"body $ |{}"}},
		"NUL and bad UTF-8":     {trade, 200, "\x00", "\xff", 200, []string{"body $ ?|?"}},

		"row's field":  {positions, 200, list(pos("A", "1"), pos("B", "2")), list(pos("A", "1"), pos("B", "3")), 200, []string{`value $.data[symbol=B].quantity "2"|"3"`}},
		"missing row":  {positions, 200, list(pos("A", "1"), pos("B", "2"), pos("C", "3")), list(pos("A", "1"), pos("C", "3")), 200, []string{"missing_row $.data[symbol=B] " + sorted(pos("B", "2")) + "|"}},
		"extra row":    {positions, 200, list(pos("A", "1")), list(pos("A", "1"), pos("B", "2")), 200, []string{"extra_row $.data[symbol=B] |" + sorted(pos("B", "2"))}},
		"row's order":  {positions, 200, list(pos("A", "1"), pos("B", "2")), list(pos("B", "2"), pos("A", "1")), 200, []string{`order $.data "\"A\" 1; \"B\" 1"|"\"B\" 1; \"A\" 1"`}},
		"odd symbol":   {positions, 200, list(pos(`A]["`, "1")), list(pos(`A]["`, "2")), 200, []string{`value $.data[symbol=A???].quantity "1"|"2"`}},
		"list's field": {positions, 200, `{"data":[],"total":1}`, `{"data":[]}`, 200, []string{"missing_field $.total 1|"}},
		"null data":    {positions, 200, `{"data":[]}`, `{"data":null}`, 200, []string{"value $.data []|null"}},
		"odd rows":     {positions, 200, `{"data":[1]}`, `{"data":[2]}`, 200, []string{"value $.data[0] 1|2"}},

		"tokens' text":          {positions, 200, page("x", pos("A", "1")), page("y", pos("A", "1")), 200, nil},
		"no next page":          {positions, 200, page("x", pos("A", "1")), list(pos("A", "1")), 200, []string{`missing_field $.next_page_token "x"|`}},
		"one more page":         {positions, 200, list(pos("A", "1")), page("y", pos("A", "1")), 200, []string{`extra_field $.next_page_token |"y"`}},
		"moved in from behind":  {positions, 200, page("x", pos("A", "1"), pos("B", "1"), pos("C", "1")), page("y", pos("A", "1"), pos("C", "1"), pos("D", "1")), 200, []string{"missing_row $.data[symbol=B] " + sorted(pos("B", "1")) + "|"}},
		"moved out":             {positions, 200, page("x", pos("A", "1"), pos("C", "1"), pos("D", "1")), page("y", pos("A", "1"), pos("B", "1"), pos("C", "1")), 200, []string{"extra_row $.data[symbol=B] |" + sorted(pos("B", "1"))}},
		"last rows differ":      {positions, 200, page("x", pos("A", "1"), pos("C", "1")), page("y", pos("A", "1"), pos("D", "1")), 200, []string{"missing_row $.data[symbol=C] " + sorted(pos("C", "1")) + "|", "extra_row $.data[symbol=D] |" + sorted(pos("D", "1"))}},
		"no page behind":        {positions, 200, list(pos("A", "1"), pos("B", "1"), pos("C", "1")), list(pos("A", "1"), pos("C", "1"), pos("D", "1")), 200, []string{"missing_row $.data[symbol=B] " + sorted(pos("B", "1")) + "|", "extra_row $.data[symbol=D] |" + sorted(pos("D", "1"))}},
		"journal's ids":         {journal, 200, list(row(1, "open", "5"), row(2, "settle", "5")), list(row(11, "open", "5"), row(15, "settle", "5")), 200, nil},
		"journal's field":       {journal, 200, list(row(1, "open", "5"), row(2, "settle", "5")), list(row(1, "open", "5"), row(2, "settle", "6")), 200, []string{`value $.data[1].td_amount "5"|"6"`}},
		"rows that look alike":  {journal, 200, list(row(1, "open", "5"), row(2, "open", "6")), list(row(1, "open", "5"), row(2, "open", "6"), row(3, "open", "7")), 200, []string{"extra_row $.data[2] |" + sorted(row(3, "open", "7"))}},
		"journal's next page":   {journal, 200, page("x", row(1, "open", "5")), page("y", row(4, "open", "5")), 200, nil},
		"other list, same rows": {"/accounts/1/balances", 200, list(`{"currency":"USD","trade_cash":"1"}`), list(`{"currency":"USD","trade_cash":"2"}`), 200, []string{`value $.data[currency=USD].trade_cash "1"|"2"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := find(newRoutes(), c.target)
			var got []string
			for _, d := range compare(on, newAnswer(c.statusA, []byte(c.primary)), newAnswer(c.statusB, []byte(c.secondary))) {
				got = append(got, fmt.Sprintf("%s %s %s|%s", d.kind, d.at, d.primary, d.secondary))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
		})
	}
}

// sorted gives JSON with its fields in order.
func sorted(text string) string { return spell(newAnswer(200, []byte(text)).value) }

func TestDifferencesAreBounded(t *testing.T) {
	t.Parallel()
	var a, b []string
	for i := range 1000 {
		a = append(a, fmt.Sprintf(`{"trade_id":"%d","memo":%q}`, i, strings.Repeat("é", 3000)))
		b = append(b, fmt.Sprintf(`{"trade_id":"%d","memo":%q}`, i, strings.Repeat("x", 3000)))
	}
	body := func(rows []string) []byte { return []byte(`{"data":[` + strings.Join(rows, ",") + `]}`) }
	found := compare(find(newRoutes(), "/accounts/1/trades"), newAnswer(200, body(a)), newAnswer(200, body(b)))
	if len(found) != maxDifferences {
		t.Errorf("%d differences", len(found))
	}
	for _, d := range found {
		if len(d.primary) > maxValue+4 || len(d.secondary) > maxValue+4 {
			t.Fatalf("values of %d and %d bytes", len(d.primary), len(d.secondary))
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/trades": "/trades", "/trades/5": "/trades/{trade_id}", "/accounts/1/positions/BRK%2FA": "/accounts/{account_id}/positions/{symbol}",
		"/business-date": "/business-date", "/accounts/1/journal": "/accounts/{account_id}/journal",
		"": "", "/": "", "trades": "", "/trades/": "", "/uploads/abc": "", "/replay": "", "/accounts//trades": "", "/accounts/1/trades/2/3": "",
	} {
		got := ""
		if on := find(newRoutes(), path); on != nil {
			got = on.path
		}
		if got != want {
			t.Errorf("%q is %q instead of %q", path, got, want)
		}
	}
}

// Whatever is compared: an answer is equal to itself, and what one has more than the other the other has less.
func FuzzCompare(f *testing.F) {
	f.Add("/accounts/1/positions", `{"data":[{"symbol":"A"},{"symbol":"B"}],"next_page_token":"x"}`, `{"data":[{"symbol":"B"},{"symbol":"A"},{}]}`)
	f.Add("/trades/1", `{"a":[1,{"b":null}],"at":1}`, `{"a":{},"b":"\u0000"}`)
	f.Add("/accounts/1/journal", `{"data":[{"memo":"a"},{"memo":"a"}]}`, `{"data":[5]}`)
	f.Add("/trades/1", `<`, `"<"`)
	routes := newRoutes()
	f.Fuzz(func(t *testing.T, target, a, b string) {
		on := find(routes, target)
		if on == nil {
			return
		}
		one, other := func() *answer { return newAnswer(200, []byte(a)) }, func() *answer { return newAnswer(200, []byte(b)) }
		if found := compare(on, one(), one()); len(found) > 0 {
			t.Errorf("%q differs from itself: %v", a, found)
		}
		there, back := compare(on, one(), other()), compare(on, other(), one())
		if len(there) != len(back) {
			t.Errorf("%d differences there, %d back", len(there), len(back))
		}
		for _, d := range there {
			if strings.Contains(d.primary+d.secondary+d.at.String(), "\x00") {
				t.Errorf("%v can't be stored", d)
			}
		}
	})
}
