package upload_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
)

// heldRow waits until a row holds the uploads up, and has failed so often.
func heldRow(t *testing.T, store *upload.Store, row, attempts int64) upload.Unfinished {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		list, err := store.Unfinished(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 && list[0].Held != nil && list[0].Held.Row == row && list[0].Held.Attempts >= attempts {
			return list[0]
		}
		if time.Now().After(end) {
			t.Fatalf("waited too long: %+v", list)
		}
	}
}

func giveUp(t *testing.T, store *upload.Store, id string, row int64, force bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return store.GiveUp(ctx, upload.GiveUp{UploadID: id, Row: row, Who: "anna", Why: "CHG-1301", Force: force})
}

// failing has calls of one row of some kinds fail for ever.
func failing(name string, failure error, calls ...string) func(call, of string, done bool) error {
	return func(call, of string, done bool) error {
		for _, c := range calls {
			if of == name && call == c && !done {
				return failure
			}
		}
		return nil
	}
}

// A row that fails for ever is seen, and given up: it is skipped, told of, and recorded; the files go on, in order. Across a crash of the worker, too.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	for name, crashes := range map[string]bool{"": false, "crashed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := database(t)
			store, books := newStore(t, pool), newBooks()
			books.fault = failing("a2", bank.Errorf(bank.Internal, "no leader"), "book")
			work(t, store, books)
			id := receive(t, store, bank.UploadInsert, "a.csv", file("a", 5))
			next := receive(t, store, bank.UploadInsert, "b.csv", file("b", 2))
			u := heldRow(t, store, 3, 2)
			if u.UploadID != id || u.Status != bank.UploadRunning || u.Processed != 2 || u.Held.Type != "internal" || u.Held.Message != "no leader" ||
				u.Held.Since.IsZero() || u.Held.FailedAt.Before(u.Held.Since) || u.Held.Asked != "" {
				t.Errorf("%+v, %+v", u, u.Held)
			}
			if err := store.GiveUp(t.Context(), upload.GiveUp{UploadID: id, Row: 3, Who: "anna"}); !errors.Is(err, upload.ErrRequest) {
				t.Errorf("without a reason: %v", err)
			}
			for _, row := range []int64{2, 4} {
				if err := giveUp(t, store, id, row, true); !errors.Is(err, upload.ErrNotHeld) {
					t.Errorf("row %d: %v", row, err)
				}
			}
			if crashes {
				was := u.Held
				crash(t, pool)
				if now := heldRow(t, store, 3, was.Attempts+1).Held; !now.Since.Equal(was.Since) {
					t.Errorf("since %s after a crash, %s before", now.Since, was.Since)
				}
			}
			if err := giveUp(t, store, id, 3, false); err != nil {
				t.Fatal(err)
			}
			completed(t, store, id, bank.UploadDone, 4, 1, "3 internal")
			completed(t, store, next, bank.UploadDone, 2, 0)
			state, err := store.Upload(t.Context(), id)
			if err != nil || !strings.Contains(state.Errors[0].Message, "given up by anna: CHG-1301") || !strings.Contains(state.Errors[0].Message, "no leader") {
				t.Errorf("%+v, %v", state.Errors, err)
			}
			if got := fmt.Sprint(books.order); got != "[a0 a1 a3 a4 b0 b1]" {
				t.Error(got)
			}
			given, err := store.GivenUp(t.Context(), 10)
			if err != nil || len(given) != 1 || given[0].UploadID != id || given[0].Row != 3 || given[0].Who != "anna" || given[0].Why != "CHG-1301" || given[0].Attempts < 2 || given[0].Force {
				t.Errorf("%+v, %v", given, err)
			}
			if left, err := store.Unfinished(t.Context()); err != nil || len(left) != 0 {
				t.Errorf("%+v, %v", left, err)
			}
		})
	}
}

// A row whose call was done though its answer says nothing is not given up: it is looked for, and counts as processed.
func TestGiveUpWhatIsBooked(t *testing.T) {
	t.Parallel()
	store, books := newStore(t, database(t)), newBooks()
	books.fault = func(call, name string, done bool) error {
		if done && (call == "book" && name == "a1" || call == "cancel" && name == "a0") {
			return bank.Errorf(bank.OutcomeUnknown, "who knows")
		}
		return nil
	}
	work(t, store, books)
	id := receive(t, store, bank.UploadInsert, "a.csv", file("a", 3))
	heldRow(t, store, 2, 1)
	if err := giveUp(t, store, id, 2, true); !errors.Is(err, upload.ErrNotHeld) {
		t.Errorf("a trade that is booked: %v", err)
	}
	completed(t, store, id, bank.UploadDone, 3, 0)
	given, err := store.GivenUp(t.Context(), 10)
	if err != nil || len(given) != 0 {
		t.Errorf("%+v, %v", given, err)
	}
	// A cancel that was done is told trade_already_canceled when it is tried again: the row is through.
	completed(t, store, receive(t, store, bank.UploadCancel, "c.csv", "account_id,client_trade_id\n1,a0\n1,a2\n"), bank.UploadDone, 2, 0)
}

// Where nobody can tell whether a row is booked, it is given up only by force.
func TestGiveUpByForce(t *testing.T) {
	t.Parallel()
	store, books := newStore(t, database(t)), newBooks()
	books.fault = failing("a1", errors.New("connection refused"), "book", "read", "cancel")
	work(t, store, books)
	id := receive(t, store, bank.UploadInsert, "a.csv", file("a", 3))
	heldRow(t, store, 2, 1)
	if err := giveUp(t, store, id, 2, false); !errors.Is(err, upload.ErrKept) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("without force: %v", err)
	}
	if u := heldRow(t, store, 2, 1); !strings.Contains(u.Held.Refused, "connection refused") || u.Held.Asked != "" {
		t.Errorf("%+v", u.Held)
	}
	if err := giveUp(t, store, id, 2, true); err != nil {
		t.Fatal(err)
	}
	completed(t, store, id, bank.UploadDone, 2, 1, "2 internal")
	// A cancel before which the trade can't be looked at has done nothing.
	id = receive(t, store, bank.UploadCancel, "c.csv", "account_id,client_trade_id\n1,a1\n1,a0\n")
	heldRow(t, store, 1, 1)
	if err := giveUp(t, store, id, 1, false); err != nil {
		t.Fatal(err)
	}
	completed(t, store, id, bank.UploadDone, 1, 1, "1 internal")
}

// While a try is under way nothing is decided; one that succeeds is counted, whoever wanted it given up.
func TestGiveUpDuringATry(t *testing.T) {
	t.Parallel()
	store, books := newStore(t, database(t)), newBooks()
	tries, through := atomic.Int64{}, make(chan struct{})
	trying := make(chan struct{})
	books.fault = func(call, name string, done bool) error {
		if call != "book" || name != "a1" || done {
			return nil
		}
		if tries.Add(1) <= 3 {
			return bank.Errorf(bank.Internal, "no")
		}
		close(trying)
		<-through
		return nil
	}
	work(t, store, books)
	id := receive(t, store, bank.UploadInsert, "a.csv", file("a", 3))
	<-trying
	asked, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := store.GiveUp(asked, upload.GiveUp{UploadID: id, Row: 2, Who: "anna", Why: "x"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("decided though a try is under way: %v", err)
	}
	if u := heldRow(t, store, 2, 3); u.Held.Asked != "anna" {
		t.Errorf("%+v", u.Held)
	}
	result := make(chan error, 1)
	go func() { result <- giveUp(t, store, id, 2, true) }()
	close(through)
	if err := <-result; !errors.Is(err, upload.ErrNotHeld) {
		t.Errorf("it was booked meanwhile: %v", err)
	}
	completed(t, store, id, bank.UploadDone, 3, 0)
}
