package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/bootstrap/store"
	"github.com/bkledger/bk/compat/facade/follow"
)

// reader is Bank, at one place.
type reader interface {
	Place() source.Place
	Ranges(ctx context.Context, t source.Table, size int64, pause func(context.Context) error) ([]source.Range, error)
	Read(ctx context.Context, r source.Range, to io.Writer) (int64, error)
	Alive(ctx context.Context) error
	Close()
}

// extract reads all of Bank, once. A snapshot does not outlive its session, so what an attempt that did not end has read is thrown away.
func (b *Bootstrap) extract(ctx context.Context) (at extraction, pieces []piece, err error) {
	if _, err := b.find(ctx, extractDoc, &at); err != nil {
		return at, nil, err
	}
	if at.Complete {
		for number := range at.Ranges {
			var p piece
			if err := b.store.Read(ctx, at.name(number+1)+".json", &p); err != nil {
				return at, nil, err
			}
			pieces = append(pieces, p)
		}
		return at, pieces, nil
	}
	if err := b.store.Remove(ctx, "extract/"); err != nil {
		return at, nil, err
	}
	offsets, err := b.topicEnds(ctx)
	if err != nil {
		return at, nil, err
	}
	from, err := b.open(ctx)
	if err != nil {
		return at, nil, err
	}
	defer from.Close()
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go b.throttle.Run(watching)
	at = extraction{Attempt: at.Attempt + 1, Place: from.Place()}
	at.Place.Offsets = offsets
	for _, table := range source.Tables() {
		ranges, err := from.Ranges(ctx, table, b.cfg.ChunkRows, b.throttle.Wait)
		if err != nil {
			return at, nil, err
		}
		at.Ranges = append(at.Ranges, ranges...)
	}
	if err := b.store.Note(ctx, extractDoc, at); err != nil {
		return at, nil, err
	}
	b.log.Info("reading Bank", "place", at.Place.String(), "held_ms", at.Place.HeldMS, "chunks", len(at.Ranges))
	if pieces, err = b.readAll(ctx, from, at); err != nil {
		return at, nil, err
	}
	if err := from.Alive(ctx); err != nil {
		return at, nil, err
	}
	at.Complete = true
	return at, pieces, b.store.Note(ctx, extractDoc, at)
}

func (b *Bootstrap) readAll(ctx context.Context, from reader, at extraction) ([]piece, error) {
	defer b.meter.phase("extract", int64(len(at.Ranges))*b.cfg.ChunkRows)()
	pieces := make([]piece, len(at.Ranges))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.cfg.Parallel)
	for i, r := range at.Ranges {
		group.Go(func() error {
			if err := b.throttle.Wait(ctx); err != nil {
				return err
			}
			if pause, why := b.throttle.State(); pause > 0 {
				b.meter.about("slowed down: " + why)
			}
			object, err := b.readOne(ctx, from, r, at.name(i+1)+".csv")
			if err != nil {
				return err
			}
			pieces[i] = piece{Number: i + 1, Range: r, Object: object}
			b.meter.add(object.Rows)
			return b.store.Note(ctx, at.name(i+1)+".json", pieces[i])
		})
	}
	return pieces, group.Wait()
}

func (b *Bootstrap) readOne(ctx context.Context, from reader, r source.Range, key string) (store.Object, error) {
	if database, ok := from.(*source.Database); ok && b.cfg.Aurora.Bank {
		bucket, full, region, ok := b.store.S3(key)
		if !ok {
			return store.Object{}, errors.New("Aurora exports into S3 alone: the work store must be s3://")
		}
		rows, err := database.Export(ctx, r, full, source.Aurora(bucket, region))
		if err != nil {
			return store.Object{}, err
		}
		return b.store.Weigh(ctx, key, rows)
	}
	return b.store.Put(ctx, key, func(to io.Writer) (int64, error) { return from.Read(ctx, r, to) })
}

// open takes the snapshot, again while Bank is busy.
func (b *Bootstrap) open(ctx context.Context) (reader, error) {
	if b.cfg.Quiesced {
		return source.Quiesced(ctx, b.bank)
	}
	const pause = 500 * time.Millisecond
	for deadline := time.Now().Add(b.cfg.BarrierFor); ; {
		d, err := source.Snapshot(ctx, source.DatabaseConfig{DSN: b.cfg.BankDB, Connections: b.cfg.Parallel, Barrier: b.cfg.Barrier, Log: b.log})
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, source.ErrBusy) || time.Now().After(deadline) {
			return nil, err
		}
		b.log.Info("no snapshot yet", "error", err)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// topicEnds says where Bank's topics end, before the snapshot is taken: what comes later stands behind.
func (b *Bootstrap) topicEnds(ctx context.Context) ([]source.Offset, error) {
	if len(b.cfg.Kafka) == 0 {
		return nil, nil
	}
	ends, err := follow.TopicEnds(ctx, b.cfg.Kafka)
	if err != nil {
		return nil, fmt.Errorf("look where Bank's topics end: %w", err)
	}
	offsets := make([]source.Offset, len(ends))
	for i, end := range ends {
		offsets[i] = source.Offset(end)
	}
	return offsets, nil
}
