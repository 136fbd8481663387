package page

// The states of a stage.
const (
	Waiting = "waiting"
	Running = "running"
	Done    = "done"
	Failed  = "failed"
)

// The states of a system.
const (
	Off  = "off"  // not there, or not any more
	Idle = "idle" // there, and nothing comes to it
	Up   = "up"
)

// State is all that the page shows at a moment.
type State struct {
	Seconds   float64  `json:"seconds"` // since the begin
	Phase     string   `json:"phase"`   // Waiting, Running, Done or Failed: of the whole
	Reasons   []string `json:"reasons"` // why it failed
	Mode      string   `json:"mode"`    // of the façade; "" before it is there
	Switching string   `json:"switching"`
	Writes    bool     `json:"writes"` // are taken; false: they are held
	Bank      string   `json:"bank"`   // Off, Idle or Up
	BK        string   `json:"bk"`
	Day       string   `json:"day"` // the business date
	Dir       string   `json:"dir"` // folder of the reports

	Requests    int64   `json:"requests"` // of clients
	Errors      int64   `json:"errors"`   // answers that Bank alone would not have given
	Refused     int64   `json:"refused"`  // refusals that were meant
	Trades      int64   `json:"trades"`
	Rate        float64 `json:"rate"`   // requests a second
	P50         float64 `json:"p50_ms"` // of the last second
	P99         float64 `json:"p99_ms"`
	Lag         int64   `json:"lag"`     // writes that wait for the secondary
	LagSeconds  float64 `json:"lag_age"` // the oldest of them
	Compared    int64   `json:"compared"`
	Differences int64   `json:"differences"`
	HeldMS      float64 `json:"held_ms"` // the longest time that a switch held writes
	Switches    int     `json:"switches"`

	Stages []Stage `json:"stages"`
	Marks  []Mark  `json:"marks"`
	Points []Point `json:"points"`
}

// Stage is one of the list.
type Stage struct {
	Name    string  `json:"name"`
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
	HeldMS  float64 `json:"writes_held_ms"` // 0: nothing was switched
	Note    string  `json:"note"`
}

// Mark is a moment in the plot.
type Mark struct {
	At    float64 `json:"at"` // seconds since the begin
	Label string  `json:"label"`
}

// Point is a part of a second of the plot.
type Point struct {
	At     float64 `json:"at"` // its end, in seconds since the begin
	Rate   float64 `json:"rate"`
	P50    float64 `json:"p50"` // milliseconds
	P99    float64 `json:"p99"`
	Errors int64   `json:"errors"`
}

// after gives the points behind a moment.
func after(points []Point, at float64) []Point {
	for i := range points {
		if points[i].At > at {
			return points[i:]
		}
	}
	return []Point{}
}
