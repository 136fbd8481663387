package sample

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/compat/facade/mode"
)

func TestEqual(t *testing.T) {
	t.Parallel()
	primary, secondary := says(200, `{"date":20131007}`), says(200, `{ "date": 20131007 }`)
	s := start(t, config(t, database(t), primary, secondary))
	if !s.read(primary, all(), "/business-date") {
		t.Fatal("not wanted")
	}
	s.ends(t, equal, 1)
	if primary.asked.Load() != 1 || secondary.asked.Load() != 1 {
		t.Errorf("asked %d and %d times", primary.asked.Load(), secondary.asked.Load())
	}
	s.kept(t, 0)
}

func TestWants(t *testing.T) {
	t.Parallel()
	primary := says(200, `{}`)
	s, err := New(config(t, database(t), primary, primary))
	must(t, err)
	request := func(method, target string, header ...string) *http.Request {
		r := httptest.NewRequest(method, target, nil)
		for _, h := range header {
			r.Header.Set(h, "x")
		}
		return r
	}
	bankOnly := all()
	bankOnly.Mode = mode.BankOnly
	never := all()
	never.Sampling = 0
	for name, c := range map[string]struct {
		r     *http.Request
		state mode.State
		want  bool
	}{
		"a read":         {request("GET", "/accounts/1/trades?page_size=5"), all(), true},
		"HEAD":           {request("HEAD", "/trades/1"), all(), false},
		"a write":        {request("POST", "/trades"), all(), false},
		"uploads":        {request("GET", "/uploads/1"), all(), false},
		"unknown":        {request("GET", "/metrics"), all(), false},
		"conditional":    {request("GET", "/trades/1", "If-None-Match"), all(), false},
		"in part":        {request("GET", "/trades/1", "Range"), all(), false},
		"no secondary":   {request("GET", "/trades/1"), bankOnly, false},
		"switched off":   {request("GET", "/trades/1"), never, false},
		"no mode at all": {request("GET", "/trades/1"), mode.State{Sampling: 1}, false},
	} {
		if got := s.Wants(c.r, c.state); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	// The rate is what the state says at the moment.
	state, wanted := all(), 0
	state.Sampling = 0.25
	for range 10_000 {
		if s.Wants(request("GET", "/trades/1"), state) {
			wanted++
		}
	}
	if wanted < 2200 || wanted > 2800 {
		t.Errorf("%d of 10000 at a rate of 0.25", wanted)
	}
}

// What a read costs that is not sampled.
func TestWantsIsCheap(t *testing.T) {
	primary := says(200, `{}`)
	s, err := New(config(t, database(t), primary, primary))
	must(t, err)
	r := httptest.NewRequest(http.MethodGet, "/accounts/1/trades", nil)
	state := all()
	state.Sampling = 1e-18
	if n := testing.AllocsPerRun(1000, func() { s.Wants(r, state) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestDifferent(t *testing.T) {
	t.Parallel()
	primary, secondary := says(200, `{"trade_id":"1","price":"10"}`), says(200, `{"trade_id":"1","price":"11","more":1}`)
	cfg := config(t, database(t), primary, secondary)
	registry := prometheus.NewRegistry()
	cfg.Registry = registry
	s := start(t, cfg)
	s.read(primary, all(), "/trades/1?x=%20y")
	list := s.kept(t, 2)
	s.ends(t, different, 1)
	if brief(list[1]) != `value $.price "10"|"11"` || brief(list[0]) != `extra_field $.more |1` {
		t.Errorf("%s, %s", brief(list[1]), brief(list[0]))
	}
	d := list[1]
	if d.Request != "GET /trades/1?x=%20y" || d.Route != "/trades/{trade_id}" || d.Mode != mode.BankPrimary || d.Epoch != 7 || d.Replica != "test" || d.Rounds < 2 || d.WaitedMS < 100 {
		t.Errorf("%+v", d)
	}
	if time.Since(d.SeenAt) > allowance {
		t.Errorf("seen at %v", d.SeenAt)
	}
	got, err := s.Get(t.Context(), d.ID)
	must(t, err)
	if got != d {
		t.Errorf("%+v instead of %+v", got, d)
	}
	if _, err := s.Get(t.Context(), d.ID+1000); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	only, err := s.List(t.Context(), Filter{Kind: Value, Route: "/trades/{trade_id}", OnlyUnexplained: true, Limit: 10})
	must(t, err)
	none, err := s.List(t.Context(), Filter{Before: d.ID})
	must(t, err)
	if len(only) != 1 || only[0].ID != d.ID || len(none) != 0 {
		t.Errorf("%v, %v", only, none)
	}
	var leaked int
	must(t, cfg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM facade.divergence d WHERE d::text LIKE '%secret-key%'`).Scan(&leaked))
	if leaked != 0 {
		t.Error("the client's key is kept")
	}
	counted := gather(t, registry)
	for series, want := range map[string]float64{
		"hotswap_sample_reads_total /trades/{trade_id}": 1, "hotswap_sample_dropped_total /trades/{trade_id}": 0, "hotswap_sample_divergences_total value /trades/{trade_id}": 1,
		"hotswap_sample_divergences_total order /trades": 0, "hotswap_sample_results_total different /trades/{trade_id}": 1, "hotswap_sample_parked": 0,
		"hotswap_sample_pages_followed_total": 0, "hotswap_sample_not_kept_total": 0, "hotswap_sample_rules_expired": 0,
	} {
		if got, ok := counted[series]; !ok || got != want {
			t.Errorf("%s: %g (%t) instead of %g", series, got, ok, want)
		}
	}
	if _, err := New(cfg); err == nil {
		t.Error("metrics are registered twice")
	}
}

// The systems are those of the mode; what is shown to them is what the client sent.
func TestModes(t *testing.T) {
	t.Parallel()
	theirs := says(200, `{"date":1}`)
	ours := &system{}
	shown := make(chan *http.Request, 100)
	ours.does(func(w http.ResponseWriter, r *http.Request) {
		shown <- r
		fmt.Fprint(w, `{"date":2}`)
	})
	s := start(t, config(t, database(t), theirs, ours))
	state := all()
	state.Mode = mode.BKPrimary
	s.read(ours, state, "/business-date?a=b%2Fc")
	if d := s.kept(t, 1)[0]; brief(d) != "value $.date 2|1" || d.Mode != mode.BKPrimary {
		t.Errorf("%+v", d)
	}
	<-shown // the client's
	r := <-shown
	if r.RequestURI != "/business-date?a=b%2Fc" || r.URL.RawQuery != "a=b%2Fc" || r.Header.Get("Authorization") != "Bearer secret-key" || r.Host != "example.com" {
		t.Errorf("%q %q %v %q", r.RequestURI, r.URL.RawQuery, r.Header, r.Host)
	}
}

func TestNoise(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	primary := &system{}
	primary.does(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"name":"a","now":%d}`, n.Add(1)) })
	secondary := says(200, `{"name":"a","now":0}`)
	s := start(t, config(t, database(t), primary, secondary))
	s.read(primary, all(), "/accounts/1")
	s.ends(t, noise, 1)
	s.kept(t, 0)

	// What lasts is told from the noise around it.
	secondary.say(200, `{"name":"b","now":0}`)
	s.read(primary, all(), "/accounts/1")
	if d := s.kept(t, 1)[0]; brief(d) != `value $.name "a"|"b"` {
		t.Error(brief(d))
	}
}

func TestLag(t *testing.T) {
	t.Parallel()
	t.Run("the secondary comes after", func(t *testing.T) {
		t.Parallel()
		primary, secondary := says(200, `{"quantity":"2"}`), says(200, `{"quantity":"1"}`)
		cfg := config(t, database(t), primary, secondary)
		cfg.Settle = allowance
		s := start(t, cfg)
		s.read(primary, all(), "/accounts/1/positions/A")
		until(t, func() bool { return secondary.asked.Load() >= 3 })
		secondary.say(200, `{"quantity":"2"}`)
		s.ends(t, lagged, 1)
		s.kept(t, 0)
	})
	t.Run("to a primary that moves", func(t *testing.T) {
		t.Parallel()
		// Each answer of the primary is new; the secondary gives the one before.
		var n atomic.Int64
		primary, secondary := &system{}, &system{}
		primary.does(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"quantity":"%d"}`, n.Add(1)) })
		secondary.does(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"quantity":"%d"}`, n.Load()-1) })
		s := start(t, config(t, database(t), primary, secondary))
		s.read(primary, all(), "/accounts/1/positions/A")
		s.ends(t, lagged, 1)
	})
	t.Run("a row that is missing for a while", func(t *testing.T) {
		t.Parallel()
		primary, secondary := says(200, `{"trade_id":"1"}`), says(404, `{"type":"trade_not_found","message":""}`)
		cfg := config(t, database(t), primary, secondary)
		cfg.Settle = allowance
		s := start(t, cfg)
		s.read(primary, all(), "/trades/1")
		until(t, func() bool { return secondary.asked.Load() >= 2 })
		secondary.say(200, `{"trade_id":"1"}`)
		s.ends(t, lagged, 1)
	})
	t.Run("known to be behind", func(t *testing.T) {
		t.Parallel()
		primary, secondary := says(200, `{"quantity":"2"}`), says(200, `{"quantity":"1"}`)
		cfg := config(t, database(t), primary, secondary)
		cfg.Behind = func() time.Duration { return time.Hour }
		s := start(t, cfg)
		s.read(primary, all(), "/accounts/1/positions/A")
		s.ends(t, behind, 1)
		s.kept(t, 0)
	})
	t.Run("another mode meanwhile", func(t *testing.T) {
		t.Parallel()
		primary, secondary := says(200, `{"quantity":"2"}`), says(200, `{"quantity":"1"}`)
		cfg := config(t, database(t), primary, secondary)
		cfg.Settle = allowance
		var now atomic.Pointer[mode.State]
		state := all()
		now.Store(&state)
		cfg.State = func() mode.State { return *now.Load() }
		s := start(t, cfg)
		s.read(primary, state, "/accounts/1/positions/A")
		until(t, func() bool { return secondary.asked.Load() >= 2 })
		next := all()
		next.Epoch.Epoch++
		now.Store(&next)
		s.ends(t, stale, 1)
		s.kept(t, 0)
	})
}

func TestPagesAreFollowed(t *testing.T) {
	t.Parallel()
	// Four pages of one row each, in both; tokens are each system's own.
	book := func(prefix string, amounts ...string) *system {
		b := &system{}
		b.does(func(w http.ResponseWriter, r *http.Request) {
			page := 0
			if token := r.URL.Query().Get("page_token"); token != "" {
				if n, err := fmt.Sscanf(token, prefix+" %d", &page); n != 1 || err != nil || r.URL.Query().Get("page_size") != "1" {
					w.WriteHeader(400)
					fmt.Fprint(w, `{"type":"malformed_request","message":""}`)
					return
				}
			}
			next := ""
			if page+1 < len(amounts) {
				next = fmt.Sprintf(`,"next_page_token":"%s %d"`, prefix, page+1)
			}
			fmt.Fprintf(w, `{"data":[{"journal_id":"%s%d","trade_id":"%d","memo":"open","td_amount":%q}]%s}`, prefix, page, page, amounts[page], next)
		})
		return b
	}
	for name, c := range map[string]struct {
		target    string
		pages     int
		secondary []string
		want      result
		request   string
	}{
		"to the end":             {"?page_size=1", 10, []string{"1", "2", "3", "4"}, equal, ""},
		"not beyond the limit":   {"?page_size=1", 3, []string{"1", "2", "3", "5"}, equal, ""},
		"to a difference":        {"?page_size=1", 10, []string{"1", "2", "9", "4"}, different, "GET /accounts/1/journal?page_size=1&page_token=p+2"},
		"to where one ends":      {"?page_size=1", 10, []string{"1", "2", "3"}, different, "GET /accounts/1/journal?page_size=1&page_token=p+2"},
		"from a page inside":     {"?page_token=p%203&page_size=1", 10, []string{"1", "9", "3", "4"}, different, "GET /accounts/1/journal?page_size=1&page_token=p+1"},
		"a token that is no one": {"?page_size=1&page_token=x", 10, []string{"1"}, equal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary, secondary := book("p", "1", "2", "3", "4"), book("s", c.secondary...)
			cfg := config(t, database(t), primary, secondary)
			cfg.Pages = c.pages
			s := start(t, cfg)
			s.read(primary, all(), "/accounts/1/journal"+c.target)
			s.ends(t, c.want, 1)
			if c.request == "" {
				s.kept(t, 0)
			} else if d := s.kept(t, 1)[0]; d.Request != c.request {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestRulesExplain(t *testing.T) {
	t.Parallel()
	primary, secondary := says(200, `{"name":"a"}`), says(200, `{"name":"b"}`)
	rules := func(expires time.Time) *Rules {
		r, err := NewRules([]Rule{{Name: "names", Owner: "anna", Reason: "CHG-1", Expires: expires, Path: "$.name", Kind: Value}})
		must(t, err)
		return r
	}
	cfg := config(t, database(t), primary, secondary)
	cfg.Settle = allowance // not waited for
	cfg.Rules = rules(time.Now().Add(time.Hour))
	s := start(t, cfg)
	for range 5 {
		s.read(primary, all(), "/accounts/1")
	}
	s.ends(t, explained, 5)
	if d := s.kept(t, 1)[0]; d.ExplainedBy != "names" || d.ExpiredRule != "" { // one of them a minute
		t.Errorf("%+v", d)
	}
	if got := s.Stats(); got.Explained["names"] != 5 || len(got.Divergences) != 0 {
		t.Errorf("%+v", got)
	}
	if list, err := s.List(t.Context(), Filter{OnlyUnexplained: true}); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}

	// A rule ends at its time, and then says so.
	cfg.Settle = 50 * time.Millisecond
	cfg.Registry = nil
	cfg.Rules = nil
	s = start(t, cfg)
	s.SetRules(rules(time.Now().Add(-time.Second)))
	if len(s.Rules().All()) != 1 || s.expiredRules() != 1 {
		t.Errorf("%v", s.Rules().All())
	}
	s.read(primary, all(), "/accounts/1")
	s.ends(t, different, 1)
	if d := s.kept(t, 2)[0]; d.ExplainedBy != "" || d.ExpiredRule != "names" {
		t.Errorf("%+v", d)
	}
	if got := s.Stats(); got.Expired["names"] != 1 || got.Divergences[Value] != 1 {
		t.Errorf("%+v", got)
	}
}

func TestSecondaryThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply http.HandlerFunc
		want  result
	}{
		"is dead":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, secondaryFailed},
		"breaks off": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"a":`); panic(http.ErrAbortHandler) }, secondaryFailed},
		"panics":     {func(http.ResponseWriter, *http.Request) { panic("a bug") }, secondaryFailed},
		"never ends": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, timedOut},
		"is too slow, and then says something": {func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(500)
		}, timedOut},
		"talks too much": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 2000)) }, secondaryFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary, secondary := says(200, `{"a":1}`), &system{}
			secondary.does(c.reply)
			cfg := config(t, database(t), primary, secondary)
			cfg.MaxBody = 1000
			if c.want == timedOut {
				cfg.Timeout = 20 * time.Millisecond
			}
			s := start(t, cfg)
			s.read(primary, all(), "/trades/1")
			s.ends(t, c.want, 1)
			s.kept(t, 0)
		})
	}
	t.Run("so does the primary", func(t *testing.T) {
		t.Parallel()
		primary, secondary := says(500, `{"type":"internal"}`), says(200, `{}`)
		s := start(t, config(t, database(t), primary, secondary))
		s.read(primary, all(), "/trades/1")
		s.ends(t, primaryFailed, 1)
	})
}

// A secondary that hangs costs the callers nothing: what there is no room for is dropped.
func TestNeverBlocks(t *testing.T) {
	t.Parallel()
	primary, secondary := says(200, `{"a":1}`), &system{}
	hang := make(chan struct{})
	secondary.does(func(w http.ResponseWriter, _ *http.Request) {
		<-hang
		fmt.Fprint(w, `{"a":1}`)
	})
	cfg := config(t, database(t), primary, secondary)
	cfg.QueueSize, cfg.Workers = 10, 2
	s := start(t, cfg)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := httptest.NewRequest(http.MethodGet, "/trades/1", nil)
		for range 1000 {
			s.Compare(r, all(), 200, http.Header{}, []byte(`{"a":1}`))
		}
	}()
	select {
	case <-done:
	case <-time.After(allowance):
		t.Fatal("Compare blocks")
	}
	until(t, func() bool { return secondary.asked.Load() == 2 })
	got := s.Stats()
	if got.Sampled+got.Dropped != 1000 || got.Sampled > 12 || got.Sampled < 10 {
		t.Errorf("%+v", got)
	}
	// While there is no room, the answer isn't even wanted.
	until(t, func() bool {
		return !s.read(primary, all(), "/trades/1")
	})
	close(hang)
	s.ends(t, equal, s.Stats().Sampled)
	if !s.read(primary, all(), "/trades/1") {
		t.Error("no room again")
	}
}

func TestBytesAreBounded(t *testing.T) {
	t.Parallel()
	primary := says(200, `{"a":1}`)
	cfg := config(t, database(t), primary, primary)
	cfg.MaxBody, cfg.QueueBytes = 1000, 2500
	s, err := New(cfg)
	must(t, err)
	r := httptest.NewRequest(http.MethodGet, "/trades/1", nil)
	for range 5 {
		s.Compare(r, all(), 200, http.Header{}, []byte(`"`+strings.Repeat("x", 998)+`"`))
	}
	s.Compare(r, all(), 200, http.Header{}, make([]byte, 1001))
	if got := s.Stats(); got.Sampled != 2 || got.Dropped != 4 || got.Waiting != 2 {
		t.Errorf("%+v", got)
	}
	run(t, s)
	s.ends(t, lagged, 2) // the primary says something else by now
	until(t, func() bool { return s.held.Load() == 0 })
}

// Many that wait for the secondary don't keep others from being compared, and are bounded too.
func TestWaitingTakesNoWorker(t *testing.T) {
	t.Parallel()
	primary, secondary := &system{}, &system{}
	primary.does(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"a":1}`) })
	secondary.does(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/trades/1" {
			fmt.Fprint(w, `{"a":2}`)
			return
		}
		fmt.Fprint(w, `{"a":1}`)
	})
	cfg := config(t, database(t), primary, secondary)
	cfg.Workers, cfg.QueueSize, cfg.Settle = 1, 20, allowance
	s := start(t, cfg)
	for n := int64(1); s.Stats().Waiting < 20; n++ {
		s.read(primary, all(), "/trades/1")
		if n > 1_000_000 {
			t.Fatal("nothing is parked")
		}
	}
	until(t, func() bool { return s.parked.Load() == 20 && len(s.queue) == 0 })
	s.read(primary, all(), "/trades/2")
	s.ends(t, equal, 1)
	before := s.Stats().Dropped
	s.read(primary, all(), "/trades/1")
	until(t, func() bool { return s.Stats().Dropped > before })
	if n := s.parked.Load(); n > 20 {
		t.Errorf("%d are parked", n)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	primary, secondary := &system{}, &system{}
	primary.does(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"path":%q}`, r.URL.Path) })
	secondary.does(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if strings.HasSuffix(path, "7") {
			path = "other"
		}
		fmt.Fprintf(w, `{"path":%q}`, path)
	})
	pool := database(t)
	cfg := config(t, pool, primary, secondary)
	cfg.Workers, cfg.QueueSize, cfg.KeepRows = 4, 10_000, 40
	other := cfg
	other.Registry = nil
	replicas := []*Sampler{start(t, cfg), start(t, other)}
	var clients sync.WaitGroup
	for client := range 8 {
		clients.Go(func() {
			s := replicas[client%2]
			for i := range 100 {
				s.read(primary, all(), fmt.Sprintf("/trades/%d", i))
				if i%20 == 0 {
					s.Stats()
					s.SetRules(&Rules{})
					if _, err := s.List(context.Background(), Filter{Limit: 5}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	clients.Wait()
	for _, s := range replicas {
		until(t, func() bool {
			r := s.Stats().Results
			return r["equal"]+r["different"] == 400
		})
		if got := s.Stats(); got.Results["different"] != 40 || got.Divergences[Value] != 40 || got.Dropped != 0 || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
	}
	var rows int
	until(t, func() bool {
		must(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM facade.divergence WHERE id > (SELECT last_value FROM facade.divergence_id_seq) - 40`).Scan(&rows))
		return rows == 40
	})
	must(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM facade.divergence`).Scan(&rows))
	if rows > 40+len(replicas)*cfg.Workers {
		t.Errorf("%d rows are kept", rows)
	}
}

// What the caller pays for a read that is sampled, while there is no room, and while there is.
func BenchmarkCompare(b *testing.B) {
	s, err := New(Config{Pool: new(pgxpool.Pool), Replica: "r", Bank: http.NotFoundHandler(), BK: http.NotFoundHandler(), QueueSize: 1000})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/accounts/1/trades?page_size=10&date=20131007", nil)
	r.Header.Set("Authorization", "Bearer key")
	body := []byte(`{"data":[]}`)
	b.ReportAllocs()
	for b.Loop() {
		if s.Wants(r, all()) {
			s.Compare(r, all(), 200, r.Header, body)
		}
		if len(s.queue) == cap(s.queue) {
			for len(s.queue) > 0 {
				<-s.queue
			}
		}
	}
}
