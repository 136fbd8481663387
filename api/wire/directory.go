package wire

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// OpenAccount makes the command that opens an account.
func OpenAccount(a *bkv1.Account, source string) (*ledger.Command, *ledger.Rejection) {
	account, rej := AccountFrom(a)
	if rej != nil {
		return nil, rej
	}
	return &ledger.Command{Kind: ledger.KindOpen, Source: source, Account: account}, nil
}

// DefineInstrument makes the command that defines an instrument.
func DefineInstrument(in *bkv1.Instrument, source string) (*ledger.Command, *ledger.Rejection) {
	instrument, rej := InstrumentFrom(in)
	if rej != nil {
		return nil, rej
	}
	return &ledger.Command{Kind: ledger.KindInstrument, Source: source, Define: instrument}, nil
}

// AccountFrom converts a request's account; rejections name fields below "account".
func AccountFrom(a *bkv1.Account) (*ledger.Account, *ledger.Rejection) {
	if a == nil {
		return nil, ledger.Reject(ledger.ReasonMissing, "account", "an account is needed")
	}
	kind, rej := accountKinds.to("account.kind", a.Kind)
	if rej != nil {
		return nil, rej
	}
	return &ledger.Account{ID: a.Id, Code: a.Code, Kind: kind, Entity: a.Entity, Name: a.Name}, nil
}

// Account converts an account of the ledger.
func Account(a ledger.Account) *bkv1.Account {
	return &bkv1.Account{Id: a.ID, Code: a.Code, Kind: accountKinds.from(a.Kind), Entity: a.Entity, Name: a.Name}
}

// checkRef checks the form of a reference that may not be looked up (a target where none is needed).
func checkRef(field string, r *bkv1.AccountRef) *ledger.Rejection {
	if r.GetId() < 0 {
		return ledger.Reject(ledger.ReasonInvalid, field+".id", "%d is below zero", r.GetId())
	}
	if len(r.GetCode()) > ledger.MaxCodeBytes {
		return ledger.Reject(ledger.ReasonTooLarge, field+".code", "%d bytes, %d are allowed", len(r.GetCode()), ledger.MaxCodeBytes)
	}
	return nil
}

// AccountRefFrom converts a request's reference; none is the zero reference.
func AccountRefFrom(r *bkv1.AccountRef) ledger.AccountRef {
	return ledger.AccountRef{ID: r.GetId(), Code: r.GetCode()}
}

func accountRef(r ledger.AccountRef) *bkv1.AccountRef {
	if r.IsZero() {
		return nil
	}
	return &bkv1.AccountRef{Id: r.ID, Code: r.Code}
}

// InstrumentFrom converts a request's instrument; rejections name fields below "instrument".
func InstrumentFrom(in *bkv1.Instrument) (*ledger.Instrument, *ledger.Rejection) {
	if in == nil {
		return nil, ledger.Reject(ledger.ReasonMissing, "instrument", "an instrument is needed")
	}
	kind, rej := instrumentKind.to("instrument.kind", in.Kind)
	if rej != nil {
		return nil, rej
	}
	out := &ledger.Instrument{ID: in.Id, Symbol: in.Symbol, Kind: kind}
	if len(in.Identifiers) > 0 {
		out.Identifiers = make([]ledger.Identifier, len(in.Identifiers))
	}
	for i, id := range in.Identifiers {
		if out.Identifiers[i], rej = IdentifierFrom(indexed("instrument.identifiers", i), id); rej != nil {
			return nil, rej
		}
	}
	return out, nil
}

// Instrument converts an instrument of the ledger.
func Instrument(in ledger.Instrument) *bkv1.Instrument {
	out := &bkv1.Instrument{Id: in.ID, Symbol: in.Symbol, Kind: instrumentKind.from(in.Kind)}
	if len(in.Identifiers) > 0 {
		out.Identifiers = make([]*bkv1.Identifier, len(in.Identifiers))
	}
	for i, id := range in.Identifiers {
		out.Identifiers[i] = Identifier(id)
	}
	return out
}

// IdentifierFrom converts a request's identifier; none at all is missing_field.
func IdentifierFrom(field string, id *bkv1.Identifier) (ledger.Identifier, *ledger.Rejection) {
	if id == nil {
		return ledger.Identifier{}, ledger.Reject(ledger.ReasonMissing, field, "an instrument is needed")
	}
	scheme, rej := identifiers.to(field+".type", id.Type)
	if rej == nil && max(len(id.Country), len(id.Currency)) > maxListing {
		if len(id.Country) > maxListing {
			field += ".country"
		} else {
			field += ".currency"
		}
		rej = ledger.Reject(ledger.ReasonTooLarge, field, "more than %d letters", maxListing)
	}
	return ledger.Identifier{Type: scheme, Value: id.Value, Country: id.Country, Currency: id.Currency}, rej
}

// Identifier converts an identifier of the ledger.
func Identifier(id ledger.Identifier) *bkv1.Identifier {
	return &bkv1.Identifier{Type: identifiers.from(id.Type), Value: id.Value, Country: id.Country, Currency: id.Currency}
}
