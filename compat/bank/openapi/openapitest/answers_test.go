package openapitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	answers, err := NewAnswers()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		listener     Listener
		method, path string
		status       int
		body, fault  string
	}{
		{API, "GET", "/business-date", 200, `{"date":20131007}`, ""},
		{API, "GET", "/business-date", 200, `{"date":"20131007"}`, "date"},
		{API, "GET", "/business-date", 200, `{"date":20131007,"more":1}`, "more"},
		{API, "GET", "/business-date", 200, `{}`, "date"},
		{API, "GET", "/business-date", 200, `{"date":1}{}`, "more behind"},
		{API, "GET", "/business-date", 202, `{"date":1}`, "getBusinessDate does not answer 202"},
		{Operations, "GET", "/business-date", 405, `{"type":"method_not_allowed","message":""}`, ""},
		{API, "POST", "/business-date", 405, `{"type":"method_not_allowed","message":""}`, ""},
		{API, "POST", "/business-date", 202, `{"date":1}`, "no such route and method"},
		{API, "GET", "/nothing", 404, `{"type":"not_found","message":""}`, ""},
		{API, "GET", "/nothing", 404, `{"type":"trade_not_found","message":""}`, "type"},
		{API, "GET", "/cash", 404, `{"type":"not_found","message":""}`, ""},
		{API, "GET", "/trades/1", 404, `{"type":"not_found","message":""}`, "type"},
		{API, "GET", "/trades/1", 404, `{"type":"trade_not_found","message":"no"}`, ""},
		{API, "GET", "/trades/", 404, `{"type":"not_found","message":"no"}`, ""},
		{API, "GET", "/nothing", 401, `{"type":"unauthorized","message":""}`, ""},
		{API, "GET", "/accounts/1/positions/BRK%2FB", 200, `{"account_id":"1","symbol":"BRK/B","quantity":"1.5"}`, ""},
		{API, "GET", "/accounts/1/positions/A", 200, `{"account_id":"1","symbol":"A","quantity":"1.50"}`, "quantity"},
		{API, "GET", "/accounts/1/positions/A", 200, `{"account_id":"1","symbol":"A","quantity":1.5}`, "quantity"},
		{API, "GET", "/accounts/1/positions/A", 200, `{"account_id":"1","symbol":"A","quantity":"-0"}`, "quantity"},
		{API, "GET", "/accounts/1/positions/A", 200, `{"account_id":1,"symbol":"A","quantity":"0"}`, "account_id"},
		{API, "POST", "/uploads/insert", 202, `{"upload_id":"` + strings.Repeat("0a", 32) + `","org_id":1,"user_id":1,"name":"a.csv","created_at":1,"s3_key":"k"}`, ""},
		{API, "GET", "/uploads/insert", 405, `{"type":"method_not_allowed","message":""}`, ""},
		{API, "GET", "/uploads/0a", 404, `{"type":"upload_not_found","message":""}`, ""},
		{Operations, "POST", "/cash", 202, `{"cash_id":"12"}`, ""},
		{Operations, "POST", "/cash", 202, `{"cash_id":12}`, "cash_id"},
		{Operations, "POST", "/replay", 202, `{}`, ""},
		{Operations, "POST", "/replay", 202, `{"a":1}`, "a"},
	} {
		header := http.Header{"Content-Type": {"application/json"}, "Allow": {"POST"}}
		err := answers.Check(c.listener, c.method, c.path, c.status, header, []byte(c.body))
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s %s %s: %d %s: %v, has to be %q", c.listener, c.method, c.path, c.status, c.body, err, c.fault)
		}
	}
	if n := answers.Seen("moveCash", 202); n != 2 {
		t.Errorf("moveCash was seen %d times", n)
	}
	for name, header := range map[string]http.Header{"Content-Type": {"Allow": {"GET"}}, "Allow": {"Content-Type": {"application/json"}}} {
		err := answers.Check(API, "PUT", "/trades", 405, header, []byte(`{"type":"method_not_allowed","message":""}`))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestAround(t *testing.T) {
	t.Parallel()
	system := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
		}
		io.WriteString(w, `{"date":20131007}`)
	}))
	defer system.Close()
	api, operations, answers := Around(t, system.URL, system.URL)
	response, err := http.Get(api + "/business-date")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response, err = http.Post(operations+"/business-date", "application/json", strings.NewReader(`{"date":20131007}`)); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || string(body) != `{"date":20131007}` || response.StatusCode != http.StatusAccepted {
		t.Errorf("%d %s, %v", response.StatusCode, body, err)
	}
	if answers.Seen("getBusinessDate", 200) != 1 || answers.Seen("rollBusinessDate", 202) != 1 {
		t.Error("the proxies did not see both")
	}
}
