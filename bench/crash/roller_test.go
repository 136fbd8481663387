package main

import (
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

func TestRollerHoldsDaysAgainstEachOther(t *testing.T) {
	t.Parallel()
	r, err := newRoller(1, nil, &tally{}, &businessDate{})
	if err != nil {
		t.Fatal(err)
	}
	r.date.Store(20250303)
	request := &bkv1.RollRequest{To: 20250305}
	mar4 := func() *bkv1.RolledDay { return &bkv1.RolledDay{Date: 20250304, Token: "0:9", CutHash: "aa"} }
	for range 2 { // a second caller is told again
		if err := r.told(mar4(), request); err != nil {
			t.Fatal(err)
		}
	}
	moved, changed := mar4(), mar4()
	moved.Token, changed.CutHash = "0:10", "bb"
	for _, day := range []*bkv1.RolledDay{moved, changed, {Date: 20250303}, {Date: 20250306}} {
		if err := r.told(day, request); breach(err) == nil {
			t.Errorf("told of %v, and it is no breach: %v", day, err)
		}
	}
	if len(r.days) != 1 || r.days[ledger.Date(20250304)].Token != "0:9" {
		t.Errorf("it remembers %v", r.days)
	}
}

func TestRollsAreRefusedForNoReason(t *testing.T) {
	t.Parallel()
	if err := breach(fmt.Errorf("%w: of something", errContradiction)); !errors.Is(err, errContradiction) {
		t.Errorf("a contradiction is %v", err)
	}
	rejected := connect.NewError(connect.CodeFailedPrecondition, errors.New("the business date is 2025-03-05 already"))
	detail, err := connect.NewErrorDetail(&bkv1.ErrorDetail{Reason: string(ledger.ReasonDayPassed), Field: "to"})
	if err != nil {
		t.Fatal(err)
	}
	rejected.AddDetail(detail)
	wantBreach(t, breach(rejected), "day_passed")
	if err := breach(connect.NewError(connect.CodeUnavailable, errors.New("connection refused"))); err != nil {
		t.Errorf("a server that is away: %v", err)
	}
}
