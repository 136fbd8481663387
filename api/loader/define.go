package loader

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/tradefile"
	"github.com/bkledger/bk/ledger"
)

// definitions are the accounts and instruments that the ledger has been asked for already: as many as it has itself.
type definitions struct {
	accounts    map[int64]bool
	instruments map[identifier]bool
}

type identifier struct {
	scheme                   bkv1.IdentifierType
	value, country, currency string
}

func newDefinitions() definitions {
	return definitions{accounts: map[int64]bool{}, instruments: map[identifier]bool{}}
}

// define opens the accounts and defines the instruments that rows name for the first time. What the ledger refuses to define, other than
// what is there already, is left to the rows that name it: they are refused for it.
func (l *Loader) define(ctx context.Context, rows []*tradefile.Row) error {
	var accounts []*bkv1.Account
	var instruments []*bkv1.Instrument
	addAccount := func(id int64) {
		if id == 0 || l.defined.accounts[id] {
			return
		}
		l.defined.accounts[id] = true
		accounts = append(accounts, &bkv1.Account{Id: id, Code: ledger.CodeCustomer + strconv.FormatInt(id, 10), Entity: l.entity(id)})
	}
	addInstrument := func(key identifier) {
		if key.value == "" || l.defined.instruments[key] {
			return
		}
		key = identifier{key.scheme, strings.Clone(key.value), strings.Clone(key.country), strings.Clone(key.currency)}
		l.defined.instruments[key] = true
		instruments = append(instruments, &bkv1.Instrument{Identifiers: []*bkv1.Identifier{
			{Type: key.scheme, Value: key.value, Country: key.country, Currency: key.currency},
		}})
	}
	for _, row := range rows {
		trade := row.Command().GetTrade()
		if trade == nil {
			continue
		}
		addAccount(row.Account)
		addAccount(row.Target)
		in := trade.Instrument
		key := identifier{in.GetType(), in.GetValue(), in.GetCountry(), in.GetCurrency()}
		if key.scheme == bkv1.IdentifierType_IDENTIFIER_TYPE_SEDOL {
			key.country, key.currency = "", ""
		}
		addInstrument(key)
		currency := trade.Currency
		if currency == "" {
			currency = in.GetCurrency()
		}
		if currency == "" {
			currency = "USD"
		}
		addInstrument(identifier{scheme: bkv1.IdentifierType_IDENTIFIER_TYPE_CURRENCY, value: currency})
	}
	err := defineAll(ctx, l, accounts, func(ctx context.Context, part []*bkv1.Account) (errs []*bkv1.Error, err error) {
		res, err := l.cfg.Client.Directory.CreateAccounts(ctx, connect.NewRequest(&bkv1.CreateAccountsRequest{Accounts: part, Source: l.source}))
		if err == nil {
			for _, result := range res.Msg.Results {
				errs = append(errs, result.GetError())
			}
		}
		return errs, err
	})
	if err != nil {
		return fmt.Errorf("opening the accounts that are missing: %w", err)
	}
	err = defineAll(ctx, l, instruments, func(ctx context.Context, part []*bkv1.Instrument) (errs []*bkv1.Error, err error) {
		res, err := l.cfg.Client.Directory.CreateInstruments(ctx, connect.NewRequest(&bkv1.CreateInstrumentsRequest{Instruments: part, Source: l.source}))
		if err == nil {
			for _, result := range res.Msg.Results {
				errs = append(errs, result.GetError())
			}
		}
		return errs, err
	})
	if err != nil {
		return fmt.Errorf("defining the instruments that are missing: %w", err)
	}
	return nil
}

// entity gives the legal entity of an account that is made.
func (l *Loader) entity(account int64) int64 {
	n := l.cfg.Entities
	if n == 0 {
		return 0
	}
	const first = 100001 // the account that entity 1 begins with
	return 1 + ((account-first)%n+n)%n
}

// defineAll sends definitions in parts of what fits into one call, and those again that the ledger could not take at the time. send gives an
// error, or nil, for each.
func defineAll[T any](ctx context.Context, l *Loader, all []T, send func(context.Context, []T) ([]*bkv1.Error, error)) error {
	for len(all) > 0 {
		part := all[:min(len(all), ledger.MaxBatch)]
		var errs []*bkv1.Error
		err := l.retries.call(ctx, func(ctx context.Context) (err error) {
			errs, err = send(ctx, part)
			return err
		})
		if err != nil {
			return err
		}
		if len(errs) != len(part) {
			return fmt.Errorf("the server answered %d definitions with %d results", len(part), len(errs))
		}
		var again []T
		var unsure *bkv1.Error
		for i, failure := range errs {
			if client.RetryableReason(failure.GetDetail().GetReason()) {
				again, unsure = append(again, part[i]), failure
			}
		}
		if len(again) < len(part) {
			l.retries.progressed()
		}
		if unsure != nil {
			if err := l.retries.pause(ctx, &elementError{unsure}); err != nil {
				return err
			}
		}
		all = append(again, all[len(part):]...)
	}
	return nil
}
