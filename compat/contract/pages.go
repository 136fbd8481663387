package contract

import (
	"fmt"
	"net/url"
	"slices"
	"sync"
)

// pageCases: page_size, page_token, order, and walks beside writes.
func pageCases() []testCase {
	var cases []testCase
	// Each list with a way to fill it with n rows, and the field that names a row.
	for _, l := range []struct {
		name, field string
		fill        func(c *client, n int) (path string)
	}{
		{"account's trades", "trade_id", func(c *client, n int) string {
			account := c.account()
			c.book(c.many(n, account, nil)...)
			return fmt.Sprintf("/accounts/%d/trades?date=%d", account, monday)
		}},
		{"journal", "journal_id", func(c *client, n int) string {
			account := c.account()
			c.book(c.many(n, account, nil)...)
			return fmt.Sprintf("/accounts/%d/journal", account)
		}},
		{"positions", "symbol", func(c *client, n int) string {
			account := c.account()
			c.book(c.many(n, account, func(i int) []any { return []any{"instrument.identifier", fmt.Sprintf("S%05d", i)} })...)
			return fmt.Sprintf("/accounts/%d/positions?view=full", account)
		}},
	} {
		cases = append(cases, testCase{"pages of " + l.name + ": 100 rows if no size is given", func(c *client) {
			path := l.fill(c, 101)
			rows, token := c.get("%s", path).page()
			if len(rows) != 100 || token == "" {
				c.Fatalf("%d rows, token %q", len(rows), token)
			}
			last, token := c.get("%s", query(path, "page_token", token)).page()
			if len(last) != 1 || token != "" || slices.ContainsFunc(rows, func(r obj) bool { return r[l.field] == last[0][l.field] }) {
				c.Fatalf("%v, token %q", last, token)
			}
		}}, testCase{"pages of " + l.name + ": sizes", func(c *client) {
			path := l.fill(c, 12)
			all := c.walk(path, 1000, nil)
			if len(all) != 12 {
				c.Fatalf("%d rows", len(all))
			}
			for _, size := range []int{1, 5, 11, 12, 13} {
				pages := 0
				rows := c.walk(path, size, func(int) { pages++ })
				if want := (12 + size - 1) / size; pages != want {
					c.Errorf("size %d: %d pages, not %d", size, pages, want)
				}
				if d := differ(plain(rows), plain(all), false, "rows"); d != "" {
					c.Errorf("size %d: %s", size, d)
				}
			}
		}}, testCase{"pages of " + l.name + ": sizes that are none", func(c *client) {
			path := l.fill(c, 1)
			for _, size := range []string{"0", "1001", "-1", "x", "1.5", "99999999999999999999"} {
				c.get("%s", query(path, "page_size", size)).fails(400, "malformed_request")
			}
		}}, testCase{"pages of " + l.name + ": tokens that are none", func(c *client) {
			path := l.fill(c, 1)
			for _, token := range []string{"!", "abc", "____", text(2000, "x")} {
				c.get("%s", query(path, "page_token", token)).fails(400, "malformed_request")
			}
		}})
	}
	return append(cases,
		testCase{"pages of accounts and entities: sizes that are none", func(c *client) {
			for _, list := range []string{"/accounts", "/entities"} {
				for _, size := range []string{"0", "1001", "-1", "x"} {
					c.get("%s", query(list, "page_size", size)).fails(400, "malformed_request")
				}
				c.get("%s", query(list, "page_token", "!")).fails(400, "malformed_request")
			}
		}},
		testCase{"pages of accounts: by id as a number, 100 if no size is given", func(c *client) {
			mine := []int64{9, 10, 80, 99, 1000, 9999, 1099511627775}
			for _, id := range mine {
				c.operate("/accounts", obj{"account_id": id, "entity_id": entity, "name": "n"}).status(201)
			}
			for _, a := range c.together(100, func(i int) answer {
				return c.operate("/accounts", obj{"account_id": 20_000 + i, "entity_id": entity, "name": "n"})
			}) {
				a.status(201)
			}
			rows, token := c.get("/accounts").page()
			if len(rows) != 100 || token == "" || !ascending(rows, "account_id") {
				c.Fatalf("%d rows, token %q: %v", len(rows), token, rows)
			}
			all := c.walk("/accounts", 13, nil)
			if !ascending(all, "account_id") {
				c.Fatalf("not by id: %v", all)
			}
			c.within(all, "account_id", mine...)
		}},
		testCase{"pages of entities: by id as a number, 100 if no size is given", func(c *client) {
			mine := []int64{3, 9, 10, 100, 1099511627775}
			for _, id := range mine {
				c.operate("/entities", obj{"entity_id": id, "client_code": "E", "legal_name": "n"}).status(201)
			}
			for _, a := range c.together(100, func(i int) answer {
				return c.operate("/entities", obj{"entity_id": 20_000 + i, "client_code": "E", "legal_name": "n"})
			}) {
				a.status(201)
			}
			rows, token := c.get("/entities").page()
			if len(rows) != 100 || token == "" {
				c.Fatalf("%d rows, token %q", len(rows), token)
			}
			all := c.walk("/entities", 13, nil)
			if !ascending(all, "entity_id") {
				c.Fatalf("not by id: %v", all)
			}
			c.within(all, "entity_id", mine...)
		}},
		testCase{"pages: trades by id as a number", func(c *client) {
			account := c.account()
			for range 6 {
				c.book(c.many(20, account, nil)...)
			}
			if rows := c.walk(fmt.Sprintf("/accounts/%d/trades?date=%d", account, monday), 7, nil); len(rows) != 120 || !ascending(rows, "trade_id") {
				c.Fatalf("%d rows, not by id: %v", len(rows), rows)
			}
		}},
		testCase{"pages: a walk of trades beside bookings and cancels", func(c *client) {
			account := c.account()
			ids := c.book(c.many(60, account, nil)...)
			rows := c.beside(fmt.Sprintf("/accounts/%d/trades?date=%d", account, monday), 7, func(i int) answer {
				if i < 10 {
					return c.delete("/trades/%s", ids[6*i])
				}
				return c.post("/trades", []obj{c.trade(exchange, account)})
			})
			seen := count(rows, "trade_id")
			for i, id := range ids {
				if n := seen[id]; n > 1 || n == 0 && (i%6 != 0) {
					c.Errorf("trade %d (%s) was seen %d times", i, id, n)
				}
			}
			if !ascending(rows, "trade_id") {
				c.Error("not by id")
			}
		}},
		testCase{"pages: a walk of the journal beside bookings", func(c *client) {
			account := c.account()
			c.book(c.many(60, account, nil)...)
			before := c.walk(fmt.Sprintf("/accounts/%d/journal", account), 1000, nil)
			rows := c.beside(fmt.Sprintf("/accounts/%d/journal", account), 7, func(i int) answer {
				if i%3 == 0 {
					return c.operate("/cash", obj{"client_id": c.name(), "account_id": account, "currency": "USD", "amount": "1", "kind": "deposit"})
				}
				return c.post("/trades", c.many(2, account, nil))
			})
			c.once(before, rows, "journal_id")
		}},
		testCase{"pages: a walk of positions beside bookings in new symbols", func(c *client) {
			account := c.account()
			named := func(s string, n int) obj {
				return c.trade(exchange, account, "instrument.identifier", fmt.Sprintf("%s%03d", s, n))
			}
			for i := range 40 {
				c.one(named("M", 2*i))
			}
			before := c.walk(fmt.Sprintf("/accounts/%d/positions", account), 1000, nil)
			rows := c.beside(fmt.Sprintf("/accounts/%d/positions", account), 5, func(i int) answer {
				return c.post("/trades", []obj{named([]string{"A", "M", "Z"}[i%3], 2*i+1), named("M", 2*(i%40))})
			})
			c.once(before, rows, "symbol")
		}},
		testCase{"pages: a walk of positions whose rows vanish and come back", func(c *client) {
			account := c.account()
			named := func(n int, direction string) obj {
				return c.trade(exchange, account, "instrument.identifier", fmt.Sprintf("S%03d", n), "side.direction", direction)
			}
			for i := range 20 {
				c.one(named(i, "buy"))
			}
			rows := c.walk(fmt.Sprintf("/accounts/%d/positions", account), 5, func(page int) {
				switch page { // sold out: the first and the last row that were seen, and the first that was not
				case 1:
					c.book(named(0, "sell"), named(4, "sell"), named(5, "sell"))
				case 2:
					c.book(named(10, "sell"), named(0, "buy"), named(4, "buy"))
				}
			})
			seen := count(rows, "symbol")
			for i := range 20 {
				n := seen[fmt.Sprintf("S%03d", i)]
				if n > 1 || n == 0 && i != 5 && i != 10 {
					c.Errorf("S%03d was seen %d times", i, n)
				}
			}
		}},
		testCase{"pages: a walk of trades of which the last seen are cancelled", func(c *client) {
			account := c.account()
			ids := c.book(c.many(20, account, nil)...)
			cancel := func(i int) { c.delete("/trades/%s", ids[i]).status(202) }
			rows := c.walk(fmt.Sprintf("/accounts/%d/trades?date=%d&state=open", account, monday), 4, func(page int) {
				switch page {
				case 1:
					cancel(0)
					cancel(3)
					cancel(4)
				case 2:
					for i := 5; i < 9; i++ {
						cancel(i)
					}
				}
			})
			seen := count(rows, "trade_id")
			for i, id := range ids {
				if n := seen[id]; n > 1 || n == 0 && (i < 4 || i > 8) {
					c.Errorf("trade %d was seen %d times", i, n)
				}
			}
		}},
		testCase{"pages: a walk of entities beside new ones", func(c *client) {
			for range 20 {
				c.operate("/entities", obj{"entity_id": c.number(), "client_code": "E", "legal_name": "n"}).status(201)
			}
			before := c.walk("/entities", 1000, nil)
			rows := c.beside("/entities", 9, func(i int) answer {
				return c.operate("/entities", obj{"entity_id": 40_000 + i, "client_code": "E", "legal_name": "n"})
			})
			c.once(before, rows, "entity_id")
		}},
		testCase{"pages: a walk of accounts beside new ones", func(c *client) {
			for range 20 {
				c.account()
			}
			before := c.walk("/accounts", 1000, nil)
			rows := c.beside("/accounts", 9, func(i int) answer {
				return c.operate("/accounts", obj{"account_id": 40_000 + i, "entity_id": entity, "name": "n"})
			})
			c.once(before, rows, "account_id")
		}},
	)
}

// beside walks a list while writes go on, some of them called for after each page.
func (c *client) beside(path string, size int, write func(i int) answer) []obj {
	c.Helper()
	const most = 60
	turn := make(chan struct{}, most)
	var writes []answer
	var writer sync.WaitGroup
	writer.Go(func() {
		for range turn {
			if len(writes) < most {
				writes = append(writes, write(len(writes)))
			}
		}
	})
	defer writer.Wait()
	rows := func() []obj {
		defer close(turn)
		return c.walk(path, size, func(int) {
			for range 4 {
				select {
				case turn <- struct{}{}:
				default:
				}
			}
		})
	}()
	writer.Wait()
	if len(writes) == 0 {
		c.Fatal("nothing was written beside the walk")
	}
	for _, a := range writes {
		if a.err != nil || a.code/100 != 2 {
			c.Fatalf("%s: %d %v %s", a.call, a.code, a.err, a.short())
		}
	}
	return rows
}

// once makes sure that every row of before is in rows exactly once, and no row twice.
func (c *client) once(before, rows []obj, field string) {
	c.Helper()
	seen := count(rows, field)
	for _, r := range before {
		if seen[r[field]] != 1 {
			c.Errorf("%s %v was seen %d times", field, r[field], seen[r[field]])
		}
	}
	for name, n := range seen {
		if n > 1 {
			c.Errorf("%s %v was seen %d times", field, name, n)
		}
	}
}

// within makes sure that each id is in rows exactly once.
func (c *client) within(rows []obj, field string, ids ...int64) {
	c.Helper()
	seen := count(rows, field)
	for _, id := range ids {
		if seen[say(id)] != 1 {
			c.Errorf("%s %d is listed %d times", field, id, seen[say(id)])
		}
	}
}

func count(rows []obj, field string) map[any]int {
	seen := make(map[any]int, len(rows))
	for _, r := range rows {
		seen[r[field]]++
	}
	return seen
}

func plain(rows []obj) []any {
	items := make([]any, len(rows))
	for i, r := range rows {
		items[i] = r
	}
	return items
}

// query adds a parameter to a path.
func query(path, name, value string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}
