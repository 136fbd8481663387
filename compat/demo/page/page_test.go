package page

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// middle is a State in the middle of a switch.
func middle() State {
	s := State{
		Seconds: 47.4, Phase: Running, Mode: "bank-primary-bk-secondary", Switching: "bk-primary-bank-secondary", Bank: Up, BK: Up, Day: "20131008", Reasons: []string{},
		Requests: 12_345, Refused: 1234, Trades: 16_789, Rate: 151, P50: 4.25, P99: 31.5, Lag: 17, LagSeconds: 0.2, Compared: 73_808, HeldMS: 43, Switches: 1,
		Stages: []Stage{
			{Name: "history", State: Done, Seconds: 4.6, Note: "Bank has 3,024 trades of 4 business days, made through its API"}, {Name: "Bank alone", State: Done, Seconds: 6.1},
			{Name: "shadow mode", State: Done, Seconds: 8.1, HeldMS: 43}, {Name: "BK first", State: Running, Seconds: 0.1}, {Name: "BK alone", State: Waiting},
		},
		Marks: []Mark{{21.5, "bank-primary-bk-secondary"}},
	}
	for i := range 80 {
		at := 6 + float64(i)/2
		s.Points = append(s.Points, Point{At: at, Rate: 140 + float64(i%7)*5, P50: 3 + float64(i%5), P99: 20 + float64(i%11)*4})
	}
	return s
}

// end is one of a swap that went well; failed, of one that did not.
func end() State {
	s := middle()
	s.Phase, s.Mode, s.Switching, s.Writes, s.Bank, s.Lag, s.Dir = Done, "bk-only", "", true, Off, 0, "hotswap-demo"
	for i := range s.Stages {
		s.Stages[i].State = Done
	}
	return s
}

func failed() State {
	s := end()
	s.Phase, s.Errors, s.Differences = Failed, 3, 2
	s.Reasons = []string{"3 answers are not what Bank alone would have given", "</script><b>2</b> differences"}
	s.Stages[4].State = Failed
	s.Points[40].Errors = 3
	return s
}

func TestFile(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := File(&text, failed()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "</script>"); n != 1 {
		t.Errorf("the script ends %d times: a reason was taken for markup", n)
	}
	for _, from := range []string{"http://", "https://", "@import", "url("} {
		if strings.Contains(strings.ReplaceAll(text.String(), "http://www.w3.org/2000/svg", ""), from) {
			t.Errorf("the page takes something from elsewhere: %s", from)
		}
	}
	if bytes.Contains(text.Bytes(), here) || !strings.Contains(text.String(), `"requests":12345`) {
		t.Error("the State is not in the page")
	}
}

// TestEvents reads them as a browser does: all points first, then new ones alone, until the server is done.
func TestEvents(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	now := func() State {
		s := middle()
		if looks.Add(1) > 1 {
			s.Points = append(s.Points, Point{At: 99, Rate: 1})
		}
		return s
	}
	done := make(chan struct{})
	server := httptest.NewServer(Handler(now, done))
	defer server.Close()
	answer, err := http.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("Content-Type %s", kind)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	next := func() (name string, s State) {
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "event: "):
				name = strings.TrimPrefix(line, "event: ")
			case strings.HasPrefix(line, "data: "):
				if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &s); err != nil {
					t.Fatal(err)
				}
			case line == "":
				return name, s
			}
		}
		return "", s
	}
	if name, s := next(); name != "all" || len(s.Points) != 80 || s.Requests != 12_345 {
		t.Errorf("the first event is %q, with %d points", name, len(s.Points))
	}
	if name, s := next(); name != "more" || len(s.Points) != 1 || s.Points[0].At != 99 {
		t.Errorf("the second event is %q, with %v", name, s.Points)
	}
	if name, s := next(); name != "more" || len(s.Points) != 0 {
		t.Errorf("the third event is %q, with %v", name, s.Points)
	}
	close(done)
	ended := make(chan struct{})
	go func() {
		for lines.Scan() {
		}
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("events go on although the server is done")
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(Handler(end, nil))
	defer server.Close()
	answer, err := http.Get(server.URL + "/state")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var s State
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil || s.Mode != "bk-only" || len(s.Stages) != 5 {
		t.Errorf("%+v: %v", s, err)
	}
	if policy := get(t, server.URL+"/").Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("Content-Security-Policy %q", policy)
	}
}

func get(t *testing.T, url string) http.Header {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.Header
}
