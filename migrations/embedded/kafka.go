package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/bkledger/bk/migrations/child"
)

// The embedded Kafka broker is franz-go's in-process broker (kfake), kept on disk. kfake was made for tests, and its
// files were measured and read with that in mind. What holds, failure by failure:
//
//   - Stop and start: everything is there. Transactions that were open are aborted and their producers fenced, as
//     after a crash; a real broker would leave them open. Consumer groups keep their offsets, members join again.
//   - kill -9: everything acknowledged is there, and a read-committed consumer sees whole transactions only. kfake
//     alone doesn't give the second half; the repair before each start does (see repairKafka).
//   - Power cut: with Sync, batches and markers are fsynced before they are acknowledged, but kfake fsyncs no folder
//     (a file made just before the cut may be missing) and ignores what fsync answers. Without Sync anything that
//     the kernel hadn't written is gone. Either is found at the next start where it leaves a hole (ErrKafkaTorn), and
//     isn't where it only cuts off an end: compare with the journal.
//   - Disk full: a refused batch is refused to the producer, but a commit marker that can't be written is only
//     logged, at level error, and the commit acknowledged. It is lost at the next start.
//   - Idempotent producers without transactions: kfake forgets their sequence numbers in a kill, a retry over one may
//     be written twice. Use transactions.
//   - Compaction is off: kfake deletes a compacted partition's files before it writes the new ones, so a kill in
//     between loses the partition. Topics with cleanup.policy=compact keep every record. Nothing expires either,
//     unless the topic's own configuration says so, and then only in kfake's terms.
//   - Memory: kfake keeps about 100 bytes for each batch, and reads a partition as a whole when it starts after a kill.

// ErrKafkaTorn says that the folder of an embedded broker holds files that don't belong together or can't be read, so
// that starting on them would silently lose or invent records. Move the folder aside with MoveKafkaAside, start on an
// empty one, and publish again from the journal.
var ErrKafkaTorn = errors.New("the embedded Kafka's files are torn")

// ErrKafkaBusy says that another broker, in this or in another process, is using the folder.
var ErrKafkaBusy = errors.New("the embedded Kafka's folder is in use")

// KafkaConfig says where the embedded broker listens and where it keeps its data.
type KafkaConfig struct {
	// Dir is the folder for the data, made if missing and used by nothing else. Empty: in memory only, for tests.
	Dir string
	// Port on 127.0.0.1; 0 takes a free one (child.FreePort).
	Port int
	// Sync fsyncs every batch and marker before it is acknowledged. Costs about four fsyncs a transaction.
	Sync bool
	// Log takes the broker's warnings. Nil: they are dropped.
	Log *slog.Logger
}

// Validate reports every violation at once.
func (c KafkaConfig) Validate() error {
	var errs []error
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("port: %d is not between 0 and 65535", c.Port))
	}
	if c.Sync && c.Dir == "" {
		errs = append(errs, errors.New("sync: needs dir, there is nothing to sync in memory"))
	}
	if len(errs) > 0 {
		return fmt.Errorf("embedded Kafka: %w", errors.Join(errs...))
	}
	return nil
}

// Kafka is a running embedded broker: one node, no authentication, plaintext, on 127.0.0.1 only.
type Kafka struct {
	cluster *kfake.Cluster
	addr    string
	lock    *flock.Flock // nil in memory
	log     *kafkaLog
	stop    sync.Once
	stopErr error
}

// StartKafka repairs what a kill left in the folder, loads it and serves. The broker is up when it returns; ctx bounds
// the start only. Errors: ErrKafkaTorn, ErrKafkaBusy, a bad configuration, a taken port, the disk's own.
func StartKafka(ctx context.Context, cfg KafkaConfig) (_ *Kafka, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	k := &Kafka{log: &kafkaLog{log: log}}
	defer func() {
		if err != nil && k.lock != nil {
			_ = k.lock.Unlock() // the error of the start is the one to tell
		}
	}()
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.ClusterID("bk-embedded"), kfake.WithLogger(k.log), kfake.BrokerConfigs(kafkaBrokerConfigs())}
	if cfg.Dir != "" {
		if k.lock, err = lockKafka(cfg.Dir); err != nil {
			return nil, err
		}
		if err := repairKafka(ctx, cfg.Dir, log); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.DataDir(cfg.Dir))
		if cfg.Sync {
			opts = append(opts, kfake.SyncWrites())
		}
	}

	// Listening here, not in kfake, tells a taken port from files that can't be loaded.
	port := cfg.Port
	if port == 0 {
		if port, err = child.FreePort(); err != nil {
			return nil, err
		}
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp4", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s for the embedded Kafka: %w", addr, err)
	}
	k.addr = ln.Addr().String()
	opts = append(opts, kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }))
	if k.cluster, err = kfake.NewCluster(opts...); err != nil {
		ln.Close()
		var errno syscall.Errno
		if errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist) { // disk full, no permission: the files may be whole
			return nil, fmt.Errorf("starting the embedded Kafka on %s: %w", cfg.Dir, err)
		}
		return nil, fmt.Errorf("starting the embedded Kafka on %s: %w: %w", cfg.Dir, ErrKafkaTorn, err)
	}
	if cfg.Dir != "" {
		// Loaded, and right only until the next batch: after a kill they would refuse a producer that went on.
		if err := os.Remove(filepath.Join(cfg.Dir, "seq_windows.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			k.cluster.Close()
			return nil, fmt.Errorf("removing the embedded Kafka's old sequence numbers: %w", err)
		}
	}
	return k, nil
}

// Addr is the bootstrap address, "127.0.0.1:port".
func (k *Kafka) Addr() string { return k.addr }

// Stop closes the listener, writes what kfake keeps in memory and gives the folder free. Further calls answer the same.
// An error says that something couldn't be written: the next start treats the folder as after a kill.
func (k *Kafka) Stop() error {
	k.stop.Do(func() {
		k.log.keepErrors()
		k.cluster.Close()
		k.stopErr = k.log.kept()
		if k.lock != nil {
			k.stopErr = errors.Join(k.stopErr, k.lock.Unlock())
		}
	})
	return k.stopErr
}

// MoveKafkaAside renames a torn folder to a name beside it, which it answers: DIR.torn-TIME, with a number behind
// where that is taken. Nothing is deleted. The broker on the folder must be stopped.
func MoveKafkaAside(dir string) (moved string, err error) {
	lock, err := lockKafka(dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	base := filepath.Clean(dir) + ".torn-" + time.Now().UTC().Format("20060102T150405Z")
	for n := 0; n < 1000; n++ {
		moved = base
		if n > 0 {
			moved = fmt.Sprintf("%s-%d", base, n)
		}
		if _, err := os.Lstat(moved); err == nil {
			continue
		}
		if err := os.Rename(dir, moved); err != nil {
			return "", fmt.Errorf("moving the torn Kafka folder aside: %w", err)
		}
		return moved, nil
	}
	return "", fmt.Errorf("moving the torn Kafka folder aside: %s and 999 names after it are taken", base)
}

// kafkaBrokerConfigs turns off what would lose records: compaction and expiry.
func kafkaBrokerConfigs() map[string]string {
	const tenYearsMillis = "315360000000"
	return map[string]string{
		"log.cleaner.backoff.ms": tenYearsMillis, // also the interval of retention
		"log.retention.ms":       "-1",
		"log.segment.bytes":      "67108864", // bounds what loading holds at once
	}
}

// lockKafka makes the folder if need be, and takes its lock, which the kernel gives free when the process dies.
func lockKafka(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the embedded Kafka's folder: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	switch ours, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("locking %s: %w", lock.Path(), err)
	case !ours:
		return nil, fmt.Errorf("%w: %s", ErrKafkaBusy, dir)
	}
	return lock, nil
}

// kafkaLog hands kfake's lines to slog and, while the broker stops, keeps its errors: kfake's Close answers none.
type kafkaLog struct {
	log *slog.Logger

	mu   sync.Mutex
	keep bool
	errs []error
}

// Logf implements kfake.Logger.
func (l *kafkaLog) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug // kfake's info is a line for each request
	switch {
	case level == kfake.LogLevelError:
		to = slog.LevelError
	case level == kfake.LogLevelWarn && !strings.HasPrefix(format, "txn: EndTxn slow"): // every commit, with Sync
		to = slog.LevelWarn
	}
	if to == slog.LevelError {
		l.mu.Lock()
		if l.keep && len(l.errs) < 10 {
			l.errs = append(l.errs, fmt.Errorf("stopping the embedded Kafka: "+format, args...))
		}
		l.mu.Unlock()
	}
	if l.log.Enabled(context.Background(), to) {
		l.log.Log(context.Background(), to, fmt.Sprintf(format, args...), "from", "embedded kafka")
	}
}

func (l *kafkaLog) keepErrors() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep = true
}

func (l *kafkaLog) kept() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.errs...)
}
