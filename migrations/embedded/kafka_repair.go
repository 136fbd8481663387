package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The repair, before each start, of what a kill left. kfake ends a transaction by writing its marker into one partition
// after the other and an entry into pids.log afterwards, each batch followed by its index entry, and when it loads it
// drops a transaction without a marker in memory only. Without the repair:
//
//   - killed between two partitions' markers, it commits half of a transaction;
//   - killed between a batch and its index entry, it takes the batch of an open transaction for a committed one, and
//     gives every later batch its neighbour's entry;
//   - the records of a dropped transaction come back as committed when the same producer commits a later one and the
//     broker is killed again; and a consumer that reads both in one fetch drops the later one with it, as it sees no
//     abort marker between them;
//   - behind an unfinished entry at the end of pids.log or groups.log, no later entry is ever read.
//
// So the repair cuts off unfinished ends, writes the index anew where it doesn't fit, and then ends every transaction
// that is open in some partition: by commit markers where another partition has the commit marker of the very same
// transaction, otherwise by abort markers. Producers of aborted transactions get a higher epoch first, so that a commit
// repeated by a client that still waits for its answer is refused, not believed done. Each step can be killed and run
// again. A transaction is told by producer and epoch, as the epoch rises with each one (KIP-890, what franz-go does);
// for clients that keep the epoch, half a commit is completed for the first transaction of an epoch only.
//
// The rejected alternative, kfake's own WriteTxnMarkers request once it is up, leaves a moment in which a consumer can
// read what is repaired next.

// kafkaPartition is what the repair found in a partition's folder.
type kafkaPartition struct {
	dir         string
	next        int64 // offset of the next batch
	leaderEpoch int32 // of the last batch
	timeMillis  int64 // highest so far
	segment     int64 // base offset of the last one, -1 without any
	open        map[int64]int16
	ended       map[int64]kafkaEnd // each producer's last marker
}

type kafkaEnd struct {
	epoch  int16
	commit bool
}

// kafkaPid is what pids.log says of a producer.
type kafkaPid struct {
	txid          string
	timeoutMillis int32
	epoch         int16
	ended         int32 // epoch of the last transaction that is logged as ended, -1 for none
}

// repairKafka makes a folder ready to be loaded. It holds the folder's lock.
func repairKafka(ctx context.Context, dir string, log *slog.Logger) error {
	fail := func(err error) error { return fmt.Errorf("repairing the embedded Kafka's folder %s: %w", dir, err) }
	names, err := os.ReadDir(filepath.Join(dir, "partitions"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "meta.json")); errors.Is(err, os.ErrNotExist) {
		if len(names) > 0 {
			return fail(fmt.Errorf("%w: meta.json is missing", ErrKafkaTorn))
		}
		return nil // a new folder
	}
	// A clean stop hands over open transactions; one rule for both kinds of stop is simpler to trust.
	if err := os.Remove(filepath.Join(dir, "session_state.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	if cut, err := readKafkaFrames(filepath.Join(dir, "groups.log"), func([]byte) error { return nil }); err != nil {
		return fail(err)
	} else if cut > 0 {
		log.Warn("embedded Kafka: cut off an unfinished entry", "file", "groups.log", "bytes", cut)
	}
	pids, err := readKafkaPids(filepath.Join(dir, "pids.log"), log)
	if err != nil {
		return fail(err)
	}
	var parts []*kafkaPartition
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return fail(err)
		}
		p, err := scanKafkaPartition(filepath.Join(dir, "partitions", name.Name()), log)
		if err != nil {
			return fail(err)
		}
		parts = append(parts, p)
	}
	if err := endKafkaTxns(dir, parts, pids, log); err != nil {
		return fail(err)
	}
	return nil
}

func readKafkaPids(path string, log *slog.Logger) (map[int64]kafkaPid, error) {
	pids := make(map[int64]kafkaPid)
	cut, err := readKafkaFrames(path, func(data []byte) error {
		var e kafkaPidEntry
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("%w: an entry of pids.log: %w", ErrKafkaTorn, err)
		}
		p, known := pids[e.PID]
		switch {
		case e.Type == "init":
			ended := int32(-1)
			if known {
				ended = p.ended
			}
			p = kafkaPid{txid: e.TxID, timeoutMillis: e.Timeout, epoch: e.Epoch, ended: ended}
		case known: // endtx, timeout
			p.epoch, p.ended = e.Epoch, int32(e.Epoch)
		default:
			return nil
		}
		pids[e.PID] = p
		return nil
	})
	if cut > 0 {
		log.Warn("embedded Kafka: cut off an unfinished entry", "file", "pids.log", "bytes", cut)
	}
	return pids, err
}

// scanKafkaPartition reads a partition's segments, cuts off an unfinished end and mends the indexes.
func scanKafkaPartition(dir string, log *slog.Logger) (*kafkaPartition, error) {
	p := &kafkaPartition{dir: dir, segment: -1, open: make(map[int64]int16), ended: make(map[int64]kafkaEnd)}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var bases []int64
	for _, f := range files {
		if base, ok := strings.CutSuffix(f.Name(), ".dat"); ok {
			if n, err := strconv.ParseInt(base, 10, 64); err == nil {
				bases = append(bases, n)
			}
		}
	}
	slices.Sort(bases)
	for i, base := range bases {
		p.segment = base
		if err := p.scanSegment(i == len(bases)-1, log); err != nil {
			return nil, err
		}
	}
	return p, p.checkSnapshot()
}

func (p *kafkaPartition) path(ext string) string {
	return filepath.Join(p.dir, strconv.FormatInt(p.segment, 10)+ext)
}

func (p *kafkaPartition) scanSegment(last bool, log *slog.Logger) error {
	f, err := os.Open(p.path(".dat"))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var index []byte
	whole, err := readKafkaBatches(f, info.Size(), func(b kafkaBatch) error {
		if b.first < p.next || b.last < b.first {
			return fmt.Errorf("%w: offset %d comes after %d", ErrKafkaTorn, b.first, p.next)
		}
		p.next, p.leaderEpoch, p.timeMillis = b.last+1, b.leaderEpoch, max(p.timeMillis, b.maxTimeMillis)
		switch {
		case b.inTx():
			p.open[b.pid] = b.pidEpoch
		case b.control:
			p.ended[b.pid] = kafkaEnd{b.pidEpoch, b.commit}
			delete(p.open, b.pid)
		}
		index = appendKafkaIndex(index, b, p.timeMillis)
		return nil
	})
	switch {
	case errors.Is(err, errKafkaCut) && last:
		log.Warn("embedded Kafka: cut off an unfinished batch", "file", p.path(".dat"), "bytes", info.Size()-whole)
		if err := truncateSynced(p.path(".dat"), whole); err != nil {
			return err
		}
	case errors.Is(err, errKafkaCut):
		return fmt.Errorf("%w: %s, which isn't the last segment: %w", ErrKafkaTorn, p.path(".dat"), err)
	case err != nil:
		return fmt.Errorf("%s: %w", p.path(".dat"), err)
	}
	have, err := os.ReadFile(p.path(".idx"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if sameKafkaIndex(have, index) {
		return nil
	}
	log.Warn("embedded Kafka: wrote an index anew", "file", p.path(".idx"))
	return replaceSynced(p.path(".idx"), index)
}

// checkSnapshot finds segments that are gone: the last clean stop knew more than is there now.
func (p *kafkaPartition) checkSnapshot() error {
	var snap struct {
		HighWatermark  int64 `json:"high_watermark"`
		LogStartOffset int64 `json:"log_start_offset"`
	}
	data, err := os.ReadFile(filepath.Join(p.dir, "snapshot.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &snap); err != nil {
		return fmt.Errorf("%w: %s/snapshot.json: %w", ErrKafkaTorn, p.dir, err)
	}
	if snap.HighWatermark > snap.LogStartOffset && p.next < snap.HighWatermark {
		return fmt.Errorf("%w: %s ends at offset %d, but at the last stop it ended at %d", ErrKafkaTorn, p.dir, p.next, snap.HighWatermark)
	}
	return nil
}

// endKafkaTxns ends what is open, producer by producer.
func endKafkaTxns(dir string, parts []*kafkaPartition, pids map[int64]kafkaPid, log *slog.Logger) error {
	seen := make(map[int64]bool)
	for _, p := range parts {
		for pid := range p.open {
			seen[pid] = true
		}
		for pid := range p.ended {
			seen[pid] = true
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(seen)) {
		known, ok := pids[pid]
		if !ok {
			known.ended = -1 // its entry was lost; the markers are still due
		}
		if err := endKafkaPid(filepath.Join(dir, "pids.log"), parts, pid, known, log); err != nil {
			return err
		}
	}
	return nil
}

func endKafkaPid(pidsLog string, parts []*kafkaPartition, pid int64, known kafkaPid, log *slog.Logger) error {
	// The transaction whose end some partition has and pids.log has not: the kill came between.
	var half *kafkaEnd
	top := known.epoch
	for _, p := range parts {
		if end, ok := p.ended[pid]; ok && end.epoch >= known.epoch && int32(end.epoch) != known.ended {
			if half == nil || end.epoch > half.epoch {
				half = &end
			}
		}
		if epoch, ok := p.open[pid]; ok {
			top = max(top, epoch)
		}
	}
	var commits, aborts []*kafkaPartition
	for _, p := range parts {
		switch epoch, ok := p.open[pid]; {
		case !ok:
		case half != nil && half.commit && half.epoch == epoch:
			commits = append(commits, p)
		default:
			aborts = append(aborts, p)
		}
	}
	init := func(commit *bool) kafkaPidEntry {
		top++
		return kafkaPidEntry{Type: "init", PID: pid, Epoch: top, TxID: known.txid, Timeout: known.timeoutMillis, Commit: commit}
	}
	if len(aborts) > 0 {
		log.Warn("embedded Kafka: aborted a transaction that was open", "transactional_id", known.txid, "partitions", len(aborts))
		if err := logKafkaPid(pidsLog, known, init(nil)); err != nil {
			return err
		}
	}
	for _, p := range aborts {
		if err := p.end(pid, false); err != nil {
			return err
		}
	}
	if len(commits) > 0 {
		log.Warn("embedded Kafka: completed a commit", "transactional_id", known.txid, "partitions", len(commits))
	}
	for _, p := range commits {
		if err := p.end(pid, true); err != nil {
			return err
		}
	}
	if half == nil || len(aborts) > 0 && len(commits) == 0 {
		return nil
	}
	top = max(top, half.epoch)
	return logKafkaPid(pidsLog, known, kafkaPidEntry{Type: "endtx", PID: pid, Epoch: half.epoch, Commit: &half.commit}, init(&half.commit))
}

// logKafkaPid appends entries to pids.log, unless the producer isn't a transactional one that it knows.
func logKafkaPid(path string, known kafkaPid, entries ...kafkaPidEntry) error {
	if known.txid == "" {
		return nil
	}
	var data []byte
	var err error
	for _, e := range entries {
		if data, err = appendKafkaFrame(data, e); err != nil {
			return err
		}
	}
	return appendSynced(path, data)
}

// end appends the marker of a producer's open transaction to the partition's last segment.
func (p *kafkaPartition) end(pid int64, commit bool) error {
	epoch := p.open[pid]
	raw := kafkaMarker(p.next, p.leaderEpoch, pid, epoch, commit)
	b, err := parseKafkaBatch(raw)
	if err != nil {
		return fmt.Errorf("assertion: the marker just made can't be read: %w", err)
	}
	p.timeMillis = max(p.timeMillis, b.maxTimeMillis)
	if err := appendSynced(p.path(".dat"), raw); err != nil {
		return err
	}
	if err := appendSynced(p.path(".idx"), appendKafkaIndex(nil, b, p.timeMillis)); err != nil {
		return err
	}
	p.next++
	p.ended[pid] = kafkaEnd{epoch, commit}
	delete(p.open, pid)
	return nil
}
