package ledger

import "strings"

// InstrumentKind tells securities from currencies; the ledger treats both alike.
type InstrumentKind string

// The kinds of instrument.
const (
	KindSecurity InstrumentKind = "security"
	KindCurrency InstrumentKind = "currency"
)

// IdentifierType is the scheme that an identifier belongs to.
type IdentifierType string

// The schemes; a currency's is its ISO 4217 code.
const (
	Ticker IdentifierType = "ticker"
	CUSIP  IdentifierType = "cusip"
	ISIN   IdentifierType = "isin"
	SEDOL  IdentifierType = "sedol"
	ISO    IdentifierType = "currency"
)

// Identifier names an instrument. Country (ISO 3166, as the market writes it: USA) and Currency (ISO 4217) say which listing is
// meant; a SEDOL names a listing by itself, so there both are ignored.
type Identifier struct {
	Type     IdentifierType
	Value    string
	Country  string
	Currency string
}

// Instrument is a security or a currency.
type Instrument struct {
	// ID is given by the ledger, from 1 in the order of definition.
	ID int64
	// Symbol is the name that people read: the ticker, or USD. Not unique.
	Symbol string
	Kind   InstrumentKind
	// Identifiers are unique in the ledger, each of them.
	Identifiers []Identifier
}

// Currency is the instrument of an ISO 4217 code.
func Currency(code string) Instrument {
	return Instrument{Symbol: code, Kind: KindCurrency, Identifiers: []Identifier{{Type: ISO, Value: code}}}
}

// CurrencyID is the identifier of an ISO 4217 code.
func CurrencyID(code string) Identifier { return Identifier{Type: ISO, Value: code} }

// String gives type:value:country:currency without empty parts at the end.
func (id Identifier) String() string {
	return strings.TrimRight(string(id.Type)+":"+id.Value+":"+id.Country+":"+id.Currency, ":")
}

// key is the identifier as it is compared: without what its scheme ignores.
func (id Identifier) key() Identifier {
	if id.Type == SEDOL || id.Type == ISO {
		id.Country, id.Currency = "", ""
	}
	return id
}

func (id Identifier) check(field string) *Rejection {
	switch id.Type {
	case Ticker, CUSIP, ISIN, SEDOL, ISO:
	case "":
		return Reject(ReasonMissing, field+".type", "an identifier needs its type: ticker, cusip, isin, sedol or currency")
	default:
		return Reject(ReasonInvalid, field+".type", "%q is none of ticker, cusip, isin, sedol, currency", id.Type)
	}
	if id.Value == "" {
		return Reject(ReasonMissing, field+".value", "an identifier needs a value")
	}
	if !madeOf(id.Value, 1, 32, letters|digits, "./ _-") {
		return Reject(ReasonInvalid, field+".value", "%q is no identifier of 1 to 32 letters, digits and ./_- ", id.Value)
	}
	if id.Type == ISO {
		return checkCurrency(field+".value", id.Value)
	}
	if id.Type == SEDOL {
		return nil
	}
	if id.Country == "" {
		return Reject(ReasonMissing, field+".country", "a %s needs its country", id.Type)
	}
	if !madeOf(id.Country, 2, 3, capitals, "") {
		return Reject(ReasonInvalid, field+".country", "%q is no country code", id.Country)
	}
	if id.Currency == "" {
		return Reject(ReasonMissing, field+".currency", "a %s needs its currency", id.Type)
	}
	return checkCurrency(field+".currency", id.Currency)
}

func checkCurrency(field, code string) *Rejection {
	if !madeOf(code, 3, 3, capitals, "") {
		return Reject(ReasonInvalid, field, "%q is no ISO 4217 currency code", code)
	}
	return nil
}

// normalize fills in the kind and the symbol and checks the form.
func (in *Instrument) normalize() *Rejection {
	if in.ID != 0 {
		return Reject(ReasonInvalid, "instrument.id", "the ledger gives the id")
	}
	if len(in.Identifiers) == 0 {
		return Reject(ReasonMissing, "instrument.identifiers", "an instrument needs at least one identifier")
	}
	if len(in.Identifiers) > MaxIdentifiers {
		return Reject(ReasonTooLarge, "instrument.identifiers", "%d identifiers, %d are allowed", len(in.Identifiers), MaxIdentifiers)
	}
	kind := KindSecurity
	for i := range in.Identifiers {
		field := indexed("instrument.identifiers", i)
		if rej := in.Identifiers[i].check(field); rej != nil {
			return rej
		}
		in.Identifiers[i] = in.Identifiers[i].key()
		if in.Identifiers[i].Type == ISO {
			kind = KindCurrency
		}
	}
	if kind == KindCurrency && len(in.Identifiers) != 1 {
		return Reject(ReasonInvalid, "instrument.identifiers", "a currency has its ISO code and nothing else")
	}
	if in.Kind == "" {
		in.Kind = kind
	}
	if in.Kind != kind {
		return Reject(ReasonInvalid, "instrument.kind", "%s does not fit the identifiers", in.Kind)
	}
	if in.Symbol == "" {
		in.Symbol = in.Identifiers[0].Value
	}
	return checkText("instrument.symbol", in.Symbol, MaxNameBytes)
}
