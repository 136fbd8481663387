package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// entity owns every account of the suite.
const entity = 77

// patience is how long a condition may take to come about.
const patience = time.Minute

// client is how one case talks to its system. Its calls never end the test themselves, so that they may run on any goroutine: what
// an answer has to be is asked of the answer.
type client struct {
	*testing.T
	sys *system
}

// answer is what came back, or err.
type answer struct {
	t      *testing.T
	call   string
	code   int
	proto  string
	header http.Header
	body   []byte
	err    error
}

func (c *client) get(path string, args ...any) answer {
	return c.send(http.MethodGet, c.sys.API+fmt.Sprintf(path, args...), nil)
}

func (c *client) delete(path string, args ...any) answer {
	return c.send(http.MethodDelete, c.sys.API+fmt.Sprintf(path, args...), nil)
}

func (c *client) post(path string, body any) answer {
	return c.send(http.MethodPost, c.sys.API+path, body)
}

// operate posts to the operations listener.
func (c *client) operate(path string, body any) answer {
	return c.send(http.MethodPost, c.sys.Operations+path, body)
}

// send makes a request; a string is sent as it is, anything else as JSON.
func (c *client) send(method, url string, body any) answer {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return answer{t: c.T, call: method + " " + url, err: err}
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(c.Context(), method, url, reader)
	if err != nil {
		return answer{t: c.T, call: method + " " + url, err: err}
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.sys.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.sys.key)
	}
	return c.do(c.sys.http, request)
}

func (c *client) do(through *http.Client, request *http.Request) answer {
	a := answer{t: c.T, call: request.Method + " " + request.URL.RequestURI()}
	response, err := through.Do(request)
	if err != nil {
		a.err = err
		return a
	}
	defer response.Body.Close()
	a.code, a.proto, a.header = response.StatusCode, response.Proto, response.Header
	a.body, a.err = io.ReadAll(response.Body)
	return a
}

// number gives a number that the system has not seen yet.
func (c *client) number() int64 { return c.sys.ids.Add(1) }

// name gives a name that the system has not seen yet.
func (c *client) name() string { return "id-" + strconv.FormatInt(c.number(), 10) }

// account opens an account.
func (c *client) account() int64 {
	c.Helper()
	id := c.number()
	c.operate("/accounts", obj{"account_id": id, "entity_id": entity, "name": "Account"}).status(http.StatusCreated)
	return id
}

// two opens two accounts.
func (c *client) two() (int64, int64) {
	c.Helper()
	return c.account(), c.account()
}

// book books trades in one call and gives their trade ids.
func (c *client) book(trades ...obj) []string {
	c.Helper()
	rows := c.post("/trades", trades).list(http.StatusAccepted)
	if len(rows) != len(trades) {
		c.Fatalf("%d trades were answered with %d rows", len(trades), len(rows))
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i], _ = row["trade_id"].(string)
		if _, err := strconv.ParseUint(ids[i], 10, 63); err != nil || row["client_trade_id"] != trades[i]["client_trade_id"] || len(row) != 2 {
			c.Fatalf("trade %v was answered with %v", trades[i]["client_trade_id"], row)
		}
	}
	return ids
}

// one books a trade and gives its id.
func (c *client) one(trade obj) string {
	c.Helper()
	return c.book(trade)[0]
}

// find gives a trade by its client's id.
func (c *client) find(account int64, clientID any) answer {
	return c.get("/trades?account_id=%d&client_trade_id=%s", account, url.QueryEscape(fmt.Sprint(clientID)))
}

// unbooked makes sure that none of the trades has been booked.
func (c *client) unbooked(trades ...obj) {
	c.Helper()
	for _, t := range trades {
		c.find(number(t["account_id"]), t["client_trade_id"]).fails(http.StatusNotFound, "trade_not_found")
	}
}

// roll sets the business date.
func (c *client) roll(date int) {
	c.Helper()
	c.operate("/business-date", obj{"date": date}).is(http.StatusAccepted, `{"date": %d}`, date)
}

// walk follows a list from its first page to its last; between is called after each page.
func (c *client) walk(path string, size int, between func(page int)) []obj {
	c.Helper()
	var rows []obj
	token := ""
	for page := 1; ; page++ {
		if page > 10_000 {
			c.Fatalf("%s does not end", path)
		}
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		address := path + join + "page_size=" + strconv.Itoa(size)
		if token != "" {
			address += "&page_token=" + url.QueryEscape(token)
		}
		data, next := c.send(http.MethodGet, c.sys.API+address, nil).page()
		if len(data) > size {
			c.Fatalf("%s: a page of %d rows", address, len(data))
		}
		rows = append(rows, data...)
		if between != nil {
			between(page)
		}
		if next == "" {
			return rows
		}
		if len(data) == 0 || next == token {
			c.Fatalf("%s: no progress: %d rows, token %q", address, len(data), next)
		}
		token = next
	}
}

// together makes n calls at the same time.
func (c *client) together(n int, call func(i int) answer) []answer {
	answers := make([]answer, n)
	var running sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		running.Go(func() {
			<-begin
			answers[i] = call(i)
		})
	}
	close(begin)
	running.Wait()
	return answers
}

// until asks again and again until done, or patience ends.
func (c *client) until(what string, done func() bool) {
	c.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("not in %s: %s", patience, what)
		}
	}
}

// encode gives a value's JSON.
func encode(c *client, v any) string {
	c.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}
