package bank

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// List is a page of a list.
type List[T any] struct {
	Data []T    `json:"data"`
	Next string `json:"next_page_token,omitempty"` // "" on the last page
}

// Page asks for a part of a list. The zero value is the first page in its usual size.
type Page struct {
	Size  int    // 1 to 1000; 0: 100
	Token string // the [List]'s Next before; "": from the beginning
}

func (p Page) query() url.Values {
	query := url.Values{}
	if p.Size != 0 {
		query.Set("page_size", strconv.Itoa(p.Size))
	}
	if p.Token != "" {
		query.Set("page_token", p.Token)
	}
	return query
}

// BookTrades calls POST /trades.
func (c *Client) BookTrades(ctx context.Context, trades []Trade) ([]Booked, error) {
	body := []byte{'['}
	for i := range trades {
		if i > 0 {
			body = append(body, ',')
		}
		body = trades[i].AppendJSON(body)
	}
	body = append(body, ']')
	r := request{base: c.config.API, method: http.MethodPost, path: "/trades", body: bytes.NewReader(body)}
	var booked []Booked
	if _, err := c.call(ctx, r, &booked); err != nil {
		return nil, err
	}
	if len(booked) != len(trades) {
		return nil, r.lost(fmt.Errorf("the answer has %d ids for %d trades", len(booked), len(trades)))
	}
	return booked, nil
}

// CancelTrade calls DELETE /trades/{trade_id}.
func (c *Client) CancelTrade(ctx context.Context, ref TradeRef) error {
	r := request{base: c.config.API, method: http.MethodDelete, path: "/trades/" + ref.TradeID.String()}
	if ref.TradeID == 0 {
		r.path = "/trades/" + url.PathEscape(ref.ClientTradeID)
		r.query = url.Values{"is_client_trade_id": {"true"}, "account_id": {ref.AccountID.String()}}
	}
	_, err := c.call(ctx, r, &struct{}{})
	return err
}

// Trade calls GET /trades/{trade_id}, or GET /trades by the client's id.
func (c *Client) Trade(ctx context.Context, ref TradeRef) (trade StoredTrade, err error) {
	if ref.TradeID != 0 {
		return trade, c.get(ctx, "/trades/"+ref.TradeID.String(), nil, &trade)
	}
	return trade, c.get(ctx, "/trades", url.Values{"account_id": {ref.AccountID.String()}, "client_trade_id": {ref.ClientTradeID}}, &trade)
}

// Entities calls GET /entities.
func (c *Client) Entities(ctx context.Context, page Page) (list List[Entity], err error) {
	return list, c.get(ctx, "/entities", page.query(), &list)
}

// Entity calls GET /entities/{id}.
func (c *Client) Entity(ctx context.Context, id ID) (entity Entity, err error) {
	return entity, c.get(ctx, "/entities/"+id.String(), nil, &entity)
}

// Accounts calls GET /accounts.
func (c *Client) Accounts(ctx context.Context, page Page) (list List[Account], err error) {
	return list, c.get(ctx, "/accounts", page.query(), &list)
}

// Account calls GET /accounts/{id}.
func (c *Client) Account(ctx context.Context, id ID) (account Account, err error) {
	return account, c.get(ctx, "/accounts/"+id.String(), nil, &account)
}

// AccountTrades calls GET /accounts/{id}/trades; date 0 and state "" are left out.
func (c *Client) AccountTrades(ctx context.Context, account ID, date Date, state string, page Page) (list List[AccountTrade], err error) {
	query := page.query()
	if date != 0 {
		query.Set("date", date.String())
	}
	if state != "" {
		query.Set("state", state)
	}
	return list, c.get(ctx, "/accounts/"+account.String()+"/trades", query, &list)
}

// AccountTrade calls GET /accounts/{id}/trades/{trade_id}.
func (c *Client) AccountTrade(ctx context.Context, account, trade ID) (row AccountTrade, err error) {
	return row, c.get(ctx, "/accounts/"+account.String()+"/trades/"+trade.String(), nil, &row)
}

// Positions calls GET /accounts/{id}/positions; settled adds settled quantities.
func (c *Client) Positions(ctx context.Context, account ID, settled bool, page Page) (list List[Position], err error) {
	query := page.query()
	view(query, settled)
	return list, c.get(ctx, "/accounts/"+account.String()+"/positions", query, &list)
}

// Position calls GET /accounts/{id}/positions/{symbol}.
func (c *Client) Position(ctx context.Context, account ID, symbol string, settled bool) (position Position, err error) {
	query := url.Values{}
	view(query, settled)
	return position, c.get(ctx, "/accounts/"+account.String()+"/positions/"+url.PathEscape(symbol), query, &position)
}

func view(query url.Values, settled bool) {
	if settled {
		query.Set("view", "full")
	}
}

// Balances calls GET /accounts/{id}/balances.
func (c *Client) Balances(ctx context.Context, account ID) ([]Balance, error) {
	var list List[Balance]
	err := c.get(ctx, "/accounts/"+account.String()+"/balances", nil, &list)
	return list.Data, err
}

// Journal calls GET /accounts/{id}/journal.
func (c *Client) Journal(ctx context.Context, account ID, page Page) (list List[JournalRow], err error) {
	return list, c.get(ctx, "/accounts/"+account.String()+"/journal", page.query(), &list)
}

// Dated is the business date, as it is told and asked for.
type Dated struct {
	Date Date `json:"date"`
}

// BusinessDate calls GET /business-date; 0 while none is set.
func (c *Client) BusinessDate(ctx context.Context) (Date, error) {
	var dated Dated
	err := c.get(ctx, "/business-date", nil, &dated)
	return dated.Date, err
}

// Upload calls POST /uploads/insert or /uploads/cancel. The file is sent as it is read, within timeout; 0 is a client's usual one.
func (c *Client) Upload(ctx context.Context, kind, name string, file io.Reader, timeout time.Duration) (upload NewUpload, err error) {
	reader, writer := io.Pipe()
	defer func() { _ = reader.Close() }() // ends the goroutine below where the server did not read to the end
	form := multipart.NewWriter(writer)
	go func() {
		part, err := form.CreateFormFile("file", name)
		if err == nil {
			_, err = io.Copy(part, file)
		}
		if err == nil {
			err = form.Close()
		}
		_ = writer.CloseWithError(err) // never fails
	}()
	r := request{base: c.config.API, method: http.MethodPost, path: "/uploads/" + kind, contentType: form.FormDataContentType(), body: reader, timeout: timeout}
	_, err = c.call(ctx, r, &upload)
	return upload, err
}

// UploadState calls GET /uploads/{upload_id}.
func (c *Client) UploadState(ctx context.Context, id string) (upload Upload, err error) {
	return upload, c.get(ctx, "/uploads/"+url.PathEscape(id), nil, &upload)
}

// CreateEntity calls POST /entities, and tells whether it is new.
func (c *Client) CreateEntity(ctx context.Context, entity Entity) (created bool, err error) {
	status, err := c.operate(ctx, "/entities", entity, &Entity{}, 0)
	return status == http.StatusCreated, err
}

// CreateAccount calls POST /accounts, and tells whether it is new.
func (c *Client) CreateAccount(ctx context.Context, account NewAccount) (created bool, err error) {
	status, err := c.operate(ctx, "/accounts", account, &Account{}, 0)
	return status == http.StatusCreated, err
}

// Moved answers a movement of cash.
type Moved struct {
	CashID ID `json:"cash_id"`
}

// MoveCash calls POST /cash.
func (c *Client) MoveCash(ctx context.Context, cash Cash) (ID, error) {
	var moved Moved
	_, err := c.operate(ctx, "/cash", cash, &moved, 0)
	return moved.CashID, err
}

// Roll calls POST /business-date.
func (c *Client) Roll(ctx context.Context, date Date) error {
	_, err := c.operate(ctx, "/business-date", Dated{date}, &Dated{}, c.config.Roll)
	return err
}

// Replay calls POST /replay.
func (c *Client) Replay(ctx context.Context, replay Replay) error {
	_, err := c.operate(ctx, "/replay", replay, &struct{}{}, 0)
	return err
}

// ReplayPlace calls GET /replay.
func (c *Client) ReplayPlace(ctx context.Context) (place ReplayPlace, err error) {
	_, err = c.call(ctx, request{base: c.config.Operations, method: http.MethodGet, path: "/replay"}, &place)
	return place, err
}
