package bankmap

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

var identifierTypes = pairs[string, bkv1.IdentifierType]{
	{"ticker", bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER},
	{"cusip", bkv1.IdentifierType_IDENTIFIER_TYPE_CUSIP},
	{"isin", bkv1.IdentifierType_IDENTIFIER_TYPE_ISIN},
	{"sedol", bkv1.IdentifierType_IDENTIFIER_TYPE_SEDOL},
}

// Natural gives the identifier that a trade's instrument is in BK, by itself.
func Natural(in bank.Instrument) *bkv1.Identifier {
	id := &bkv1.Identifier{Type: identifierTypes.to(in.IdentifierType), Value: in.Identifier, Country: in.Country, Currency: in.Currency}
	if id.Type == bkv1.IdentifierType_IDENTIFIER_TYPE_SEDOL {
		id.Country, id.Currency = "", ""
	}
	return id
}

// instrumentOf is the inverse of [Natural], as far as BK keeps an instrument.
func instrumentOf(id *bkv1.Identifier) bank.Instrument {
	in := bank.Instrument{
		Identifier: id.GetValue(), IdentifierType: identifierTypes.from(id.GetType()), Country: id.GetCountry(), Currency: id.GetCurrency(),
	}
	if in.IdentifierType == "sedol" {
		in.Country, in.Currency = "", ""
	}
	return in
}

// ownCountries are those that ISO 3166 leaves to its users: no listing is in them.
var ownCountries = [...]string{"ZZ", "XA", "XB", "XC", "XD", "XE", "XF", "XG", "QM", "QN", "QO", "QP"}

// OwnIdentifiers gives the identifiers under which a symbol may be defined whose natural identifier stands for another one already, in the order in which to
// try them: a ticker in a country that is none.
func OwnIdentifiers(symbol string) []*bkv1.Identifier {
	own := make([]*bkv1.Identifier, len(ownCountries))
	for i, country := range ownCountries {
		own[i] = &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: symbol, Country: country, Currency: "XXX"}
	}
	return own
}

// Currency is the identifier of a currency.
func Currency(code string) *bkv1.Identifier {
	return &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_CURRENCY, Value: code}
}

// pairs are words of Bank and what they are in BK; the zero values belong together.
type pairs[A, B comparable] []struct {
	a A
	b B
}

func (p pairs[A, B]) to(a A) (b B) {
	for _, pair := range p {
		if pair.a == a {
			return pair.b
		}
	}
	return b
}

func (p pairs[A, B]) from(b B) (a A) {
	for _, pair := range p {
		if pair.b == b {
			return pair.a
		}
	}
	return a
}
