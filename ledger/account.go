package ledger

import (
	"regexp"
	"strings"
)

// AccountKind says on which side of the books an account stands (bookkeeping: owners against locations and counterparties).
type AccountKind string

// The kinds of account. Owners (+ = they have it): customer, firm. Against them: street, location, liability, control.
const (
	KindCustomer  AccountKind = "customer"
	KindFirm      AccountKind = "firm"
	KindStreet    AccountKind = "street"
	KindLocation  AccountKind = "location"
	KindLiability AccountKind = "liability"
	KindControl   AccountKind = "control"
)

// The codes of the accounts that the rules for trades post to; street:contra:MPID is made for each contra party.
const (
	CodeStreetCNS    = "street:cns"
	CodeStreetContra = "street:contra:"
	CodeCommission   = "firm:commission"
	CodeSECFee       = "liability:sec"
	CodeTAFFee       = "liability:taf"
	CodeLocationDTC  = "location:dtc"  // securities, at the depository
	CodeLocationBank = "location:bank" // cash
	CodeCustomer     = "cust:"         // and the number of the account
)

// firstHouseAccount is where the ids begin that the ledger gives.
const firstHouseAccount = MaxAccountID + 1

// codePrefixes says which kind an account's code shows.
var codePrefixes = map[string]AccountKind{
	"cust": KindCustomer, "firm": KindFirm, "street": KindStreet, "location": KindLocation,
	"liability": KindLiability, "control": KindControl,
}

var codePattern = regexp.MustCompile(`^[a-z]+(:[A-Za-z0-9._-]+)+$`)

// Account is one account of the ledger.
type Account struct {
	// ID is the account's number. Callers may choose one of 1 to [MaxAccountID]; 0 lets the ledger choose one above.
	ID int64
	// Code is the unique name, such as cust:100018, street:cns; its first part must show the kind.
	Code string
	// Kind is taken from the code when left out.
	Kind AccountKind
	// Entity is the number of the legal entity that owns a customer's account, 0 if there is none.
	Entity int64
	// Name is free text.
	Name string
}

// AccountRef names an account in a request: by id, by code, or by both if they agree.
type AccountRef struct {
	ID   int64
	Code string
}

// IsZero reports whether no account is named.
func (r AccountRef) IsZero() bool { return r == AccountRef{} }

// KindOfCode gives the kind that an account code shows.
func KindOfCode(code string) (AccountKind, bool) {
	prefix, _, _ := strings.Cut(code, ":")
	kind, ok := codePrefixes[prefix]
	return kind, ok
}

// normalize fills in the kind and checks the form.
func (a *Account) normalize() *Rejection {
	if a.ID < 0 || a.ID > MaxAccountID {
		return Reject(ReasonInvalid, "account.id", "%d is not between 1 and %d", a.ID, int64(MaxAccountID))
	}
	if a.Code == "" {
		return Reject(ReasonMissing, "account.code", "an account needs a code such as cust:100018")
	}
	if len(a.Code) > MaxCodeBytes {
		return Reject(ReasonTooLarge, "account.code", "%d bytes, %d are allowed", len(a.Code), MaxCodeBytes)
	}
	if !codePattern.MatchString(a.Code) {
		return Reject(ReasonInvalid, "account.code", "%q is not of the form kind:name", a.Code)
	}
	kind, ok := KindOfCode(a.Code)
	if !ok {
		return Reject(ReasonInvalid, "account.code", "%q begins with none of cust, firm, street, location, liability, control", a.Code)
	}
	if a.Kind == "" {
		a.Kind = kind
	}
	if a.Kind != kind {
		return Reject(ReasonInvalid, "account.kind", "%s does not fit the code %q", a.Kind, a.Code)
	}
	if a.Entity < 0 {
		return Reject(ReasonInvalid, "account.entity", "%d is below zero", a.Entity)
	}
	return checkText("account.name", a.Name, MaxNameBytes)
}
