package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

const (
	invalid = connect.CodeInvalidArgument
	exists  = connect.CodeAlreadyExists
	nothere = connect.CodeNotFound
)

// TestRejections is the table of what callers can do wrong: each row is answered with its code, its reason and its field.
func TestRejections(t *testing.T) {
	t.Parallel()
	b := serve(t)
	first := b.book(t, buying("first"))
	canceled := b.book(t, buying("canceled"))
	if _, err := b.Booking.CancelTrade(t.Context(), connect.NewRequest(&bkv1.CancelTradeRequest{Key: "c", Target: &bkv1.Target{Trade: canceled.TradeId}})); err != nil {
		t.Fatal(err)
	}
	entry, err := b.Booking.BookEntry(t.Context(), connect.NewRequest(deposit("deposit")))
	if err != nil {
		t.Fatal(err)
	}

	trade := func(change func(*bkv1.BookTradeRequest)) func(context.Context) error {
		return func(ctx context.Context) error {
			req := buying("rejected")
			change(req)
			_, err := b.Booking.BookTrade(ctx, connect.NewRequest(req))
			return err
		}
	}
	postings := func(change func(*bkv1.BookEntryRequest)) func(context.Context) error {
		return func(ctx context.Context) error {
			req := deposit("rejected")
			change(req)
			_, err := b.Booking.BookEntry(ctx, connect.NewRequest(req))
			return err
		}
	}
	cancel := func(req *bkv1.CancelTradeRequest) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Booking.CancelTrade(ctx, connect.NewRequest(req))
			return err
		}
	}
	correct := func(target *bkv1.Target, change func(*bkv1.Trade)) func(context.Context) error {
		return func(ctx context.Context) error {
			req := &bkv1.CorrectTradeRequest{Key: "rejected", TradeDate: 20131007, Target: target, Trade: buy()}
			change(req.Trade)
			_, err := b.Booking.CorrectTrade(ctx, connect.NewRequest(req))
			return err
		}
	}
	batch := func(mode bkv1.BatchMode, commands ...*bkv1.Command) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Booking.BookBatch(ctx, connect.NewRequest(&bkv1.BookBatchRequest{Mode: mode, Commands: commands}))
			return err
		}
	}
	atomic := func(change func(*bkv1.Command)) func(context.Context) error {
		bad := buyCommand("rejected-2")
		change(bad)
		return batch(bkv1.BatchMode_BATCH_MODE_ATOMIC, buyCommand("rejected-1"), bad)
	}
	open := func(a *bkv1.Account) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Directory.CreateAccount(ctx, connect.NewRequest(&bkv1.CreateAccountRequest{Account: a}))
			return err
		}
	}
	define := func(in *bkv1.Instrument) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Directory.CreateInstrument(ctx, connect.NewRequest(&bkv1.CreateInstrumentRequest{Instrument: in}))
			return err
		}
	}
	list := func(req *bkv1.ListEntriesRequest) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Query.ListEntries(ctx, connect.NewRequest(req))
			return err
		}
	}
	size := func(n int32) *int32 { return &n }
	long := strings.Repeat("x", 300)
	large := map[string]string{"a": strings.Repeat("x", 66<<10)}
	none := func(*bkv1.Trade) {}

	for _, row := range []struct {
		name   string
		call   func(context.Context) error
		code   connect.Code
		reason string
		field  string
	}{
		// Envelope.
		{"key missing", trade(func(r *bkv1.BookTradeRequest) { r.Key = "" }), invalid, "missing_field", "key"},
		{"key of 257 bytes", trade(func(r *bkv1.BookTradeRequest) { r.Key = long[:257] }), invalid, "too_large", "key"},
		{"key with a control character", trade(func(r *bkv1.BookTradeRequest) { r.Key = "a\nb" }), invalid, "invalid_field", "key"},
		{"key reuse with other content", trade(func(r *bkv1.BookTradeRequest) { r.Key, r.Trade.Quantity = "first", "101" }), exists, "key_conflict", "key"},
		{"key reuse with other metadata", trade(func(r *bkv1.BookTradeRequest) { r.Key, r.Metadata = "first", map[string]string{"a": "b"} }), exists, "key_conflict", "key"},
		{"key reuse wins over unknown account", trade(func(r *bkv1.BookTradeRequest) { r.Key, r.Trade.Account = "first", account("cust:nobody") }), exists, "key_conflict", "key"},
		{"source too long", trade(func(r *bkv1.BookTradeRequest) { r.Source = long }), invalid, "too_large", "source"},
		{"metadata too large", trade(func(r *bkv1.BookTradeRequest) { r.Metadata = map[string]string{"a": strings.Repeat("x", 64<<10)} }), invalid, "too_large", "metadata"},
		{"metadata without a name", trade(func(r *bkv1.BookTradeRequest) { r.Metadata = map[string]string{"": "x"} }), invalid, "invalid_field", "metadata"},
		{"too large beats missing", trade(func(r *bkv1.BookTradeRequest) { r.Key, r.Source = "", long }), invalid, "too_large", "source"},
		{"too large metadata beat a missing entry", postings(func(r *bkv1.BookEntryRequest) { r.Metadata, r.Entry = large, nil }), invalid, "too_large", "metadata"},
		{"too large metadata beat a missing trade", trade(func(r *bkv1.BookTradeRequest) { r.Metadata, r.Trade = large, nil }), invalid, "too_large", "metadata"},
		{"too large metadata beat a missing target", cancel(&bkv1.CancelTradeRequest{Key: "x", Metadata: large}), invalid, "too_large", "metadata"},
		{"too large metadata beat a bad price", trade(func(r *bkv1.BookTradeRequest) { r.Metadata, r.Trade.Price = large, "x" }), invalid, "too_large", "metadata"},
		{"too large metadata beat an empty command", atomic(func(c *bkv1.Command) { c.Metadata, c.Command = large, nil }), invalid, "too_large", "commands[1].metadata"},
		{"too large metadata beat no postings", atomic(func(c *bkv1.Command) {
			c.Metadata, c.Command = large, &bkv1.Command_Entry{Entry: &bkv1.NewEntry{}}
		}), invalid, "too_large", "commands[1].metadata"},
		{"too large text beats large metadata, by its place", trade(func(r *bkv1.BookTradeRequest) { r.Metadata, r.Source = large, long }), invalid, "too_large", "source"},
		{"missing beats invalid", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Price, r.Trade.ExecutedAt = "x", nil }), invalid, "missing_field", "trade.executed_at"},
		{"missing beats invalid in a batch", atomic(func(c *bkv1.Command) { c.GetTrade().Price, c.GetTrade().ExecutedAt = "x", nil }), invalid, "missing_field", "commands[1].trade.executed_at"},
		{"invalid beats out of range", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Quantity, r.Trade.Price = "1234567890123456789", "x" }), invalid, "invalid_field", "trade.price"},
		{"missing beats the unknown", postings(func(r *bkv1.BookEntryRequest) {
			r.Entry.Postings[0].Account, r.Entry.Postings[1].Instrument = account("firm:none"), nil
		}), invalid, "missing_field", "entry.postings[1].instrument"},
		// Dates.
		{"no such day", trade(func(r *bkv1.BookTradeRequest) { r.TradeDate = 20130230 }), invalid, "invalid_field", "trade_date"},
		{"day before 2001", trade(func(r *bkv1.BookTradeRequest) { r.TradeDate = 19991231 }), invalid, "invalid_field", "trade_date"},
		{"day after 2100", trade(func(r *bkv1.BookTradeRequest) { r.TradeDate = 21000102 }), invalid, "invalid_field", "trade_date"},
		{"trade date missing", trade(func(r *bkv1.BookTradeRequest) { r.TradeDate = 0 }), invalid, "missing_field", "trade_date"},
		{"settled before traded", trade(func(r *bkv1.BookTradeRequest) { r.SettleDate = 20131004 }), invalid, "invalid_field", "settle_date"},
		{"effective on no day", trade(func(r *bkv1.BookTradeRequest) { r.EffectiveDate = 20130931 }), invalid, "invalid_field", "effective_date"},
		// Amounts.
		{"19 integer digits", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Quantity = "1234567890123456789" }), invalid, "out_of_range", "trade.quantity"},
		{"11 fraction digits", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Price = "1.00000000001" }), invalid, "out_of_range", "trade.price"},
		{"product out of scale", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Quantity, r.Trade.Price = "0.000001", "0.000001" }), invalid, "out_of_range", "trade.price"},
		{"product out of range", trade(func(r *bkv1.BookTradeRequest) {
			r.Trade.Quantity, r.Trade.Price = "999999999999999999", "999999999999999999"
		}), invalid, "out_of_range", "trade.price"},
		{"NaN", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Quantity = "NaN" }), invalid, "invalid_field", "trade.quantity"},
		{"infinity", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Price = "Inf" }), invalid, "invalid_field", "trade.price"},
		{"exponent", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Price = "1e3" }), invalid, "invalid_field", "trade.price"},
		{"comma", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Commission = "1,25" }), invalid, "invalid_field", "trade.commission"},
		{"empty quantity", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Quantity = "" }), invalid, "missing_field", "trade.quantity"},
		{"zeros without end", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Price = strings.Repeat("0", 65) }), invalid, "too_large", "trade.price"},
		{"negative quantity", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Quantity = "-100" }), invalid, "invalid_field", "trade.quantity"},
		{"zero quantity", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Quantity = "0" }), invalid, "invalid_field", "trade.quantity"},
		{"negative price", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Price = "-1" }), invalid, "invalid_field", "trade.price"},
		// Trades.
		{"trade missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade = nil }), invalid, "missing_field", "trade"},
		{"type missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Type = 0 }), invalid, "missing_field", "trade.type"},
		{"type unknown", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Type = 77 }), invalid, "invalid_field", "trade.type"},
		{"execution time missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade.ExecutedAt = nil }), invalid, "missing_field", "trade.executed_at"},
		{"execution time before 1970", trade(func(r *bkv1.BookTradeRequest) { r.Trade.ExecutedAt = timestamppb.New(time.Unix(-1, 0)) }), invalid, "invalid_field", "trade.executed_at"},
		{"direction missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Direction = 0 }), invalid, "missing_field", "trade.direction"},
		{"short buy", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Short = true }), invalid, "invalid_field", "trade.short"},
		{"capacity missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Capacity = 0 }), invalid, "missing_field", "trade.capacity"},
		{"market missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Mic = "" }), invalid, "missing_field", "trade.mic"},
		{"market too long", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Mic = "XXXXXXXXXXX" }), invalid, "too_large", "trade.mic"},
		{"executing party missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade.ExecMpid = "" }), invalid, "missing_field", "trade.exec_mpid"},
		{"contra party missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Type = bkv1.TradeType_TRADE_TYPE_AWAY }), invalid, "missing_field", "trade.contra_mpid"},
		{"target missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Type = bkv1.TradeType_TRADE_TYPE_TRANSFER }), invalid, "missing_field", "trade.target"},
		{"target the same account", trade(func(r *bkv1.BookTradeRequest) {
			r.Trade.Type, r.Trade.Target = bkv1.TradeType_TRADE_TYPE_ALLOCATION, account("cust:100018")
		}), invalid, "invalid_field", "trade.target"},
		{"account missing", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Account = nil }), invalid, "missing_field", "trade.account"},
		{"account unknown", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Account = account("cust:nobody") }), nothere, "unknown_account", "trade.account"},
		{"account's id and code disagree", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Account = &bkv1.AccountRef{Id: 1, Code: "cust:100018"} }), nothere, "unknown_account", "trade.account"},
		{"instrument unknown", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Instrument = ticker("ZZZZ") }), nothere, "unknown_instrument", "trade.instrument"},
		{"instrument without country", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Instrument.Country = "" }), invalid, "missing_field", "trade.instrument.country"},
		{"currency traded as a security", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Instrument = usd() }), invalid, "invalid_field", "trade.instrument.type"},
		{"wrong currency", trade(func(r *bkv1.BookTradeRequest) { r.Trade.Currency = "EUR" }), invalid, "wrong_currency", "trade.currency"},
		{"replaces nothing", trade(func(r *bkv1.BookTradeRequest) { r.Replaces = &bkv1.Replaces{} }), invalid, "missing_field", "replaces"},
		{"replaces the unknown", trade(func(r *bkv1.BookTradeRequest) { r.Replaces = &bkv1.Replaces{Key: "never"} }), nothere, "trade_not_found", "replaces"},
		// Postings.
		{"unbalanced", postings(func(r *bkv1.BookEntryRequest) { r.Entry.Postings[0].Quantity = "251" }), invalid, "unbalanced", "entry.postings"},
		{"entry missing", postings(func(r *bkv1.BookEntryRequest) { r.Entry = nil }), invalid, "missing_field", "entry"},
		{"no postings", postings(func(r *bkv1.BookEntryRequest) { r.Entry.Postings = nil }), invalid, "missing_field", "entry.postings"},
		{"1 posting", postings(func(r *bkv1.BookEntryRequest) { r.Entry.Postings = r.Entry.Postings[:1] }), invalid, "invalid_field", "entry.postings"},
		{"1001 postings", postings(func(r *bkv1.BookEntryRequest) {
			for len(r.Entry.Postings) < 1001 {
				r.Entry.Postings = append(r.Entry.Postings, r.Entry.Postings[0])
			}
		}), invalid, "too_large", "entry.postings"},
		{"zero posting", postings(func(r *bkv1.BookEntryRequest) { r.Entry.Postings[1].Quantity = "0.00" }), invalid, "invalid_field", "entry.postings[1].quantity"},
		{"posting out of range", postings(func(r *bkv1.BookEntryRequest) { r.Entry.Postings[1].Quantity = "-1000000000000000000" }), invalid, "out_of_range", "entry.postings[1].quantity"},
		{"posting's account unknown", postings(func(r *bkv1.BookEntryRequest) { r.Entry.Postings[1].Account = account("firm:none") }), nothere, "unknown_account", "entry.postings[1].account"},
		{"posting's bucket unknown", postings(func(r *bkv1.BookEntryRequest) { r.Entry.Postings[0].Bucket = 9 }), invalid, "invalid_field", "entry.postings[0].bucket"},
		{"posting without instrument", postings(func(r *bkv1.BookEntryRequest) { r.Entry.Postings[0].Instrument = nil }), invalid, "missing_field", "entry.postings[0].instrument"},
		// Cancels and corrections.
		{"cancel without target", cancel(&bkv1.CancelTradeRequest{Key: "x"}), invalid, "missing_field", "target"},
		{"cancel of the unknown by id", cancel(&bkv1.CancelTradeRequest{Key: "x", Target: &bkv1.Target{Trade: 1 << 40}}), nothere, "trade_not_found", "target"},
		{"cancel of the unknown by key", cancel(&bkv1.CancelTradeRequest{Key: "x", Target: &bkv1.Target{Key: "never"}}), nothere, "trade_not_found", "target"},
		{"cancel of what is no trade", cancel(&bkv1.CancelTradeRequest{Key: "x", Target: &bkv1.Target{Trade: entry.Msg.Receipt.EntryId}}), nothere, "trade_not_found", "target"},
		{"cancel of the canceled, by key before id", cancel(&bkv1.CancelTradeRequest{Key: "x", Target: &bkv1.Target{Trade: first.TradeId, Key: "canceled"}}), connect.CodeFailedPrecondition, "trade_already_canceled", "target"},
		{"cancel by key and id of nothing", cancel(&bkv1.CancelTradeRequest{Key: "x", Target: &bkv1.Target{Trade: 1, Key: "never"}}), nothere, "trade_not_found", "target"},
		{"cancel twice", cancel(&bkv1.CancelTradeRequest{Key: "other", Target: &bkv1.Target{Trade: canceled.TradeId}}), connect.CodeFailedPrecondition, "trade_already_canceled", "target"},
		{"correct of the canceled", correct(&bkv1.Target{Trade: canceled.TradeId}, none), connect.CodeFailedPrecondition, "trade_already_canceled", "target"},
		{"correct of the unknown", correct(&bkv1.Target{Key: "never"}, none), nothere, "trade_not_found", "target"},
		{"correct with a bad trade", correct(&bkv1.Target{Key: "first"}, func(t *bkv1.Trade) { t.Price = "x" }), invalid, "invalid_field", "trade.price"},
		// Batches.
		{"mode missing", batch(0, buyCommand("b")), invalid, "missing_field", "mode"},
		{"empty batch", batch(bkv1.BatchMode_BATCH_MODE_EACH), invalid, "missing_field", "commands"},
		{"1001 commands", batch(bkv1.BatchMode_BATCH_MODE_EACH, make([]*bkv1.Command, 1001)...), invalid, "too_large", "commands"},
		{"bad price in an atomic batch", atomic(func(c *bkv1.Command) { c.GetTrade().Price = "x" }), invalid, "invalid_field", "commands[1].trade.price"},
		{"unknown account in an atomic batch", atomic(func(c *bkv1.Command) { c.GetTrade().Account.Code = "cust:nobody" }), nothere, "unknown_account", "commands[1].trade.account"},
		{"empty command", atomic(func(c *bkv1.Command) { c.Command = nil }), invalid, "missing_field", "commands[1].command"},
		{"command without key", atomic(func(c *bkv1.Command) { c.Key = "" }), invalid, "missing_field", "commands[1].key"},
		{"unknown kind", atomic(func(c *bkv1.Command) { c.Command = &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: "stock.dance"}} }), invalid, "unknown_kind", "commands[1].event.kind"},
		{"65 fields", atomic(func(c *bkv1.Command) {
			fields := map[string]string{}
			for len(fields) < 65 {
				fields["f"+strings.Repeat("x", len(fields)%60)+string(rune('a'+len(fields)%26))] = "1"
			}
			c.Command = &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: "stock.dance", Fields: fields}}
		}), invalid, "too_large", "commands[1].event.fields"},
		// Directory.
		{"account exists", open(&bkv1.Account{Code: "cust:100018", Name: "Somebody else"}), exists, "account_exists", "account.code"},
		{"account without code", open(&bkv1.Account{}), invalid, "missing_field", "account.code"},
		{"bad code", open(&bkv1.Account{Code: "Cust 1"}), invalid, "invalid_field", "account.code"},
		{"code of no kind", open(&bkv1.Account{Code: "pet:rex"}), invalid, "invalid_field", "account.code"},
		{"kind that the code denies", open(&bkv1.Account{Code: "cust:2", Kind: bkv1.AccountKind_ACCOUNT_KIND_FIRM}), invalid, "invalid_field", "account.kind"},
		{"the ledger's own ids", open(&bkv1.Account{Code: "cust:2", Id: 1 << 40}), invalid, "invalid_field", "account.id"},
		{"instrument exists", define(&bkv1.Instrument{Symbol: "Apple", Identifiers: []*bkv1.Identifier{ticker("AAPL")}}), exists, "instrument_exists", "instrument.identifiers"},
		{"instrument without identifiers", define(&bkv1.Instrument{Symbol: "X"}), invalid, "missing_field", "instrument.identifiers"},
		{"identifier without type", define(&bkv1.Instrument{Identifiers: []*bkv1.Identifier{{Value: "X"}}}), invalid, "missing_field", "instrument.identifiers[0].type"},
		// Reads.
		{"page size 0", list(&bkv1.ListEntriesRequest{PageSize: size(0)}), invalid, "invalid_field", "page_size"},
		{"page size 1001", list(&bkv1.ListEntriesRequest{PageSize: size(1001)}), invalid, "invalid_field", "page_size"},
		{"page token of nobody", list(&bkv1.ListEntriesRequest{PageToken: "bm90aGluZw"}), invalid, "invalid_field", "page_token"},
		{"at_least of no form", list(&bkv1.ListEntriesRequest{AtLeast: "x"}), invalid, "invalid_field", "at_least"},
		{"at_least of another shard", list(&bkv1.ListEntriesRequest{AtLeast: "7:1"}), invalid, "invalid_field", "at_least"},
		{"entries of an unknown account", list(&bkv1.ListEntriesRequest{Account: account("cust:nobody")}), nothere, "unknown_account", "account"},
		{"entry by nothing", func(ctx context.Context) error {
			_, err := b.Query.GetEntry(ctx, connect.NewRequest(&bkv1.GetEntryRequest{}))
			return err
		}, invalid, "missing_field", "by"},
		{"entry unknown", func(ctx context.Context) error {
			_, err := b.Query.GetEntry(ctx, connect.NewRequest(&bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Id{Id: 1 << 30}}))
			return err
		}, nothere, "entry_not_found", ""},
		{"trade unknown", func(ctx context.Context) error {
			_, err := b.Query.GetTrade(ctx, connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Key{Key: "deposit"}}))
			return err
		}, nothere, "trade_not_found", "key"},
		{"statement of nobody", func(ctx context.Context) error {
			_, err := b.Query.GetStatement(ctx, connect.NewRequest(&bkv1.GetStatementRequest{Account: account("cust:nobody")}))
			return err
		}, nothere, "unknown_account", "account"},
		{"watch from nowhere", func(ctx context.Context) error {
			stream, err := b.Query.WatchJournal(ctx, connect.NewRequest(&bkv1.WatchJournalRequest{After: "1:2:3"}))
			if err == nil {
				stream.Receive()
				err = stream.Err()
			}
			return err
		}, invalid, "invalid_field", "after"},
		{"rebuild of the unknown", func(ctx context.Context) error {
			stream, err := b.Admin.Rebuild(ctx, connect.NewRequest(&bkv1.RebuildRequest{Projection: "dreams"}))
			if err == nil {
				stream.Receive()
				err = stream.Err()
			}
			return err
		}, nothere, "unknown_projection", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			refused(t, row.call(t.Context()), row.code, row.reason, row.field)
		})
	}
	for _, key := range []string{"rejected", "rejected-1", "rejected-2"} {
		_, err := b.Query.GetEntry(t.Context(), connect.NewRequest(&bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Key{Key: key}}))
		refused(t, err, nothere, "entry_not_found", "")
	}
}
