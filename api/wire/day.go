package wire

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// day converts what an entry says about a day of a roll. The beginning of a day has no cut.
func day(d *ledger.Day) *bkv1.Day {
	out := &bkv1.Day{
		Date: int32(d.Date), To: int32(d.To), Street: d.Street, Opened: d.Opened, Settled: d.Settled, CutRows: d.CutRows,
	}
	if d.CutHash != [32]byte{} {
		out.CutHash = d.CutHash[:]
	}
	return out
}

// dayFrom is the inverse of day.
func dayFrom(d *bkv1.Day) (*ledger.Day, *ledger.Rejection) {
	out := &ledger.Day{
		Date: ledger.Date(d.Date), To: ledger.Date(d.To), Street: d.Street, Opened: d.Opened, Settled: d.Settled, CutRows: d.CutRows,
	}
	if n := len(d.CutHash); n != 0 && n != len(out.CutHash) {
		return nil, ledger.Reject(ledger.ReasonInvalid, "day.cut_hash", "%d bytes instead of %d", n, len(out.CutHash))
	}
	copy(out.CutHash[:], d.CutHash)
	return out, nil
}
