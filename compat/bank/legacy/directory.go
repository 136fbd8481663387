package legacy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bkledger/bk/compat/bank"
)

// CreateEntity implements front.Ledger.
func (b *Bank) CreateEntity(ctx context.Context, e bank.Entity) (created bool, err error) {
	tag, err := b.pool.Exec(ctx, `INSERT INTO bank.entity (entity_id, client_code, legal_name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		int64(e.EntityID), e.ClientCode, e.LegalName)
	if err != nil {
		return false, written("entity", err)
	}
	if tag.RowsAffected() == 1 {
		return true, nil
	}
	have, err := b.Entity(ctx, e.EntityID)
	if err == nil && have != e {
		err = bank.OtherEntity(e.EntityID)
	}
	return false, err
}

// CreateAccount implements front.Ledger.
func (b *Bank) CreateAccount(ctx context.Context, a bank.NewAccount) (created bool, err error) {
	have, err := b.Account(ctx, a.AccountID)
	if bank.TypeOf(err) == bank.AccountNotFound {
		tag, err := b.pool.Exec(ctx, `INSERT INTO bank.account (account_id, entity_id, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			int64(a.AccountID), int64(a.EntityID), a.Name)
		if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == "23503" {
			return false, bank.Errorf(bank.EntityNotFound, "there is no entity %s", a.EntityID)
		}
		if err != nil {
			return false, written("account", err)
		}
		if tag.RowsAffected() == 1 {
			return true, nil
		}
		have, err = b.Account(ctx, a.AccountID)
		if err != nil {
			return false, err
		}
	} else if err != nil {
		return false, err
	}
	if have.EntityID != a.EntityID || have.Name != a.Name {
		return false, bank.OtherAccount(a.AccountID)
	}
	return false, nil
}

// written gives the error of a statement that commits by itself.
func written(what string, err error) error {
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.SeverityUnlocalized == "ERROR" || pgconn.SafeToRetry(err) {
		return fmt.Errorf("write the %s: %w", what, err)
	}
	return bank.Errorf(bank.OutcomeUnknown, "the database did not answer: the %s may or may not be there, send the same again to learn", what)
}
