package books

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/books/script"
)

// Entities gives a page of entities, see [front.Ledger].
func (b *Ledger) Entities(ctx context.Context, after bank.ID, limit int) ([]bank.Entity, error) {
	rows, err := b.pool.Query(ctx, `SELECT body FROM facade.books_entity WHERE entity_id > $1 ORDER BY entity_id LIMIT $2`, int64(after), limit)
	if err != nil {
		return nil, b.internal(ctx, "read entities", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e bank.Entity, err error) {
		var body string
		if err = row.Scan(&body); err == nil {
			err = json.Unmarshal([]byte(body), &e)
		}
		return e, err
	})
	if err != nil {
		return nil, b.internal(ctx, "read entities", err)
	}
	return found, nil
}

// Entity gives an entity, see [front.Ledger].
func (b *Ledger) Entity(ctx context.Context, id bank.ID) (e bank.Entity, err error) {
	var body string
	err = b.pool.QueryRow(ctx, `SELECT body FROM facade.books_entity WHERE entity_id = $1`, int64(id)).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, bank.Errorf(bank.EntityNotFound, "there is no entity %d", id)
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &e)
	}
	if err != nil {
		return e, b.internal(ctx, "read an entity", err)
	}
	return e, nil
}

// CreateEntity opens an entity, see [front.Ledger].
func (b *Ledger) CreateEntity(ctx context.Context, e bank.Entity) (created bool, err error) {
	body, err := script.Entity(e)
	if err != nil {
		return false, b.internal(ctx, "write an entity", err)
	}
	done, err := b.pool.Exec(ctx, `INSERT INTO facade.books_entity (entity_id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING`, int64(e.EntityID), body)
	if err != nil && maybeWritten(err) {
		b.cfg.Log.WarnContext(ctx, "the façade's database did not answer", "entity", e.EntityID, "error", err)
		return false, errOfWrite("entity")
	}
	if err != nil {
		return false, b.internal(ctx, "create an entity", err)
	}
	if done.RowsAffected() == 1 {
		return true, nil
	}
	there, err := b.Entity(ctx, e.EntityID)
	if err == nil && there != e {
		err = bank.OtherEntity(e.EntityID)
	}
	return false, err
}

// CreateAccount opens an account, see [front.Ledger].
func (b *Ledger) CreateAccount(ctx context.Context, a bank.NewAccount) (created bool, err error) {
	if _, err := b.Entity(ctx, a.EntityID); err != nil {
		return false, err
	}
	account, elsewhere := script.Account(a)
	if elsewhere != "" {
		if err := b.keepTexts(ctx, []string{elsewhere}); err != nil {
			return false, b.internal(ctx, "create an account", err)
		}
	}
	lost := false // the answer of one of the tries
	create := func(ctx context.Context, question *connect.Request[bkv1.CreateAccountRequest]) (*connect.Response[bkv1.CreateAccountResponse], error) {
		answer, err := b.cfg.Client.Directory.CreateAccount(ctx, question)
		lost = lost || client.Retryable(err) && !nothingBooked(err)
		return answer, err
	}
	answer, err := read(ctx, b, create, &bkv1.CreateAccountRequest{Source: b.cfg.Source, Account: account})
	if client.Reason(err) == bankmap.ReasonAccountExists {
		return false, bank.OtherAccount(a.AccountID)
	}
	if err != nil && lost {
		b.cfg.Log.WarnContext(ctx, "BK did not answer", "account", a.AccountID, "error", err)
		return false, errOfWrite("account")
	}
	if err != nil {
		return false, b.internal(ctx, "create an account", err)
	}
	return !answer.Repeat, nil
}

// maybeWritten reports whether a statement that commits by itself may have done so although it gave an error.
func maybeWritten(err error) bool {
	var told *pgconn.PgError
	return !pgconn.SafeToRetry(err) && !(errors.As(err, &told) && told.SeverityUnlocalized == "ERROR")
}

func errOfWrite(what string) *bank.Error {
	return bank.Errorf(bank.OutcomeUnknown, "the %s may or may not be there: send the same again to learn", what)
}

// Account gives an account, see [front.Ledger].
func (b *Ledger) Account(ctx context.Context, id bank.ID) (bank.Account, error) {
	if known, ok := b.accounts.get(id); ok {
		return known, nil
	}
	missing := bank.Errorf(bank.AccountNotFound, "there is no account %d", id)
	if id <= 0 {
		return bank.Account{}, missing
	}
	answer, err := read(ctx, b, b.cfg.Client.Directory.GetAccount, &bkv1.GetAccountRequest{Account: bankmap.AccountRef(id), AtLeast: atHead})
	if client.Reason(err) == bankmap.ReasonUnknownAccount {
		return bank.Account{}, missing
	}
	var found bank.Account
	if err == nil {
		found, err = b.accountOf(ctx, answer.Account)
	}
	if err != nil {
		return bank.Account{}, b.internal(ctx, "read an account", err)
	}
	return found, nil
}

func (b *Ledger) accountOf(ctx context.Context, a *bkv1.Account) (bank.Account, error) {
	name, err := b.text(ctx, a.Name)
	if err != nil {
		return bank.Account{}, fmt.Errorf("the name of account %d: %w", a.Id, err)
	}
	found := bankmap.Account(a, name)
	b.accounts.put(b.accounts.now(), found.AccountID, found)
	return found, nil
}

// Accounts gives a page of accounts, see [front.Ledger].
func (b *Ledger) Accounts(ctx context.Context, after bank.ID, limit int) ([]bank.Account, error) {
	since := b.places.now()
	place := pageKey{after: after}
	size := int32(max(1, min(pageRows, 2*limit)))
	question := &bkv1.ListAccountsRequest{PageSize: &size, AtLeast: atHead}
	if after != 0 {
		question.PageToken, _ = b.places.get(place)
	}
	var found []bank.Account
	for {
		answer, err := read(ctx, b, b.cfg.Client.Directory.ListAccounts, question)
		if err != nil {
			return nil, b.internal(ctx, "read accounts", err)
		}
		for _, a := range answer.Accounts {
			if bank.ID(a.Id) <= after || !bankmap.IsBankAccount(a) {
				continue
			}
			account, err := b.accountOf(ctx, a)
			if err != nil {
				return nil, b.internal(ctx, "read accounts", err)
			}
			found = append(found, account)
			if place.after = account.AccountID; len(found) >= limit-1 { // the next page goes on behind one of the last two, and reads this one again
				b.places.put(since, place, question.PageToken)
			}
			if len(found) == limit {
				return found, nil
			}
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return found, nil
		}
	}
}
