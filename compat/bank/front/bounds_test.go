package front_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
)

// room notes how much room there is for a body's first bytes.
type room struct {
	io.Reader
	first int
}

func (r *room) Read(to []byte) (int, error) {
	if r.first == 0 {
		r.first = len(to)
	}
	return r.Reader.Read(to)
}

// TestRoomForBodies: what a client says of its body's length makes no room for it.
func TestRoomForBodies(t *testing.T) {
	t.Parallel()
	h, err := front.New(front.Config{Ledger: &memory{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	body := &room{Reader: strings.NewReader("[]")}
	request := httptest.NewRequestWithContext(t.Context(), "POST", "/trades", body)
	request.ContentLength = 8 << 20
	recorder := httptest.NewRecorder()
	h.API().ServeHTTP(recorder, request)
	if recorder.Code != 400 || body.first == 0 || body.first > 128<<10 {
		t.Errorf("%d %s; room for %d bytes before one has come", recorder.Code, recorder.Body, body.first)
	}
}

// patience is a ledger that notes how long a call may take.
type patience struct {
	*memory
	most time.Duration
}

func (p *patience) note(ctx context.Context) {
	if end, ok := ctx.Deadline(); ok {
		p.most = time.Until(end)
	}
}

func (p *patience) BookTrades(ctx context.Context, trades []bank.Trade) ([]bank.Booked, error) {
	p.note(ctx)
	return p.memory.BookTrades(ctx, trades)
}

func (p *patience) CancelTrade(ctx context.Context, ref bank.TradeRef) error {
	p.note(ctx)
	return p.memory.CancelTrade(ctx, ref)
}

func (p *patience) MoveCash(ctx context.Context, cash bank.Cash) (bank.ID, error) {
	p.note(ctx)
	return p.memory.MoveCash(ctx, cash)
}

func (p *patience) Trade(ctx context.Context, ref bank.TradeRef) (bank.StoredTrade, error) {
	p.note(ctx)
	return p.memory.Trade(ctx, ref)
}

// TestWritesWaitForRolls: a write may take as long as a roll does, a read may not.
func TestWritesWaitForRolls(t *testing.T) {
	t.Parallel()
	p := &patience{memory: &memory{}}
	h, err := front.New(front.Config{Ledger: p, Log: slog.New(slog.DiscardHandler), Timeout: time.Minute, LongTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	api, operations := h.API(), h.Operations()
	for _, c := range []struct {
		handler            http.Handler
		method, path, body string
		atLeast            time.Duration
	}{
		{api, "POST", "/trades", "[" + fmt.Sprintf(trade, "c") + "]", 30 * time.Minute},
		{api, "DELETE", "/trades/1", "", 30 * time.Minute},
		{operations, "POST", "/cash", `{"client_id":"c","account_id":1,"currency":"USD","amount":"5","kind":"deposit"}`, 30 * time.Minute},
		{api, "GET", "/trades/1", "", 0},
	} {
		p.most = 0
		recorder := httptest.NewRecorder()
		c.handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body)))
		if recorder.Code/100 != 2 || p.most < c.atLeast || c.atLeast == 0 && p.most > time.Minute || p.most == 0 {
			t.Errorf("%s %s: %d %s, may take %s", c.method, c.path, recorder.Code, recorder.Body, p.most)
		}
	}
}
