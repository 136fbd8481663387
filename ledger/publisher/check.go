package publisher

import (
	"context"
	"fmt"
)

// Check compares the checkpoint with the stream and with the journal: [ErrLost] if the stream has lost events, or has some that the
// checkpoint doesn't know of, [ErrDiverged] if it was published from another journal; any other error says that the comparison
// couldn't be made. Topics that are missing are made. It takes the stream from a publisher that runs, so it is for a moment when
// none does. Run checks the same whenever it connects; Check is for who wants to repair ([Publisher.Reset]) before.
func (p *Publisher) Check(ctx context.Context) error {
	s, err := p.connect()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.open(ctx, 0); err != nil {
		return fmt.Errorf("checking the stream of shard %d: %w", p.shard, err)
	}
	return nil
}
