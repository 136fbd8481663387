package script

import (
	"encoding/json"
	"fmt"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// Candidates gives the identifiers that may stand for an instrument's symbol in BK, in the order in which they are tried. Only the first may be one that is defined already,
// and only if it stands for no other symbol.
func Candidates(in bank.Instrument) []*bkv1.Identifier {
	return append([]*bkv1.Identifier{bankmap.Natural(in)}, bankmap.OwnIdentifiers(in.Identifier)...)
}

// Security is the instrument of one identifier that stands for a symbol, or, under its code, for a currency.
func Security(symbol string, id *bkv1.Identifier) *bkv1.Instrument {
	return &bkv1.Instrument{Symbol: symbol, Identifiers: []*bkv1.Identifier{id}}
}

// Unfit reports whether BK's reason for not defining an instrument is its identifier: the next candidate may do.
func Unfit(reason string) bool {
	switch reason {
	case "instrument_exists", "invalid_field", "missing_field", "too_large":
		return true
	}
	return false
}

// Account gives the account that BK is to open, and its name if that is a text to be kept elsewhere ("": it is not).
func Account(a bank.NewAccount) (account *bkv1.Account, elsewhere string) {
	name, fits := bankmap.AccountName(a.Name)
	if !fits {
		elsewhere = a.Name
	}
	return &bkv1.Account{Id: int64(a.AccountID), Code: bankmap.AccountCode(a.AccountID), Entity: int64(a.EntityID), Name: name}, elsewhere
}

// Entity gives the body of an entity's row.
func Entity(e bank.Entity) (string, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("write entity %d: %w", e.EntityID, err)
	}
	return string(body), nil
}
