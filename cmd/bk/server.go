package main

import (
	"context"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

const (
	defaultServer = "http://127.0.0.1:7070"
	serverVar     = "BK_SERVER"
	pageRows      = 1000
	readPatience  = time.Minute // how long a read is made again while the server's projections catch up
)

// remote is --server.
type remote struct{ address string }

func (r *remote) bind(cmd *cobra.Command) {
	address := os.Getenv(serverVar)
	if address == "" {
		address = defaultServer
	}
	cmd.Flags().StringVar(&r.address, "server", address, "the server's URL; the environment's "+serverVar+" if left out")
}

// dial makes the client; it connects with the first call.
func (r *remote) dial() (*client.Client, error) {
	// Answers uncompressed: a ledger and its clients are near each other, and gzip costs more than the way.
	c, err := client.New(r.address, connect.WithAcceptCompression("gzip", nil, nil))
	if err != nil {
		return nil, usageError("--server: %w", err)
	}
	return c, nil
}

// connected gives a client and the journal's head, so that a read with at_least set to it sees all that was booked before.
func (r *remote) connected(ctx context.Context) (*client.Client, string, error) {
	c, err := r.dial()
	if err != nil {
		return nil, "", err
	}
	res, err := c.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		c.Close()
		return nil, "", err
	}
	return c, res.Msg.Head, nil
}

// patiently makes a read again while the server says that it has not caught up.
func patiently[T any](ctx context.Context, read func(context.Context) (*connect.Response[T], error)) (*T, error) {
	for start := time.Now(); ; {
		res, err := read(ctx)
		if err == nil {
			return res.Msg, nil
		}
		if client.Reason(err) != "behind" || time.Since(start) > readPatience {
			return nil, err
		}
	}
}

// pages walks over pages until next is empty or more says that it is enough.
func pages(page func(token string) (next string, more bool, err error)) error {
	token := ""
	for {
		next, more, err := page(token)
		if err != nil || next == "" || !more {
			return err
		}
		token = next
	}
}

// givenAccount refuses an --account that is given and empty, as an unset variable of a script is: it would mean all accounts.
func givenAccount(cmd *cobra.Command, account string) error {
	if account == "" && cmd.Flags().Changed("account") {
		return usageError("--account: is empty")
	}
	return nil
}

// accountRef reads an account's number or code; "" is none.
func accountRef(text string) (*bkv1.AccountRef, error) {
	if text == "" {
		return nil, nil
	}
	if strings.Contains(text, ":") {
		return &bkv1.AccountRef{Code: text}, nil
	}
	id, err := parseNumber(text)
	if err != nil || id == 0 {
		return nil, usageError("account: %q is neither an id (100018) nor a code (cust:100018)", text)
	}
	return &bkv1.AccountRef{Id: id}, nil
}

// enumWord makes of ACCOUNT_KIND_CUSTOMER customer.
func enumWord(name, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(name, prefix))
}

func ptr[T any](v T) *T { return &v }
