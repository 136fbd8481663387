package rate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
	"github.com/bkledger/bk/migrations/kafkatest/broker"
)

// distinct is how many events are made.
const distinct = 250_000

// Config says what is measured. The zero value of a field is its default.
type Config struct {
	Events    int64  // of each round (1,000,000)
	Rounds    int    // (3)
	Dir       string // folder for warehouses and the broker, on a disk (the system's temporary one)
	KafkaHome string // folder with Apache Kafka's jars (none: the in-process broker, as a process)
	Profile   string // file for a processor profile of the rounds from memory
	// Progress is told what is being done. Default: nobody.
	Progress func(doing string)
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Events == 0 {
		c.Events = 1_000_000
	}
	if c.Rounds == 0 {
		c.Rounds = 3
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	if c.Events < 1000 || c.Events > 100_000_000 {
		wrong = append(wrong, fmt.Errorf("Events: %d is not between 1000 and 100000000", c.Events))
	}
	if c.Rounds < 1 || c.Rounds > 100 {
		wrong = append(wrong, fmt.Errorf("Rounds: %d is not between 1 and 100", c.Rounds))
	}
	return errors.Join(wrong...)
}

// Line is one way of landing.
type Line struct {
	From       string    `json:"from"`
	EventsPerS float64   `json:"events_per_s"` // median
	Rounds     []float64 `json:"rounds_events_per_s"`
	CPU        float64   `json:"cpu_us_per_event"`       // median, of this process
	Stored     float64   `json:"stored_bytes_per_event"` // of the file, when it is closed
}

// Report is what was measured.
type Report struct {
	Events     int64   `json:"events"`
	EventBytes float64 `json:"event_bytes"` // of JSON
	Processors int     `json:"processors"`
	Broker     string  `json:"broker"`
	Lines      []Line  `json:"lines"`
}

// WriteText writes a table.
func (r *Report) WriteText(to io.Writer) error {
	fmt.Fprintf(to, "%d events of %.0f bytes a round, %d processors, %s\n\n", r.Events, r.EventBytes, r.Processors, r.Broker)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "from\tevents/s\tslowest\tCPU µs/event\tstored B/event\t")
	for _, l := range r.Lines {
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.1f\t%.0f\t\n", l.From, l.EventsPerS, slices.Min(l.Rounds), l.CPU, l.Stored)
	}
	return w.Flush()
}

// WriteJSON writes all figures.
func (r *Report) WriteJSON(to io.Writer) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// one is an event that is landed again and again.
type one struct {
	origin landing.Origin
	record landing.Record
}

// Run measures.
func Run(ctx context.Context, cfg Config) (report *Report, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cfg.Dir, "hotswap-landing-*")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg.Progress("making events up")
	var events []one
	var bytes int64
	for origin, record := range generate.Records(generate.Config{Events: min(distinct, cfg.Events)}, true) {
		events = append(events, one{origin, record})
		bytes += int64(len(record.Value))
	}
	report = &Report{Events: cfg.Events, EventBytes: float64(bytes) / float64(len(events)), Processors: runtime.GOMAXPROCS(0), Broker: "in-process broker, as a process"}
	if cfg.KafkaHome != "" {
		report.Broker = "Apache Kafka"
	}
	if err := fromMemory(ctx, cfg, dir, report, events); err != nil {
		return nil, fmt.Errorf("from memory: %w", err)
	}
	if err := fromKafka(ctx, cfg, dir, report, events); err != nil {
		return nil, fmt.Errorf("through Kafka: %w", err)
	}
	return report, nil
}

func fromMemory(ctx context.Context, cfg Config, dir string, report *Report, events []one) (err error) {
	if cfg.Profile != "" {
		file, err := os.Create(cfg.Profile)
		if err != nil {
			return fmt.Errorf("make the profile: %w", err)
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	return rounds(ctx, cfg, dir, report, "memory", func(store landing.Store) (landing.Progress, error) {
		return landing.Feed(ctx, landing.Config{Store: store}, repeated(events, cfg.Events))
	})
}

// repeated gives so many records: the same events, at ever new offsets.
func repeated(events []one, n int64) iter.Seq2[landing.Origin, landing.Record] {
	return func(yield func(landing.Origin, landing.Record) bool) {
		offsets := map[landing.Origin]int64{}
		for i := range n {
			e := &events[i%int64(len(events))]
			record := e.record
			record.Offset = offsets[e.origin]
			offsets[e.origin]++
			if !yield(e.origin, record) {
				return
			}
		}
	}
}

func fromKafka(ctx context.Context, cfg Config, dir string, report *Report, events []one) (err error) {
	cfg.Progress("starting a broker")
	b, err := broker.New(ctx, cfg.KafkaHome, dir)
	if b != nil {
		defer func() { err = errors.Join(err, b.Stop()) }()
	}
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(20_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return fmt.Errorf("make a Kafka client: %w", err)
	}
	defer client.Close()
	topics := landing.TopicsOf(dialect.SideBank, landing.PrefixBank)
	for _, t := range topics {
		if made, err := kadm.NewClient(client).CreateTopic(ctx, generate.Partitions, 1, nil, t.Name); err != nil || made.Err != nil {
			return fmt.Errorf("make the topic %s: %w", t.Name, errors.Join(err, made.Err))
		}
	}
	cfg.Progress("publishing")
	var fault error
	for origin, r := range repeated(events, cfg.Events) {
		client.Produce(ctx, &kgo.Record{Topic: origin.Name, Partition: origin.Partition, Key: r.Key, Value: r.Value}, func(_ *kgo.Record, err error) {
			if err != nil {
				fault = err // one goroutine calls back
			}
		})
	}
	if err := errors.Join(client.Flush(ctx), fault); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return rounds(ctx, cfg, dir, report, "kafka", func(store landing.Store) (landing.Progress, error) {
		l, err := landing.New(landing.Config{Store: store, Brokers: []string{b.Addr()}, Topics: topics})
		if err != nil {
			return landing.Progress{}, err
		}
		return l.Run(ctx)
	})
}

// rounds lands into a new warehouse each time, and adds a line to the report.
func rounds(ctx context.Context, cfg Config, dir string, report *Report, from string, land func(landing.Store) (landing.Progress, error)) error {
	line := Line{From: from}
	var cpu []float64
	for round := range cfg.Rounds {
		cfg.Progress(fmt.Sprintf("%s, round %d of %d", from, round+1, cfg.Rounds))
		path := filepath.Join(dir, fmt.Sprintf("%s%d.duckdb", from, round))
		store, err := duck.OpenStore(ctx, path)
		if err != nil {
			return err
		}
		runtime.GC()
		began, spent := time.Now(), processor()
		p, err := land(store)
		err = errors.Join(err, store.Close())
		took, used := time.Since(began), processor()-spent
		if err == nil && (p.Events != cfg.Events || p.Rejects != 0) {
			err = fmt.Errorf("%d events and %d rejects were landed of %d", p.Events, p.Rejects, cfg.Events)
		}
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil {
			return err
		}
		line.Rounds = append(line.Rounds, float64(cfg.Events)/took.Seconds())
		cpu = append(cpu, float64(used.Microseconds())/float64(cfg.Events))
		line.Stored = float64(info.Size()) / float64(cfg.Events)
	}
	line.EventsPerS, line.CPU = median(line.Rounds), median(cpu)
	report.Lines = append(report.Lines, line)
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// processor is the processor time that this process has used.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
