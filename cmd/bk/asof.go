package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// dateFlag is a flag with a day in it.
type dateFlag struct{ date int32 }

// String, Set and Type make it a flag.
func (d *dateFlag) String() string { return day(d.date) }

// Set reads 2013-10-16 or 20131016.
func (d *dateFlag) Set(text string) (err error) {
	d.date, err = parseDay(text)
	return err
}

// Type names the value in the help.
func (d *dateFlag) Type() string { return "date" }

func parseDay(text string) (int32, error) {
	n, err := parseNumber(strings.ReplaceAll(text, "-", ""))
	plain := len(text) == 8
	if !plain {
		_, dashed := time.Parse(time.DateOnly, text)
		plain = dashed == nil
	}
	if date := ledger.Date(n); err == nil && plain && n == int64(date) && date.Valid() {
		return int32(date), nil
	}
	return 0, fmt.Errorf("%q is no day such as 2013-10-16 or 20131016", text)
}

// asOf is --as-of and --known-at: the two times of a read.
type asOf struct {
	date    dateFlag
	knownAt string
}

func (a *asOf) bind(cmd *cobra.Command, needs string) {
	cmd.Flags().Var(&a.date, "as-of", "the books as of this effective date"+needs)
	cmd.Flags().StringVar(&a.knownAt, "known-at", "", "as they were known then: a token (shard:sequence) or a time (2013-10-16T17:30:00Z)"+needs)
}

func (a *asOf) given() bool { return a.date.date != 0 || a.knownAt != "" }

// instrumentRef finds the instrument that a text names: by an identifier as bk instruments shows it (cusip:037833100:USA:USD), or by its symbol,
// if only one has that.
func instrumentRef(ctx context.Context, c *client.Client, text string) (*bkv1.Identifier, error) {
	if text == "" {
		return nil, nil
	}
	if scheme, rest, ok := strings.Cut(text, ":"); ok {
		number := bkv1.IdentifierType_value["IDENTIFIER_TYPE_"+strings.ToUpper(scheme)]
		parts := append(strings.Split(rest, ":"), "", "")
		if number == 0 || len(parts) > 5 {
			return nil, usageError("instrument: %q is no identifier of the form type:value:country:currency", text)
		}
		return &bkv1.Identifier{Type: bkv1.IdentifierType(number), Value: parts[0], Country: parts[1], Currency: parts[2]}, nil
	}
	var found []*bkv1.Instrument
	err := pages(func(token string) (string, bool, error) {
		res, err := c.Directory.ListInstruments(ctx, connect.NewRequest(&bkv1.ListInstrumentsRequest{PageSize: ptr(int32(pageRows)), PageToken: token}))
		if err != nil {
			return "", false, err
		}
		for _, in := range res.Msg.Instruments {
			if in.Symbol == text || slices.ContainsFunc(in.Identifiers, func(id *bkv1.Identifier) bool { return id.Value == text }) {
				found = append(found, in)
			}
		}
		return res.Msg.NextPageToken, true, nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("instrument: there is no %s", text)
	case len(found) > 1:
		return nil, usageError("instrument: there are several of the name %s: give one of %s, %s", text, identifiers(found[0]), identifiers(found[1]))
	}
	return found[0].Identifiers[0], nil
}
