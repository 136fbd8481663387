package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/contract"
)

const (
	firstAccount = 100018
	accounts     = 5 // all of them hot
	entity       = 7
	today        = bank.Date(20131007)
	settled      = bank.Date(20131011) // all trades of today are, once the business date is here
	clients      = 6
)

// What a client gets beside answers.
const (
	noAnswer = "no answer"
	notSent  = "not sent" // nobody listens
)

// sent is a trade that was acknowledged.
type sent struct {
	account  bank.ID
	name     string
	id       bank.ID
	canceled bool
}

// load is clients at work: each books, cancels, replaces, moves cash and reads on the same few accounts, and makes a call again for as long as it does not
// know its outcome, as the contract wants it. It knows what was acknowledged and how it was answered.
type load struct {
	t      *testing.T
	http   *http.Client
	pause  time.Duration // between two calls of a client
	end    chan struct{}
	closed sync.Once
	group  sync.WaitGroup

	mu      sync.Mutex
	targets []contract.Target
	phase   string
	phases  []string
	answers map[string]map[string]int // by phase
	longest map[string]time.Duration  // by phase: from a client's first try until it knew the outcome
	known   int                       // writes whose outcome is known
	trades  map[bank.ID]*sent
	cash    int
}

func startLoad(t *testing.T, pause time.Duration, targets ...contract.Target) *load {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * clients}
	l := &load{
		t: t, http: &http.Client{Transport: transport, Timeout: patience}, pause: pause, end: make(chan struct{}), targets: targets,
		answers: map[string]map[string]int{}, longest: map[string]time.Duration{}, trades: map[bank.ID]*sent{},
	}
	l.enter("before")
	if _, ok := l.ask(0, true, "POST", "/entities", map[string]any{"entity_id": entity, "client_code": "F", "legal_name": "Fault"}); !ok {
		t.FailNow()
	}
	for i := range accounts {
		l.ask(0, true, "POST", "/accounts", map[string]any{"account_id": firstAccount + i, "entity_id": fmt.Sprint(entity), "name": "A"})
	}
	l.ask(0, true, "POST", "/business-date", map[string]any{"date": today})
	if t.Failed() {
		t.FailNow()
	}
	for n := range clients {
		l.group.Go(func() { (&client{load: l, number: n, dice: rand.New(rand.NewPCG(1, uint64(n)))}).work() })
	}
	t.Cleanup(func() {
		l.stop()
		transport.CloseIdleConnections()
	})
	return l
}

// stop lets every client finish what it is at.
func (l *load) stop() {
	l.closed.Do(func() { close(l.end) })
	l.group.Wait()
}

// enter begins a phase: answers are counted by it.
func (l *load) enter(phase string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = phase
	l.phases = append(l.phases, phase)
	l.answers[phase] = map[string]int{}
}

// more waits until the outcome of some more writes is known.
func (l *load) more(n int) {
	l.t.Helper()
	l.mu.Lock()
	until := l.known + n**times
	l.mu.Unlock()
	eventually(l.t, fmt.Sprintf("%d more writes in %q", n**times, l.phase), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.known >= until || l.t.Failed()
	})
}

// all makes sure that no client had other answers in any phase than those that succeed.
func (l *load) all() {
	l.t.Helper()
	for _, phase := range l.phases {
		l.saw(phase)
	}
}

// saw makes sure that no client had other answers in a phase than these, reads and writes that succeed aside.
func (l *load) saw(phase string, allowed ...string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for token, n := range l.answers[phase] {
		if !strings.HasPrefix(token, "20") && !slices.Contains(allowed, token) {
			l.t.Errorf("%s: %d clients saw %q", phase, n, token)
		}
	}
}

// count says how often something was answered in a phase.
func (l *load) count(phase, token string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers[phase][token]
}

// report tells what clients saw.
func (l *load) report() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, phase := range l.phases {
		var all []string
		for _, token := range slices.Sorted(maps.Keys(l.answers[phase])) {
			all = append(all, fmt.Sprintf("%s: %d", token, l.answers[phase][token]))
		}
		l.t.Logf("%-28s %s; longest %s", phase, strings.Join(all, ", "), l.longest[phase].Round(time.Millisecond))
	}
}

// turn gives the address for a try.
func (l *load) turn(n int, operations bool) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.targets[n%len(l.targets)]
	if operations {
		return at.Operations
	}
	return at.API
}

// ask makes a call until its outcome is known. ok: it was done. n says which target is asked first.
func (l *load) ask(n int, operations bool, method, path string, body any) (answer []byte, ok bool) {
	text, err := json.Marshal(body)
	if err != nil {
		l.t.Error(err)
		return nil, false
	}
	if body == nil {
		text = nil
	}
	began, again := time.Now(), false
	for {
		token, answer := l.once(method, l.turn(n, operations)+path, text)
		if again && token == "409 trade_already_canceled" {
			token = "202 by an earlier try"
		}
		l.mu.Lock()
		phase := l.phase
		l.answers[phase][token]++
		took := time.Since(began)
		l.longest[phase] = max(l.longest[phase], took)
		l.mu.Unlock()
		switch {
		case strings.HasPrefix(token, "20"):
			if method != http.MethodGet {
				l.mu.Lock()
				l.known++
				l.mu.Unlock()
			}
			return answer, true
		case token != noAnswer && token != notSent && !strings.HasPrefix(token, "50"):
			l.t.Errorf("%s: %s %s %s: %s %s", phase, method, path, text, token, answer)
			return nil, false
		case took > patience:
			l.t.Errorf("%s: %s %s %s: no outcome after %s: %s %s", phase, method, path, text, took, token, answer)
			return nil, false
		}
		again = true
		n++
		time.Sleep(30 * time.Millisecond) // as a client does that was refused
	}
}

// once makes a call once.
func (l *load) once(method, url string, body []byte) (token string, answer []byte) {
	r, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
	if err != nil {
		return err.Error(), nil
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := l.http.Do(r)
	if err != nil {
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
			return notSent, nil
		}
		return noAnswer, nil
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		return noAnswer, nil
	}
	token = fmt.Sprint(response.StatusCode)
	var fault bank.Error
	if response.StatusCode >= http.StatusBadRequest && json.Unmarshal(answer, &fault) == nil {
		token += " " + string(fault.Type)
	}
	return token, answer
}

// direct defines something behind the façade's back, or by it.
func (l *load) direct(operations, path string, body any) {
	l.t.Helper()
	if token, answer := l.once("POST", operations+path, encode(body)); token != "201" && token != "200" {
		l.t.Fatalf("POST %s: %s %s", path, token, answer)
	}
}

// encode gives the JSON of what can't fail.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// elsewhere books past the façade: nothing that a client of it was acknowledged.
func (l *load) elsewhere(url string, body any) {
	l.t.Helper()
	if token, answer := l.once("POST", url, encode(body)); token != "202" {
		l.t.Fatalf("POST %s: %s %s", url, token, answer)
	}
}

// trade is the JSON of a trade.
func trade(account bank.ID, name string) map[string]any {
	return map[string]any{
		"type": "exchange_trade", "timestamp": 1381132800464, "client_trade_id": name, "date": today, "account_id": account, "quantity": "100", "price": "10.5",
		"instrument": map[string]any{"identifier": "IBM", "identifier_type": "ticker", "country": "USA", "currency": "USD"},
		"side":       map[string]any{"direction": "buy"}, "capacity": "agency", "mic": "XNYS", "exec_mpid": "ABCD",
	}
}

// book books trades and notes them.
func (l *load) book(n int, trades ...map[string]any) (booked []*sent, ok bool) {
	text, ok := l.ask(n, false, "POST", "/trades", trades)
	if !ok {
		return nil, false
	}
	var ids []bank.Booked
	if err := json.Unmarshal(text, &ids); err != nil || len(ids) != len(trades) {
		l.t.Errorf("%d trades: %s", len(trades), text)
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, id := range ids {
		s := &sent{account: trades[i]["account_id"].(bank.ID), name: id.ClientTradeID, id: id.TradeID}
		if other := l.trades[id.TradeID]; other != nil {
			l.t.Errorf("trade id %s was given to %s and to %s", id.TradeID, other.name, s.name)
		}
		l.trades[id.TradeID] = s
		booked = append(booked, s)
	}
	return booked, true
}

// client is one of them.
type client struct {
	*load
	number int
	dice   *rand.Rand
	made   int
	own    []*sent // that it may cancel
}

func (c *client) work() {
	for n := 0; ; n++ {
		select {
		case <-c.end:
			return
		case <-time.After(c.pause):
		}
		if c.t.Failed() {
			return
		}
		c.step()
	}
}

func (c *client) account() bank.ID { return bank.ID(firstAccount + c.dice.IntN(accounts)) }

func (c *client) next() map[string]any {
	c.made++
	t := trade(c.account(), fmt.Sprintf("c%d-%d", c.number, c.made))
	t["quantity"] = fmt.Sprint(1 + c.dice.IntN(500))
	if c.dice.IntN(2) == 0 {
		t["side"] = map[string]any{"direction": "sell"}
	}
	return t
}

func (c *client) step() {
	which := c.number + c.made // of the replicas
	switch x := c.dice.IntN(100); {
	case x < 45:
		c.keep(c.book(which, c.next()))
	case x < 55:
		c.keep(c.book(which, c.next(), c.next(), c.next()))
	case x < 65:
		t := c.next()
		for _, name := range []string{"capacity", "mic", "exec_mpid"} {
			delete(t, name)
		}
		t["type"], t["target_account_id"] = "transfer_trade", firstAccount+(int(t["account_id"].(bank.ID))-firstAccount+1)%accounts
		c.keep(c.book(which, t))
	case x < 73 && len(c.own) > 0:
		old := c.take()
		t := c.next()
		t["account_id"], t["cancel_trade_id"] = old.account, old.name
		if booked, ok := c.book(which, t); ok {
			c.canceled(old)
			c.keep(booked, true)
		}
	case x < 82 && len(c.own) > 0:
		old := c.take()
		if _, ok := c.ask(which, false, "DELETE", "/trades/"+old.id.String(), nil); ok {
			c.canceled(old)
		}
	case x < 90:
		c.made++
		body := map[string]any{"client_id": fmt.Sprintf("m%d-%d", c.number, c.made), "account_id": c.account(), "currency": "USD", "amount": "7", "kind": "deposit"}
		if _, ok := c.ask(which, true, "POST", "/cash", body); ok {
			c.mu.Lock()
			c.load.cash++
			c.mu.Unlock()
		}
	case len(c.own) > 0:
		c.readBack(which, c.own[c.dice.IntN(len(c.own))])
	}
}

func (c *client) keep(booked []*sent, ok bool) {
	if c.own = append(c.own, booked...); len(c.own) > 50 {
		c.own = c.own[1:]
	}
}

func (c *client) take() *sent {
	i := c.dice.IntN(len(c.own))
	s := c.own[i]
	c.own = slices.Delete(c.own, i, i+1)
	return s
}

func (c *client) canceled(s *sent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.canceled = true
}

// readBack finds what was acknowledged.
func (c *client) readBack(which int, s *sent) {
	text, ok := c.ask(which, false, "GET", fmt.Sprintf("/trades?account_id=%s&client_trade_id=%s", s.account, s.name), nil)
	var stored bank.StoredTrade
	if ok && (json.Unmarshal(text, &stored) != nil || stored.TradeID != s.id || stored.State != bank.StateOpen) {
		c.t.Errorf("trade %s (%s) reads as %s", s.id, s.name, text)
	}
}
