package contract

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Target is a running system: base URLs such as http://127.0.0.1:8080.
type Target struct {
	API        string
	Operations string
}

// Starter starts a system that is empty and stops it when t ends. With keys, only requests with one of them as Bearer get in.
type Starter func(t *testing.T, keys ...string) Target

// The day at which the dated system stays, a Monday, and the key that it asks for.
const (
	monday = 20131007
	key    = "contract-key-1"
)

// testCase is one named question to a system.
type testCase struct {
	name string
	ask  func(*client)
}

// system is a target as the cases share it.
type system struct {
	Target
	key  string
	http *http.Client // HTTP/1.1
	ids  atomic.Int64 // the last number given out: for accounts, client ids, files
}

// Run holds a target against the contract, each case in a subtest of t.
func Run(t *testing.T, start Starter) {
	undated := newSystem(t, start(t), "")
	dated := newSystem(t, start(t, "another-key", key), key)
	rolling := newSystem(t, start(t), "")
	(&client{t, dated}).roll(monday)

	for _, k := range rollingCases() {
		t.Run(k.name, func(t *testing.T) { k.ask(&client{t, rolling}) })
	}
	for _, k := range undatedCases() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			k.ask(&client{t, undated})
		})
	}
	for _, k := range datedCases() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			k.ask(&client{t, dated})
		})
	}
}

func newSystem(t *testing.T, target Target, key string) *system {
	t.Helper()
	target.API, target.Operations = strings.TrimSuffix(target.API, "/"), strings.TrimSuffix(target.Operations, "/")
	// Connections end before the system ends them: a request would meet that now and then.
	transport := &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: 15 * time.Second, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(true)
	t.Cleanup(transport.CloseIdleConnections)
	s := &system{Target: target, key: key, http: &http.Client{Transport: transport, Timeout: time.Minute}}
	s.ids.Store(100_000)
	(&client{t, s}).operate("/entities", obj{"entity_id": entity, "client_code": "CONTRACT", "legal_name": "Contract Suite LLC"}).status(http.StatusCreated)
	return s
}

// undatedCases run in parallel where no business date is set.
func undatedCases() []testCase {
	return join(transportCases(), brokenCases(), decimalCases(), fieldCases(), needCases(), bookingCases(), storedCases(), repeatCases(), conflictCases(), orderCases(), cancelCases(),
		replacementCases(), feeCases(), settlementCases(), calendarCases(), accountTradeCases(), positionCases(), balanceCases(), journalCases(), pageCases(), entityCases(),
		cashCases(), uploadCases(), uploadRowCases(), raceCases(), textCases())
}

// datedCases run in parallel at the business date monday; every request carries the key.
func datedCases() []testCase { return join(keyCases(), stateCases()) }

// rollingCases run one after another, on days that go up.
func rollingCases() []testCase { return join(rollCases(), rolledCases(), replayCases()) }

func join(lists ...[]testCase) []testCase {
	var all []testCase
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
