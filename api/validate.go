package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// checker checks messages against the rules that the proto files declare.
type checker struct{ validator protovalidate.Validator }

func newChecker() (*checker, error) {
	validator, err := protovalidate.New(
		protovalidate.WithMessages(
			&bkv1.Command{}, &bkv1.BookEntryRequest{}, &bkv1.BookEventRequest{}, &bkv1.BookTradeRequest{}, &bkv1.BookBatchRequest{}, &bkv1.CancelTradeRequest{},
			&bkv1.CorrectTradeRequest{}, &bkv1.CreateAccountRequest{}, &bkv1.CreateAccountsRequest{}, &bkv1.CreateInstrumentRequest{},
			&bkv1.CreateInstrumentsRequest{}, &bkv1.GetAccountRequest{}, &bkv1.GetInstrumentRequest{}, &bkv1.GetEntryRequest{},
			&bkv1.GetTradeRequest{}, &bkv1.ListAccountsRequest{}, &bkv1.ListInstrumentsRequest{}, &bkv1.ListEntriesRequest{},
			&bkv1.ListBalancesRequest{}, &bkv1.TrialBalanceRequest{}, &bkv1.GetStatementRequest{}, &bkv1.WatchJournalRequest{},
			&bkv1.RebuildRequest{}, &bkv1.RollRequest{}, &bkv1.ListTradesRequest{}, &bkv1.ListPositionsRequest{}, &bkv1.ListCashRequest{},
			&bkv1.GetStockRecordRequest{}, &bkv1.ListStockRecordsRequest{}, &bkv1.ListCutsRequest{}, &bkv1.ListCutRowsRequest{},
			&bkv1.GetBusinessDateRequest{},
		),
	)
	if err != nil {
		return nil, fmt.Errorf("api: the rules of the proto files: %w", err)
	}
	return &checker{validator}, nil
}

// check gives the first broken rule in the order of [ledger.Reasons], and within a reason in the order of the fields; nil if all hold.
func (c *checker) check(message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return nil
	}
	err := c.validator.Validate(m)
	if err == nil {
		return nil
	}
	var broken *protovalidate.ValidationError
	if !errors.As(err, &broken) || len(broken.Violations) == 0 {
		return fmt.Errorf("check %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	order := ledger.Reasons()
	var first *ledger.Rejection
	rank := len(order)
	for _, v := range broken.Violations {
		rej := rejectionOf(v)
		if r := slices.Index(order, rej.Reason); first == nil || r < rank {
			first, rank = rej, r
		}
	}
	return first
}

// rejectionOf converts a broken rule.
func rejectionOf(v *protovalidate.Violation) *ledger.Rejection {
	rule := v.Proto.GetRuleId()
	reason := ledger.ReasonInvalid
	switch rule {
	case "required", "message.oneof", "string.min_bytes", "string.min_len":
		reason = ledger.ReasonMissing
	case "string.max_bytes", "string.max_len", "bytes.max_len", "repeated.max_items", "map.max_pairs":
		reason = ledger.ReasonTooLarge
	}
	field := protovalidate.FieldPathString(v.Proto.GetField())
	if name, ok := strings.CutSuffix(rule, ".required"); ok {
		reason = ledger.ReasonMissing
		if field == "" {
			field = name // a rule of the message: it is needed with others
		}
	}
	message := v.Proto.GetMessage()
	if message == "" {
		message = "breaks the rule " + rule
	}
	return &ledger.Rejection{Reason: reason, Field: field, Message: message}
}

// command is what commands of all forms have: single requests, and the elements of batches and streams.
type command interface {
	proto.Message
	GetMetadata() map[string]string
}

// explain gives the answer for a command that wire or ledger refused. They stop at the first thing that they find wrong; what the
// command breaks of the declared rules, and the one limit that can't be declared, come before it where [ledger.Reasons] has them so,
// and among equals.
func (c *checker) explain(message command, refused *ledger.Rejection) *ledger.Rejection {
	order := ledger.Reasons()
	first := refused
	rank := func(rej *ledger.Rejection) int { return slices.Index(order, rej.Reason) }
	if rej := ledger.CheckMetadata(message.GetMetadata()); rej != nil && rank(rej) < rank(first) {
		first = rej
	}
	if rej := ledger.AsRejection(c.check(message)); rej != nil && rank(rej) <= rank(first) {
		first = rej
	}
	return first
}

// explained reports whether a message is a command by itself, whose handler has its refusals explained: it is not checked before.
func explained(message any) bool {
	switch message.(type) {
	case *bkv1.BookEntryRequest, *bkv1.BookEventRequest, *bkv1.BookTradeRequest, *bkv1.CancelTradeRequest, *bkv1.CorrectTradeRequest:
		return true
	}
	return false
}
