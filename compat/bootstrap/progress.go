package bootstrap

import (
	"sync"
	"time"
)

// Progress is how far a phase is. Units are rows; of catch-up they are what is left.
type Progress struct {
	Phase   string        `json:"phase"`
	Done    int64         `json:"done"`
	Total   int64         `json:"total"` // 0: not known
	Rate    float64       `json:"rate"`  // rows a second since it began
	Left    time.Duration `json:"left_ns,omitempty"`
	About   string        `json:"about,omitempty"`
	Started time.Time     `json:"started"`
	Ended   bool          `json:"ended"`
}

// meter tells of progress.
type meter struct {
	tell func(Progress)
	mu   sync.Mutex
	now  Progress
	told time.Time
}

// tellEvery is how often, at most.
const tellEvery = 200 * time.Millisecond

// phase begins one; what it gives ends it.
func (m *meter) phase(name string, total int64) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now, m.told = Progress{Phase: name, Total: total, Started: time.Now()}, time.Now()
	m.tell(m.now)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.now.Phase != name {
			return
		}
		m.now.Ended = true
		m.rate()
		m.tell(m.now)
	}
}

func (m *meter) rate() {
	took := time.Since(m.now.Started).Seconds()
	if took > 0 {
		m.now.Rate = float64(m.now.Done) / took
	}
	if m.now.Left = 0; m.now.Rate > 0 && m.now.Total > m.now.Done {
		m.now.Left = time.Duration(float64(m.now.Total-m.now.Done) / m.now.Rate * float64(time.Second))
	}
}

func (m *meter) add(rows int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Done += rows
	m.show()
}

func (m *meter) set(done, total int64, about string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Done, m.now.Total, m.now.About = done, total, about
	m.show()
}

func (m *meter) about(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.About = text
}

func (m *meter) show() {
	if time.Since(m.told) < tellEvery {
		return
	}
	m.told = time.Now()
	m.rate()
	m.tell(m.now)
}

// read gives how far it is now.
func (m *meter) read() Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rate()
	return m.now
}
