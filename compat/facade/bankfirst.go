package facade

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/queue"
)

const (
	maxBody   = 8 << 20 // the contract's; more is Bank's to refuse
	maxRounds = 4       // of finding out which accounts a call touches
)

// bankFirst serves the writes of bank-primary-bk-secondary: Bank does them and answers, and what it accepted goes to BK from the queue.
//
// A call that the façade can't read is passed on as it is: Bank refuses it, and nothing more is to be done. Where Bank takes it nevertheless, the queue gets a row that
// somebody has to look at.
type bankFirst struct {
	queue *queue.Queue
	bank  interface {
		Trade(context.Context, bank.TradeRef) (bank.StoredTrade, error)
	}
	count func(reason string) // of a write that is refused
	log   *slog.Logger
}

// serve makes one write. pass is the proxy to the listener that it came to. If the epoch of the ticket is over, nothing was done, and it gives the request for the
// one that has come.
func (b *bankFirst) serve(w http.ResponseWriter, r *http.Request, ticket *mode.Ticket, operations bool, pass http.Handler) (next *http.Request) {
	if r.ContentLength > maxBody {
		b.unread(w, r, ticket, nil, pass, errTooLarge)
		return nil
	}
	body, whole, err := readBody(r)
	if err != nil {
		b.unread(w, r, ticket, nil, pass, err)
		return nil
	}
	if !whole {
		b.unread(w, r, ticket, body, pass, errTooLarge)
		return nil
	}
	call, err := read(r, body, operations)
	if err != nil {
		b.unread(w, r, ticket, body, pass, err)
		return nil
	}
	held, err := b.begin(r.Context(), ticket.Epoch, call)
	if errors.Is(err, errNoAccount) {
		b.unread(w, r, ticket, body, pass, err)
		return nil
	}
	if errors.Is(err, queue.ErrEpoch) {
		return again(r, r.Context(), body)
	}
	if err != nil {
		answerError(w, b.notBegun(r, err))
		return nil
	}
	// From here on the call goes on to its end, whether the client waits for it or not.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.Context()), held.Deadline())
	defer cancel()
	defer context.AfterFunc(ticket.Lease, cancel)()
	settled := false
	defer func() {
		if !settled { // a panic: its accounts must not stay held for ever
			held.Unknown()
		}
	}()
	sent := again(r, ctx, body)
	answer, notes := passRecorded(pass, sent)
	b.settle(ctx, held, call, answer, notes)
	settled = true
	answer.give(w, sent, notes, b.log)
	return nil
}

// settle tells the queue what became of a call, and changes the answer where nobody knows.
func (b *bankFirst) settle(ctx context.Context, held *queue.Held, call request, answer *record, notes *passing) {
	var err error
	switch outcome := judge(answer, notes); outcome {
	case accepted:
		var taken queue.Answer
		if taken, err = call.answered(answer.body.Bytes()); err != nil {
			b.log.Error("Bank's answer can't be read, it is asked what it did", "intent", held.ID(), "error", err)
			held.Unknown()
			return
		}
		err = held.Accepted(ctx, taken)
	case refused:
		err = held.Refused(ctx)
	case unknown:
		held.Unknown()
	}
	if err != nil {
		b.log.Warn("the outcome of a write is not written down yet", "intent", held.ID(), "error", err)
	}
}

type verdict int

const (
	refused verdict = iota
	accepted
	unknown
)

// judge says what an answer means for the books.
func judge(answer *record, notes *passing) verdict {
	switch {
	case notes.err != nil && notSent(notes.err):
		return refused
	case notes.err != nil, notes.cut != nil:
		return unknown
	case answer.status >= 200 && answer.status < 300:
		return accepted
	case answer.status < 500:
		return refused
	}
	var fault bank.Error
	if json.Unmarshal(answer.body.Bytes(), &fault) == nil && fault.Type == bank.Internal {
		return refused
	}
	return unknown // outcome_unknown, or the word of somebody on the way
}

// unread passes on what the façade can't read.
func (b *bankFirst) unread(w http.ResponseWriter, r *http.Request, ticket *mode.Ticket, begun []byte, pass http.Handler, why error) {
	next := r.WithContext(ticket.Context)
	next.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(begun), r.Body), r.Body}
	if there, whole := r.Body.(*inMemory); whole { // nothing of it was taken
		next.Body = newInMemory(there.all)
	}
	if len(begun) == 0 && r.ContentLength == 0 {
		next.Body = http.NoBody
	}
	answer, notes := passRecorded(pass, next)
	if taken := answer.status >= 200 && answer.status < 300; taken && (notes.cut != nil || judge(answer, notes) == accepted) {
		what := r.Method + " " + r.URL.RequestURI()
		b.log.Error("Bank took a write that the façade can't read; BK misses it until somebody sees to it", "call", what, "reason", why)
		if err := b.queue.Unread(context.WithoutCancel(next.Context()), ticket.Epoch, what, begun); err != nil {
			b.log.Error("and it could not be noted", "call", what, "error", err)
		}
	}
	answer.give(w, next, notes, b.log)
}

var errTooLarge = bank.Errorf(bank.TooLarge, "the body has more than is allowed")

// errNoAccount: a cancel names a trade that Bank does not know. Bank will say so itself.
var errNoAccount = errors.New("Bank knew no such trade")

// begin gets the accounts of a call. Which those are is known for sure only once they are held: a trade that the call names may have been booked meanwhile.
func (b *bankFirst) begin(ctx context.Context, epoch int64, call request) (*queue.Held, error) {
	touched, err := b.touched(ctx, call)
	if err != nil {
		return nil, err
	}
	for range maxRounds {
		if call.lone && len(touched) == 0 {
			return nil, errNoAccount
		}
		held, err := b.queue.Begin(ctx, epoch, call.call(touched))
		if err != nil || len(call.names) == 0 {
			return held, err
		}
		now, err := b.touched(ctx, call)
		if err == nil && within(now, touched) {
			return held, nil
		}
		if endErr := held.Refused(ctx); err != nil || endErr != nil {
			return nil, errors.Join(err, endErr)
		}
		touched = now
	}
	return nil, fmt.Errorf("the accounts of the trades that it names change all the time")
}

func within(some, all []bank.ID) bool {
	known := make(map[bank.ID]bool, len(all))
	for _, id := range all {
		known[id] = true
	}
	for _, id := range some {
		if !known[id] {
			return false
		}
	}
	return true
}

// touched gives the accounts of the trades that a call names.
func (b *bankFirst) touched(ctx context.Context, call request) (accounts []bank.ID, err error) {
	for _, name := range call.names {
		for _, ref := range name {
			stored, err := b.bank.Trade(ctx, ref)
			switch bank.TypeOf(err) {
			case bank.TradeNotFound, bank.MalformedRequest: // there can't be any
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%w about a trade that is named: %w", errNotAsked, err)
			}
			accounts = append(accounts, stored.AccountID)
			if stored.TargetAccountID != 0 {
				accounts = append(accounts, stored.TargetAccountID)
			}
			break
		}
	}
	return accounts, nil
}

// request is a call as the queue has it.
type request struct {
	call     func(touched []bank.ID) queue.Call
	names    [][]bank.TradeRef // trades that it names, each with the ways to find it, in order
	answered func(body []byte) (queue.Answer, error)
	lone     bool // no account is known but those of the trade that it names
}

func nothing([]byte) (queue.Answer, error) { return queue.Answer{}, nil }

func plain(c queue.Call) func([]bank.ID) queue.Call {
	return func([]bank.ID) queue.Call { return c }
}

// read reads a write. An error: the façade can't, or there is no such call.
func read(r *http.Request, body []byte, operations bool) (request, error) {
	path := r.URL.Path
	switch {
	case operations && r.Method == http.MethodPost && path == "/entities":
		e, err := bank.ReadEntity(body)
		return request{call: plain(queue.Entity(e)), answered: nothing}, err
	case operations && r.Method == http.MethodPost && path == "/accounts":
		a, err := bank.ReadAccount(body)
		return request{call: plain(queue.Account(a)), answered: nothing}, err
	case operations && r.Method == http.MethodPost && path == "/cash":
		c, err := bank.ReadCash(body)
		return request{call: plain(queue.Cash(c)), answered: moved}, err
	case operations && r.Method == http.MethodPost && path == "/business-date":
		d, err := bank.ReadBusinessDate(body)
		return request{call: plain(queue.Roll(d)), answered: nothing}, err
	case operations && r.Method == http.MethodPost && path == "/replay":
		return readReplay(body)
	case !operations && r.Method == http.MethodPost && path == "/trades":
		return readTrades(body)
	case !operations && r.Method == http.MethodDelete && strings.HasPrefix(path, "/trades/"):
		return readCancel(r, strings.TrimPrefix(path, "/trades/"))
	}
	return request{}, errors.New("the façade knows no such write")
}

func readTrades(body []byte) (request, error) {
	trades, err := bank.ReadTrades(body)
	if err != nil {
		return request{}, err
	}
	return request{
		call:  func(touched []bank.ID) queue.Call { return queue.Trades(trades, touched...) },
		names: replaced(trades),
		answered: func(body []byte) (a queue.Answer, err error) {
			if err = json.Unmarshal(body, &a.Trades); err == nil && len(a.Trades) != len(trades) {
				err = fmt.Errorf("%d answers to %d trades", len(a.Trades), len(trades))
			}
			return a, err
		},
	}, nil
}

// replaced gives the trades that are named to be replaced: by the client's name, or, if there is none such, by id.
func replaced(trades []bank.Trade) (names [][]bank.TradeRef) {
	for i := range trades {
		t := &trades[i]
		if t.CancelTradeID == "" {
			continue
		}
		ways := []bank.TradeRef{{AccountID: t.AccountID, ClientTradeID: t.CancelTradeID}}
		if id, err := bank.ParseID(t.CancelTradeID); err == nil && id != 0 {
			ways = append(ways, bank.TradeRef{TradeID: id})
		}
		names = append(names, ways)
	}
	return names
}

func readCancel(r *http.Request, name string) (request, error) {
	query := r.URL.Query()
	byClientID := false
	switch flag := query.Get("is_client_trade_id"); flag {
	case "", "false":
	case "true":
		byClientID = true
	default:
		return request{}, fmt.Errorf("is_client_trade_id: %q", flag)
	}
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return request{}, errors.New("the trade's name is not text")
	}
	ref, err := bank.ReadTradeRef(name, byClientID, query.Get("account_id"))
	if err != nil {
		return request{}, err
	}
	return cancelOf(ref), nil
}

func cancelOf(ref bank.TradeRef) request {
	return request{
		call:  func(touched []bank.ID) queue.Call { return queue.Cancel(ref, touched...) },
		names: [][]bank.TradeRef{{ref}}, answered: nothing, lone: ref.AccountID == 0,
	}
}

func moved(body []byte) (queue.Answer, error) {
	var m bank.Moved
	err := json.Unmarshal(body, &m)
	return queue.Answer{CashID: m.CashID}, err
}

// readReplay reads what a third system has decided: for BK it is the call that it stands for, with the ids that it brings.
func readReplay(body []byte) (request, error) {
	replay, err := bank.ReadReplay(body)
	if err != nil {
		return request{}, err
	}
	switch {
	case replay.Request != nil:
		trades := []bank.Trade{*replay.Request}
		return request{
			call:  func(touched []bank.ID) queue.Call { return queue.Trades(trades, touched...) },
			names: replaced(trades),
			answered: func([]byte) (queue.Answer, error) {
				return queue.Answer{Trades: []bank.Booked{{ClientTradeID: trades[0].ClientTradeID, TradeID: replay.TradeID}}}, nil
			},
		}, nil
	case replay.Cash != nil:
		return request{call: plain(queue.Cash(*replay.Cash)), answered: func([]byte) (queue.Answer, error) { return queue.Answer{CashID: replay.CashID}, nil }}, nil
	}
	return cancelOf(bank.TradeRef{TradeID: replay.TradeID}), nil
}

// readBody reads a body up to the limit. What is left is still in the request's.
func readBody(r *http.Request) (body []byte, whole bool, err error) {
	if there, ok := r.Body.(*inMemory); ok {
		_, err := there.Seek(0, io.SeekEnd)
		return there.all, true, err
	}
	body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, false, fmt.Errorf("read the request: %w", err)
	}
	return body, len(body) <= maxBody, nil
}

// again gives a request with its body from the beginning.
func again(r *http.Request, ctx context.Context, body []byte) *http.Request {
	next := r.Clone(ctx)
	next.Body = newInMemory(body)
	if len(body) == 0 {
		next.Body = http.NoBody
	}
	next.ContentLength = int64(len(body))
	if r.ContentLength < 0 {
		next.TransferEncoding = nil
	}
	return next
}
