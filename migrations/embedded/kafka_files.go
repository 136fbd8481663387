package embedded

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// How kfake lays out its folder, as far as the repair reads and writes it (version 1 of each):
//
//	partitions/TOPIC-N/BASE.dat     record batches as on the wire, one after the other
//	partitions/TOPIC-N/BASE.idx     15 bytes for each batch: version, checksum, leader epoch, time, in a transaction?
//	partitions/TOPIC-N/snapshot.json  written by a clean stop only, used if the segments' sizes are still the same
//	pids.log, groups.log            frames: length, CRC, version, JSON; the last one with a key wins
//	session_state.json              written by a clean stop: open transactions, group members, fetch sessions

const (
	kafkaBatchHead     = 61      // bytes before a batch's records
	kafkaBatchMax      = 1 << 30 // longer is garbage
	kafkaIndexEntry    = 15
	kafkaFrameHead     = 10
	kafkaFormatVersion = 1

	kafkaAttrTxn     = 0x10
	kafkaAttrControl = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errKafkaCut says that a file ends in an unfinished write; what was read before it is whole.
var errKafkaCut = errors.New("the file ends in an unfinished write")

// kafkaBatch is what the repair needs to know of a record batch.
type kafkaBatch struct {
	first, last   int64 // offsets
	leaderEpoch   int32
	maxTimeMillis int64
	pid           int64
	pidEpoch      int16
	txn           bool // of a transaction: data or marker
	control       bool
	commit        bool // a control batch that commits
}

func (b kafkaBatch) inTx() bool { return b.txn && !b.control }

// readKafkaBatches calls each for every whole batch of a segment of size bytes, and answers how many bytes they take.
// errKafkaCut: the last one is unfinished. ErrKafkaTorn: one that isn't the last can't be read.
func readKafkaBatches(r io.Reader, size int64, each func(kafkaBatch) error) (whole int64, err error) {
	br := bufio.NewReaderSize(r, 1<<20)
	buf := make([]byte, kafkaBatchHead)
	for whole < size {
		left := size - whole
		if left < kafkaBatchHead {
			return whole, errKafkaCut
		}
		if _, err := io.ReadFull(br, buf[:kafkaBatchHead]); err != nil {
			return whole, err
		}
		length := int64(binary.BigEndian.Uint32(buf[8:])) + 12
		if length < kafkaBatchHead || length > kafkaBatchMax {
			// A file that grew and lost its pages in a power cut ends in zeros.
			if zero, err := onlyZeros(buf[:kafkaBatchHead], br); err != nil {
				return whole, err
			} else if zero {
				return whole, errKafkaCut
			}
			return whole, fmt.Errorf("%w: no batch begins at byte %d", ErrKafkaTorn, whole)
		}
		if length > left {
			return whole, errKafkaCut
		}
		if int64(cap(buf)) < length {
			buf = append(make([]byte, 0, length), buf[:kafkaBatchHead]...)
		}
		buf = buf[:length]
		if _, err := io.ReadFull(br, buf[kafkaBatchHead:]); err != nil {
			return whole, err
		}
		if crc32.Checksum(buf[21:], castagnoli) != binary.BigEndian.Uint32(buf[17:]) {
			if length == left {
				return whole, errKafkaCut
			}
			return whole, fmt.Errorf("%w: the batch at byte %d has a wrong checksum", ErrKafkaTorn, whole)
		}
		b, err := parseKafkaBatch(buf)
		if err != nil {
			return whole, fmt.Errorf("%w: the batch at byte %d: %w", ErrKafkaTorn, whole, err)
		}
		if err := each(b); err != nil {
			return whole, err
		}
		whole += length
	}
	return whole, nil
}

func onlyZeros(head []byte, rest io.Reader) (bool, error) {
	buf := head
	for {
		if len(bytes.Trim(buf, "\x00")) > 0 {
			return false, nil
		}
		buf = make([]byte, 1<<16)
		n, err := rest.Read(buf)
		buf = buf[:n]
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

func parseKafkaBatch(raw []byte) (kafkaBatch, error) {
	attrs := binary.BigEndian.Uint16(raw[21:])
	b := kafkaBatch{
		first:         int64(binary.BigEndian.Uint64(raw)),
		leaderEpoch:   int32(binary.BigEndian.Uint32(raw[12:])),
		maxTimeMillis: int64(binary.BigEndian.Uint64(raw[35:])),
		pid:           int64(binary.BigEndian.Uint64(raw[43:])),
		pidEpoch:      int16(binary.BigEndian.Uint16(raw[51:])),
		txn:           attrs&kafkaAttrTxn != 0,
		control:       attrs&kafkaAttrControl != 0,
	}
	b.last = b.first + int64(binary.BigEndian.Uint32(raw[23:]))
	if b.control {
		var rec kmsg.Record
		if err := rec.ReadFrom(raw[kafkaBatchHead:]); err != nil {
			return b, fmt.Errorf("reading the marker: %w", err)
		}
		var key kmsg.ControlRecordKey
		if err := key.ReadFrom(rec.Key); err != nil {
			return b, fmt.Errorf("reading the marker's key: %w", err)
		}
		b.commit = key.Type == kmsg.ControlRecordKeyTypeCommit
	}
	return b, nil
}

// kafkaMarker is the encoded control batch at offset that ends a transaction.
func kafkaMarker(offset int64, leaderEpoch int32, pid int64, pidEpoch int16, commit bool) []byte {
	key := kmsg.ControlRecordKey{Type: kmsg.ControlRecordKeyTypeAbort}
	if commit {
		key.Type = kmsg.ControlRecordKeyTypeCommit
	}
	rec := kmsg.Record{Key: key.AppendTo(nil), Value: new(kmsg.EndTxnMarker).AppendTo(nil)}
	rec.Length = int32(len(rec.AppendTo(nil)) - 1) // the length itself is a varint of one byte
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		FirstOffset: offset, PartitionLeaderEpoch: leaderEpoch, Magic: 2, Attributes: kafkaAttrTxn | kafkaAttrControl,
		FirstTimestamp: now, MaxTimestamp: now, ProducerID: pid, ProducerEpoch: pidEpoch, FirstSequence: -1,
		NumRecords: 1, Records: rec.AppendTo(nil),
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], castagnoli))
	return raw
}

// appendKafkaIndex appends the index entry of a batch; timeMillis is the highest time so far in the partition.
func appendKafkaIndex(to []byte, b kafkaBatch, timeMillis int64) []byte {
	e := make([]byte, kafkaIndexEntry)
	e[0] = kafkaFormatVersion
	binary.LittleEndian.PutUint32(e[2:], uint32(b.leaderEpoch))
	binary.LittleEndian.PutUint64(e[6:], uint64(timeMillis))
	if b.inTx() {
		e[14] = 1
	}
	e[1] = byte(crc32.Checksum(e[2:], castagnoli))
	return append(to, e...)
}

// sameKafkaIndex says whether kfake, loading have, knows the same of every batch as it would of want. The times may
// differ: it computes them anew.
func sameKafkaIndex(have, want []byte) bool {
	if len(have) != len(want) {
		return false
	}
	for ; len(have) > 0; have, want = have[kafkaIndexEntry:], want[kafkaIndexEntry:] {
		h, w := have[:kafkaIndexEntry], want[:kafkaIndexEntry]
		if byte(crc32.Checksum(h[2:], castagnoli)) != h[1] || !bytes.Equal(h[2:6], w[2:6]) || h[14] != w[14] {
			return false
		}
	}
	return true
}

// kafkaPidEntry is an entry of pids.log. Types: "init" makes or replaces a producer, "endtx" ends a transaction,
// "timeout" aborts one that took too long and raises the epoch.
type kafkaPidEntry struct {
	Type    string `json:"type"`
	PID     int64  `json:"pid"`
	Epoch   int16  `json:"epoch"`
	TxID    string `json:"txid,omitempty"`
	Timeout int32  `json:"timeout,omitempty"`
	Commit  *bool  `json:"commit,omitempty"` // of "init": how the last transaction ended, for a repeated EndTxn
}

// readKafkaFrames calls each for every whole frame of a log file and cuts off what follows the last one: kfake appends
// behind it, and would never read past it again. A missing file has no frames.
func readKafkaFrames(path string, each func(json []byte) error) (cut int, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	pos := 0
	for pos+kafkaFrameHead <= len(raw) {
		length := int(binary.LittleEndian.Uint32(raw[pos:]))
		if length < 2 || length > len(raw)-pos-8 {
			break
		}
		body := raw[pos+8 : pos+8+length]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(raw[pos+4:]) {
			break
		}
		if err := each(body[2:]); err != nil {
			return 0, err
		}
		pos += 8 + length
	}
	if pos == len(raw) {
		return 0, nil
	}
	return len(raw) - pos, truncateSynced(path, int64(pos))
}

func appendKafkaFrame(to []byte, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	body := append(binary.LittleEndian.AppendUint16(nil, kafkaFormatVersion), data...)
	to = binary.LittleEndian.AppendUint32(to, uint32(len(body)))
	to = binary.LittleEndian.AppendUint32(to, crc32.Checksum(body, castagnoli))
	return append(to, body...), nil
}

func truncateSynced(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

func appendSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// replaceSynced writes a file anew or leaves the old one. kfake removes a *.tmp that is left.
func replaceSynced(path string, data []byte) error {
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := appendSynced(tmp, data); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
