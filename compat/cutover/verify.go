package cutover

import (
	"errors"
	"fmt"

	"github.com/bkledger/bk/compat/cutover/evidence"
)

// Verified is what is known of a log that was checked.
type Verified struct {
	Records int    `json:"records"`
	Runs    int    `json:"runs"`
	Head    string `json:"head"`            // the last record's hash
	Torn    int    `json:"torn"`            // bytes of a line at the end that was never whole: of a runner that was killed
	State   string `json:"state,omitempty"` // of the last run
}

// Verify checks a folder's log: each record's hash, and that each follows the one before. With a head, which a report or a runner has told, the log has to have that record:
// then nothing before it was changed, and the end was not left out.
func Verify(dir, head string) (v Verified, err error) {
	records, torn, err := evidence.Read(dir)
	if err != nil {
		return v, err
	}
	all, err := runs(records)
	if err != nil {
		return v, errors.Join(evidence.ErrAltered, err)
	}
	v = Verified{Records: len(records), Runs: len(all), Torn: torn}
	found := head == ""
	for _, r := range records {
		v.Head = r.Hash
		found = found || r.Hash == head
	}
	if !found {
		return v, fmt.Errorf("%w: no record has the hash %s: the log was written anew, or its end is missing", evidence.ErrAltered, head)
	}
	if n := len(all); n > 0 {
		if v.State = "not ended"; all[n-1].finish != nil {
			v.State = all[n-1].finish.Outcome
		}
	}
	return v, nil
}
