package bench

import (
	"fmt"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what was measured. Its JSON is meant for programs, too: keys are only added.
type Report struct {
	When         time.Time         `json:"when"`
	TookSeconds  float64           `json:"took_seconds"`
	Go           string            `json:"go"`
	CPUs         int               `json:"cpus"`
	Postgres     string            `json:"postgres"`
	Settings     map[string]string `json:"postgres_settings"`
	OnDisk       bool              `json:"postgres_on_disk"` // of the throw-away server; of another one it is not known
	Entries      int               `json:"entries"`
	Rounds       int               `json:"rounds"`
	PayloadBytes float64           `json:"payload_bytes"`

	// The best configuration of the engine in process on spread accounts, and of each of the others; closed loop.
	EntriesPerSecond   float64          `json:"entries_per_second"`
	RawCopyPerSecond   float64          `json:"raw_copy_per_second"`
	HotPerSecond       float64          `json:"hot_account_per_second"`
	InsertPerSecond    float64          `json:"single_insert_per_second"` // 64 connections
	Insert1PerSecond   float64          `json:"single_insert_one_connection_per_second"`
	UnaryPerSecond     float64          `json:"connect_unary_per_second"`
	ConnectPerSecond   float64          `json:"connect_per_second"` // batches of 100
	Batch1000PerSecond float64          `json:"connect_batch_1000_per_second"`
	StreamPerSecond    float64          `json:"connect_stream_per_second"`
	FollowedPerSecond  float64          `json:"connect_with_projections_per_second"`
	EngineToRaw        float64          `json:"engine_to_raw_copy"`
	ConnectToRaw       float64          `json:"connect_to_raw_copy"`
	EngineToInsert     float64          `json:"engine_to_single_insert"`
	StreamToInsert     float64          `json:"stream_to_single_insert"`
	HotToSpread        float64          `json:"hot_to_spread"`
	Latencies                           // of the engine in that configuration
	Sides              []Side           `json:"sides"`
	OpenLoop           []OpenLoop       `json:"open_loop"`
	Overload           Overload         `json:"overload"`
	Acceptance         []AcceptanceLine `json:"acceptance"`
}

// Latencies are milliseconds until the acknowledgement, each entry counted.
type Latencies struct {
	P50  float64 `json:"p50_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Max  float64 `json:"max_ms"`
}

// CPU is processor time for one entry in microseconds. The load's process has the engine in it, where that is not behind an API.
type CPU struct {
	Load     float64 `json:"load_us"`
	Server   float64 `json:"server_us,omitempty"`   // the process with the API
	Postgres float64 `json:"postgres_us,omitempty"` // where /proc shows it
}

// Side is one configuration of one way to append, in a closed loop.
type Side struct {
	Way              string    `json:"way"`
	Config           string    `json:"configuration"`
	Best             bool      `json:"best"` // of its way
	Entries          int       `json:"entries"`
	Final            bool      `json:"final"`              // the figures are those of the finals
	EntriesPerSecond float64   `json:"entries_per_second"` // the median of the rounds
	Rounds           []float64 `json:"entries_per_second_by_round"`
	Trials           []float64 `json:"entries_per_second_by_trial"`
	ToRaw            float64   `json:"to_raw_copy"` // the median of the rounds' ratios
	Latencies
	CPU   CPU `json:"cpu"`
	group int // entries that are booked together
	curve []point
}

// OpenLoop is a run on a schedule; latencies count from the schedule.
type OpenLoop struct {
	Way               string  `json:"way"`
	GroupSize         int     `json:"group_size"`
	PartOfCapacity    float64 `json:"part_of_capacity"`
	OfferedPerSecond  float64 `json:"offered_per_second"`
	AcceptedPerSecond float64 `json:"accepted_per_second"`
	Offered           int64   `json:"offered"`
	Accepted          int64   `json:"accepted"`
	Refused           int64   `json:"refused"`
	LoadLateP99       float64 `json:"load_late_p99_ms"` // how late the load itself was; it is part of the latencies
	Latencies
	CPU   CPU `json:"cpu"`
	curve []point
}

// Overload is the run at a multiple of the capacity.
type Overload struct {
	CapacityPerSecond float64 `json:"capacity_per_second"`
	OfferedPerSecond  float64 `json:"offered_per_second"`
	AcceptedPerSecond float64 `json:"accepted_per_second"`
	Offered           int64   `json:"offered"`
	Accepted          int64   `json:"accepted"`
	Refused           int64   `json:"refused"`
	Seconds           float64 `json:"seconds"`
	Latencies                 // of the accepted, from the schedule
	// FromCall are latencies from the call: without what the load itself was late, of which LoadLateP99 tells.
	FromCall    Latencies `json:"from_call"`
	LoadLateP99 float64   `json:"load_late_p99_ms"`
	// QueueMilliseconds is how long a full queue of MaxInFlight takes at the accepted rate: what bounds the latency.
	MaxInFlight         int     `json:"max_in_flight"`
	QueueMilliseconds   float64 `json:"queue_ms"`
	SampledAfterSeconds float64 `json:"resident_sampled_after_seconds"`
	ResidentSampled     int64   `json:"resident_sampled_bytes"` // 0 where /proc doesn't tell
	ResidentEnd         int64   `json:"resident_end_bytes"`
	ResidentPeak        int64   `json:"resident_peak_bytes"`
	MemoryRatio         float64 `json:"memory_ratio"`
	CPUMicroseconds     float64 `json:"cpu_us"`
}

// AcceptanceLine is one line of what BK promises, and what was measured.
type AcceptanceLine struct {
	What    string  `json:"what"`
	Value   float64 `json:"value"`
	AtLeast float64 `json:"at_least,omitempty"`
	AtMost  float64 `json:"at_most,omitempty"`
	Holds   bool    `json:"holds"`
}

func latencies(h *hdrhistogram.Histogram) Latencies {
	return Latencies{P50: milliseconds(h, 50), P99: milliseconds(h, 99), P999: milliseconds(h, 99.9), Max: milliseconds(h, 100)}
}

// perEntry gives the processor time of one entry.
func (t tally) perEntry() CPU {
	per := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(max(1, t.entries)) }
	return CPU{Load: per(t.cpu.load), Server: per(t.cpu.server), Postgres: per(t.cpu.postgres)}
}

// summarise turns the rounds into figures.
func (r *Report) summarise(sides []*side, best map[string]*side) {
	raw := best[wayRaw]
	for _, s := range sides {
		var total tally
		for _, t := range s.counted() {
			total.entries += t.entries
			total.cpu.load += t.cpu.load
			total.cpu.server += t.cpu.server
			total.cpu.postgres += t.cpu.postgres
		}
		h := s.latency()
		r.Sides = append(r.Sides, Side{
			Way: s.Way, Config: s.Config, Best: best[s.Way] == s, Entries: s.trials[0].entries, EntriesPerSecond: median(rates(s.counted())),
			Final: s.finals != nil, Rounds: rates(s.counted()), Trials: rates(s.trials), ToRaw: pairedRatio(s, raw), group: s.group, Latencies: latencies(h), CPU: total.perEntry(), curve: curveOf(h),
		})
	}
	engine := best[wayEngine]
	r.Latencies = latencies(engine.latency())
	for way, to := range map[string]*float64{
		wayEngine: &r.EntriesPerSecond, wayRaw: &r.RawCopyPerSecond, wayHot: &r.HotPerSecond, wayInsert64: &r.InsertPerSecond,
		wayInsert1: &r.Insert1PerSecond, wayUnary: &r.UnaryPerSecond, wayBatch100: &r.ConnectPerSecond,
		wayBatch1000: &r.Batch1000PerSecond, wayStream: &r.StreamPerSecond, wayFollowed: &r.FollowedPerSecond,
	} {
		*to = median(rates(best[way].counted()))
	}
	r.EngineToRaw = pairedRatio(engine, raw)
	r.ConnectToRaw = pairedRatio(best[wayBatch100], raw)
	r.EngineToInsert = pairedRatio(engine, best[wayInsert64])
	r.StreamToInsert = pairedRatio(best[wayStream], best[wayInsert64])
	r.HotToSpread = pairedRatio(best[wayHot], engine)
}

// capacity is the best rate of a way to append with groups of that size.
func (r *Report) capacity(way string, size int) float64 {
	best := 0.0
	for _, s := range r.Sides {
		if s.Way == way && s.group == size {
			best = max(best, s.EntriesPerSecond)
		}
	}
	return best
}

// accept compares with what BK promises.
func (r *Report) accept() {
	line := func(what string, value, atLeast, atMost float64) {
		holds := !math.IsNaN(value) && value > 0 && value >= atLeast && (atMost == 0 || value <= atMost)
		r.Acceptance = append(r.Acceptance, AcceptanceLine{What: what, Value: value, AtLeast: atLeast, AtMost: atMost, Holds: holds})
	}
	line("engine in process / raw COPY", r.EngineToRaw, 0.4, 0)
	line("engine in process / one INSERT a transaction on 64 connections", r.EngineToInsert, 4, 0)
	line("Connect in batches of 100 / raw COPY", r.ConnectToRaw, 0.25, 0)
	line("Connect, stream of single entries / one INSERT a transaction on 64 connections", r.StreamToInsert, 1, 0)
	o := r.Overload
	line("overload: refused / offered", float64(o.Refused)/float64(max(1, o.Offered)), 0.01, 0)
	if o.ResidentSampled > 0 {
		line(fmt.Sprintf("overload: resident memory after %.0f s / after %.0f s", o.Seconds, o.SampledAfterSeconds), o.MemoryRatio, 0, 1.2)
	}
	line("overload: p99 of the acknowledged, from the call / time of a full queue", o.FromCall.P99/o.QueueMilliseconds, 0, 2)
}

// Holds reports whether all lines of the acceptance hold.
func (r *Report) Holds() bool {
	for _, a := range r.Acceptance {
		if !a.Holds {
			return false
		}
	}
	return true
}
