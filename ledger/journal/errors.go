package journal

import (
	"errors"
	"fmt"

	"github.com/bkledger/bk/ledger"
)

// What can go wrong with the journal itself; what a caller did wrong is a *ledger.Rejection.
var (
	// ErrOverloaded: the queue is full. Nothing was booked; try again later.
	ErrOverloaded = errors.New("journal: the queue is full")
	// ErrNotLeader: this process does not append now (it stands by, or has just lost its term). Nothing was booked.
	ErrNotLeader = errors.New("journal: this process is not the writer")
	// ErrUnavailable: the database can't be reached. Nothing was booked; try again.
	ErrUnavailable = errors.New("journal: the database is not available")
	// ErrOutcomeUnknown: the command may or may not be booked; the same command again tells.
	ErrOutcomeUnknown = errors.New("journal: the outcome is not known")
	// ErrGroupRejected: nothing is wrong with this command, but another of its atomic batch was rejected.
	ErrGroupRejected = errors.New("journal: another command of the batch was rejected")
	// ErrNotFound: there is no such entry.
	ErrNotFound = errors.New("journal: no such entry")
	// ErrGap: the journal is broken: an entry is missing, or is not what the writer wrote. It is [ledger.ErrBroken].
	ErrGap = fmt.Errorf("journal: %w", ledger.ErrBroken)
	// ErrTailCut: the journal ends before entries that were acknowledged. Nothing may be appended to it.
	ErrTailCut = errors.New("journal: acknowledged entries are missing at its end")
	// ErrLoading: a bulk load (package bulk) holds the ledger. Nobody leads it until the load is done or aborted.
	ErrLoading = errors.New("journal: a bulk load holds this ledger")
	// errFenced: another process has taken the shard over. It ends a term and stands in the log.
	errFenced = errors.New("journal: another process took over")
)
