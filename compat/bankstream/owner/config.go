package owner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/ledger"
)

// ErrNotYet says that it can't be told yet whose an entry is, or that the stream's turn has not come: ask again later. The reason is in its text.
var ErrNotYet = errors.New("it is not known yet who publishes it")

// Bank is Bank's relay. *bank.Client is one.
type Bank interface {
	Relay(context.Context) (bank.Relay, error)
	SetRelay(context.Context, bank.RelaySetting) (bank.Relay, error)
}

// Journal says how far BK is. [BK] gives a node's.
type Journal interface {
	// Head gives the sequence of the last entry.
	Head(context.Context) (int64, error)
	// Published gives that of the last that BK's topic has.
	Published(context.Context) (int64, error)
}

// Config says what an [Owner] is. The zero value of a field is its default.
type Config struct {
	// Pool is the façade's database. Needed; the caller closes it.
	Pool *pgxpool.Pool
	// Bank: needed.
	Bank Bank
	// BK: needed.
	BK Journal
	// Brokers are the bootstrap addresses of the Kafka that has BK's topic. None: Bank gets its topics back from another instance that has some. Options say how they are reached.
	Brokers []string
	Options []kgo.Opt
	// Events is BK's topic (bk.events.v1), Group the stream's consumer group. Group is needed with Brokers.
	Events, Group string
	// Poll is how often Bank's relay is looked after (250 ms).
	Poll time.Duration
	// Wait is how long [Owner.Of] waits at most before it gives [ErrNotYet] (100 ms): the caller may have a transaction open.
	Wait time.Duration
	// Log: default none.
	Log *slog.Logger
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Events == "" {
		c.Events = "bk.events.v1"
	}
	if c.Poll == 0 {
		c.Poll = 250 * time.Millisecond
	}
	if c.Wait == 0 {
		c.Wait = 100 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Pool != nil, "Pool: needed")
	check(c.Bank != nil, "Bank: needed")
	check(c.BK != nil, "BK: needed")
	check(len(c.Brokers) == 0 || c.Group != "", "Group: needed with Brokers")
	check(c.Poll >= time.Millisecond && c.Poll <= time.Minute, "Poll: %s is not between 1ms and 1m", c.Poll)
	check(c.Wait > 0 && c.Wait <= time.Minute, "Wait: %s is not between 0 and 1m", c.Wait)
	return errors.Join(errs...)
}

// BK gives a node's journal.
func BK(c *client.Client) Journal { return node{c} }

type node struct{ client *client.Client }

func (n node) status(ctx context.Context) (*bkv1.StatusResponse, error) {
	status, err := n.client.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		return nil, fmt.Errorf("BK: %w", err)
	}
	return status.Msg, nil
}

func (n node) Head(ctx context.Context) (int64, error) {
	status, err := n.status(ctx)
	if err != nil {
		return 0, err
	}
	head, err := ledger.ParseToken(status.GetHead())
	if err != nil {
		return 0, fmt.Errorf("BK: the end of its journal: %w", err)
	}
	return int64(head.Seq), nil
}

func (n node) Published(ctx context.Context) (int64, error) {
	status, err := n.status(ctx)
	if err != nil {
		return 0, err
	}
	if status.GetPublisher() == nil {
		return 0, errors.New("BK: the server that answers publishes nothing to Kafka")
	}
	return status.GetPublisher().GetSequence(), nil
}
