package facade

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/facade/mode"
)

const (
	firstRows = 3               // that an error names
	rowsFor   = 2 * time.Second // to look them up
)

// finalise declares bk-only final. Bank gets what it lacks first: it is called meanwhile, as in no other moment of bk-only. Or it gets no more, and whoever asks for that
// says how much it is.
func (s *Service) finalise(ctx context.Context, q SwitchRequest, wait time.Duration) error {
	if q.LeaveBehind == nil {
		defer s.finishing()()
	}
	err := s.keeper.Finalise(ctx, mode.Finality{Who: q.Who, Why: q.Why, Wait: wait, LeaveBehind: q.LeaveBehind})
	if err == nil && q.LeaveBehind != nil {
		s.cfg.Log.Warn("bk-only is final, Bank does not get all of BK's work", "entries", q.LeaveBehind.Entries, "through", q.LeaveBehind.Through, "who", q.Who, "why", q.Why)
	}
	return err
}

// finishing lets the feed of this replica call Bank in bk-only, until it is told that that is over.
func (s *Service) finishing() (over func()) {
	add := func(n int) {
		s.feeding.Lock()
		defer s.feeding.Unlock()
		s.finals += n
		s.letFeed()
	}
	add(1)
	return func() { add(-1) }
}

// letFeed says whether the feed may call Bank. The caller has s.feeding.
func (s *Service) letFeed() {
	switch now := s.latest; {
	case s.feed == nil:
	case now.Mode == mode.BKPrimary, now.Mode == mode.BKOnly && !now.Final && s.finals > 0:
		s.feed.Resume()
	default:
		s.feed.Pause()
	}
}

// readyFinal finds out, while writes go on, whether bk-only can be declared final: nothing may be blocked or missing, and Bank must be near; or it is known what it will
// never get.
func (s *Service) readyFinal(ctx context.Context, step mode.Step) error {
	unfinished, err := s.uploads.store.Unfinished(ctx) // Bank's own ended before BK became the primary
	if err != nil {
		return err
	}
	if len(unfinished) > 0 {
		return being(unfinished[0])
	}
	if gaps := s.gaps(); len(gaps) > 0 {
		return fmt.Errorf("Kafka has deleted events of Bank before BK had them: %s", gaps[0])
	}
	if step.LeaveBehind != nil {
		return s.leftBehind(ctx, *step.LeaveBehind)
	}
	err = s.feed.Prepare(ctx)
	if err == nil {
		err = s.near(ctx, "the feed", s.feedLeft)
	}
	if err != nil {
		return s.withRows(ctx, err)
	}
	return nil
}

// wayWithoutBank is the way on without Bank.
const wayWithoutBank = "without Bank: --final --leave-behind, with the number that hotswap facade mode shows"

// drainFinal is the same while writes are held.
func (s *Service) drainFinal(ctx context.Context, step mode.Step) error {
	if step.LeaveBehind != nil {
		return s.leftBehind(ctx, *step.LeaveBehind)
	}
	head, err := s.head(ctx)
	if err == nil {
		err = s.feed.Drained(ctx, head)
	}
	if err != nil {
		return s.withRows(ctx, err)
	}
	return nil
}

// leftBehind gives an error unless Bank lacks exactly what is said.
func (s *Service) leftBehind(ctx context.Context, said mode.Left) error {
	head, err := s.head(ctx)
	if err != nil {
		return err
	}
	if said.Through > head {
		return fmt.Errorf("BK's journal ends at %d, not at %d", head, said.Through)
	}
	if said.Through == 0 {
		said.Through = head
	}
	lacks, err := s.feed.Lacks(ctx, said.Through)
	if err == nil && lacks != said.Entries {
		err = fmt.Errorf("Bank lacks %d of BK's entries up to %d, not %d: look again", lacks, said.Through, said.Entries)
	}
	return err
}

// bankLacks gives what Bank does not have of BK's journal, as of a second ago; nil where Bank is the primary, and where bk-only is final.
func (s *Service) bankLacks(ctx context.Context, now mode.Epoch) (*mode.Left, error) {
	if s.feed == nil || now.Mode.Primary() != mode.BK || now.Final {
		return nil, nil
	}
	left := mode.Left{Through: s.feed.Stats().Head}
	var err error
	left.Entries, err = s.feed.Lacks(ctx, left.Through)
	return &left, err
}

// notBlocked gives an error while Bank has rejected something.
func (s *Service) notBlocked(ctx context.Context) error {
	stats, err := s.feed.Rows().Stats(ctx, 1)
	if err == nil && stats.Blocked > 0 {
		err = s.withRows(ctx, fmt.Errorf("%d rows for Bank are blocked", stats.Blocked))
	}
	return err
}

// withRows adds to an error what Bank lacks: how much, why it can't be brought, and the first rows, those before others that it has rejected.
func (s *Service) withRows(ctx context.Context, reason error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rowsFor)
	defer cancel()
	var parts []string
	state, _ := s.keeper.State()
	if lacks, err := s.bankLacks(ctx, state.Epoch); err == nil && lacks != nil {
		parts = append(parts, fmt.Sprintf("Bank lacks %d entries", lacks.Entries))
	}
	if state.Mode == mode.BKOnly {
		parts = append(parts, wayWithoutBank)
	}
	if away := s.feed.Worker().Away; away != "" {
		parts = append(parts, "Bank is away: "+away)
	}
	rows, err := s.feed.Rows().List(ctx, 0, firstRows, true)
	if err == nil && len(rows) == 0 {
		rows, err = s.feed.Rows().List(ctx, 0, firstRows, false)
	}
	for _, r := range rows {
		text := fmt.Sprintf("row %d (%s of accounts %v)", r.Position, r.Kind, r.Keys)
		if r.Attempts > 0 {
			text += fmt.Sprintf(" was rejected %d times: %s", r.Attempts, r.Reason)
		}
		parts = append(parts, text)
	}
	if len(parts) > 0 {
		reason = fmt.Errorf("%w; %s", reason, strings.Join(parts, "; "))
	}
	return errors.Join(reason, err)
}
