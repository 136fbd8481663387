package ledger

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Field says what one of an event's fields ([Command.Fields]) may hold. A rule declares all of its kind's; others are refused.
type Field struct {
	Name     string
	Type     FieldType
	Optional bool   // may be left out; "" is left out
	Default  string // what a field that is left out stands for: written out or not, it is the same request
}

// FieldType is a form of fields. Each has one canonical text, so that the same value written in two ways is the same request.
type FieldType int

// The forms.
const (
	TextField        FieldType = iota // free text
	AccountField                      // an account, by id or code; canonical is the id
	CurrencyField                     // an ISO 4217 code
	PositiveField                     // an amount above zero
	NotNegativeField                  // an amount of zero or more
	PartyField                        // a market participant's code of 1 to 10 letters and digits; canonical are capitals
	// SecurityField is four fields: an identifier, and behind the name _type (ticker if left out), _country and _currency, which are needed
	// as in [Identifier].
	SecurityField
)

// securityParts are what follows the name of a [SecurityField].
var securityParts = [...]string{"", "_type", "_country", "_currency"}

// names gives the names of all fields that the field stands for.
func (f *Field) names() []string {
	if f.Type != SecurityField {
		return []string{f.Name}
	}
	names := make([]string, len(securityParts))
	for i, part := range securityParts {
		names[i] = f.Name + part
	}
	return names
}

// normalizeFields checks the fields against what the command's rule declares and makes them canonical. Of several faults it gives the
// one of first precedence.
func (c *Command) normalizeFields(schema []Field) (first *Rejection) {
	if len(c.Fields) == 0 && len(schema) == 0 {
		return nil
	}
	given := maps.Clone(c.Fields)
	maps.DeleteFunc(given, func(_, value string) bool { return value == "" })
	fields := make(map[string]string, len(schema))
	for i := range schema {
		f := &schema[i]
		first = earlier(first, f.normalize(c.Kind, given, fields))
		for _, name := range f.names() {
			delete(given, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		first = earlier(first, Reject(ReasonInvalid, "fields."+name, "a %s has no such field", c.Kind))
	}
	if first != nil {
		return first
	}
	if c.Fields = fields; len(fields) == 0 {
		c.Fields = nil
	}
	return nil
}

// normalize moves a field from given to fields, in canonical form.
func (f *Field) normalize(kind Kind, given, fields map[string]string) *Rejection {
	value, field := cmp.Or(given[f.Name], f.Default), "fields."+f.Name
	if value == "" {
		if f.Optional {
			return nil
		}
		return Reject(ReasonMissing, field, "a %s needs it", kind)
	}
	if f.Type == SecurityField {
		return f.normalizeSecurity(given, fields)
	}
	canonical, rej := f.canonical(field, value)
	if rej == nil {
		fields[f.Name] = canonical
	}
	return rej
}

// canonical gives the one text of a value.
func (f *Field) canonical(field, value string) (string, *Rejection) {
	switch f.Type {
	case AccountField:
		ref, rej := parseRef(field, value)
		if rej != nil || ref.Code != "" {
			return value, rej
		}
		return strconv.FormatInt(ref.ID, 10), nil
	case CurrencyField:
		return value, checkCurrency(field, value)
	case PositiveField, NotNegativeField:
		amount, err := ParseAmount(value)
		if err != nil {
			return "", rejectAmount(field, err)
		}
		if amount.IsZero() && f.Type == PositiveField {
			return "", Reject(ReasonInvalid, field, "is zero")
		}
		if amount.Sign() < 0 {
			return "", Reject(ReasonInvalid, field, "%s is below zero", amount)
		}
		return amount.String(), nil
	case PartyField:
		if !madeOf(value, 1, MaxMPIDBytes, letters|digits, "") {
			return "", Reject(ReasonInvalid, field, "%q is not 1 to %d letters and digits", value, MaxMPIDBytes)
		}
		return strings.ToUpper(value), nil
	}
	return value, nil
}

// parseRef reads an account's id, or its code: those have a colon in them.
func parseRef(field, text string) (AccountRef, *Rejection) {
	if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 {
		return AccountRef{ID: id}, nil
	}
	if len(text) > MaxCodeBytes || !codePattern.MatchString(text) {
		return AccountRef{}, Reject(ReasonInvalid, field, "%q is neither an account's code such as cust:100018 nor its id", text)
	}
	return AccountRef{Code: text}, nil
}

// normalizeSecurity moves an identifier's four fields from given to fields.
func (f *Field) normalizeSecurity(given, fields map[string]string) *Rejection {
	id := f.identifier(given)
	id.Type = cmp.Or(id.Type, Ticker)
	if rej := id.check(""); rej != nil { // of the field .value, .type, .country or .currency
		part := strings.Replace(strings.TrimSuffix(rej.Field, ".value"), ".", "_", 1)
		return Reject(rej.Reason, "fields."+f.Name+part, "%s", rej.Message)
	}
	if id.Type == ISO {
		return Reject(ReasonInvalid, "fields."+f.Name+"_type", "a currency is no security")
	}
	id = id.key()
	for i, value := range [...]string{id.Value, string(id.Type), id.Country, id.Currency} {
		if value != "" {
			fields[f.Name+securityParts[i]] = value
		}
	}
	return nil
}

// identifier reads the four fields of a [SecurityField].
func (f *Field) identifier(fields map[string]string) Identifier {
	return Identifier{
		Value: fields[f.Name], Type: IdentifierType(fields[f.Name+"_type"]), Country: fields[f.Name+"_country"], Currency: fields[f.Name+"_currency"],
	}
}

// checkSchema panics where a rule's fields are no schema: that is a fault of the program.
func checkSchema(kind Kind, schema []Field) {
	var names []string
	for i := range schema {
		names = append(names, schema[i].names()...)
	}
	slices.Sort(names)
	for i, name := range names {
		if !fieldPattern.MatchString(name) || i > 0 && names[i-1] == name {
			panic("ledger: rule " + string(kind) + " declares the field " + name + " twice, or it is no name")
		}
	}
}

// earlier gives the rejection of first precedence; of two of the same reason the one that was found first.
func earlier(found, next *Rejection) *Rejection {
	if found == nil || next != nil && slices.Index(Reasons(), next.Reason) < slices.Index(Reasons(), found.Reason) {
		return next
	}
	return found
}
