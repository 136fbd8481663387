package main

import (
	"context"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

func newAccountsCommand(a *app) *cobra.Command {
	var server remote
	var out output
	cmd := &cobra.Command{
		Use:   "accounts",
		Short: "List all accounts, the ledger's own too",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.accounts(cmd.Context(), &server, &out) },
	}
	server.bind(cmd)
	out.bind(cmd, asTable, asCSV, asJSON)
	return cmd
}

func newInstrumentsCommand(a *app) *cobra.Command {
	var server remote
	var out output
	cmd := &cobra.Command{
		Use:   "instruments",
		Short: "List all instruments: securities and currencies",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.instruments(cmd.Context(), &server, &out) },
	}
	server.bind(cmd)
	out.bind(cmd, asTable, asCSV, asJSON)
	return cmd
}

func (a *app) accounts(ctx context.Context, server *remote, out *output) error {
	c, head, err := server.connected(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	l := list(a.out, out.form, ">account_id", "code", "kind", ">entity_id", "name")
	err = pages(func(token string) (string, bool, error) {
		req := &bkv1.ListAccountsRequest{PageSize: ptr(int32(pageRows)), PageToken: token, AtLeast: head}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListAccountsResponse], error) {
			return c.Directory.ListAccounts(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, account := range res.Accounts {
			kind := enumWord(account.Kind.String(), "ACCOUNT_KIND_")
			if err := l.add(account.Id, account.Code, kind, account.Entity, account.Name); err != nil {
				return "", false, err
			}
		}
		return res.NextPageToken, true, nil
	})
	if err != nil {
		return err
	}
	return l.end()
}

func (a *app) instruments(ctx context.Context, server *remote, out *output) error {
	c, head, err := server.connected(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	l := list(a.out, out.form, ">instrument_id", "symbol", "kind", "identifiers")
	err = pages(func(token string) (string, bool, error) {
		req := &bkv1.ListInstrumentsRequest{PageSize: ptr(int32(pageRows)), PageToken: token, AtLeast: head}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListInstrumentsResponse], error) {
			return c.Directory.ListInstruments(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, in := range res.Instruments {
			kind := enumWord(in.Kind.String(), "INSTRUMENT_KIND_")
			if err := l.add(in.Id, in.Symbol, kind, identifiers(in)); err != nil {
				return "", false, err
			}
		}
		return res.NextPageToken, true, nil
	})
	if err != nil {
		return err
	}
	return l.end()
}

// identifiers writes type:value:country:currency of each.
func identifiers(in *bkv1.Instrument) string {
	var texts []string
	for _, id := range in.Identifiers {
		scheme := enumWord(id.Type.String(), "IDENTIFIER_TYPE_")
		texts = append(texts, strings.TrimRight(strings.Join([]string{scheme, id.Value, id.Country, id.Currency}, ":"), ":"))
	}
	return strings.Join(texts, " ")
}
