package contract

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
)

// columns are those of a file of exchange trades.
var columns = []string{"type", "timestamp", "client_trade_id", "date", "account_id", "quantity", "price", "instrument.identifier", "instrument.identifier_type", "instrument.country",
	"instrument.currency", "side.direction", "capacity", "mic", "exec_mpid"}

// row gives a trade's cells, with empty ones for what it does not have.
func row(t obj, columns []string) []string {
	cells := make([]string, len(columns))
	for i, column := range columns {
		var v any = t
		for _, step := range strings.Split(column, ".") {
			inner, _ := v.(obj)
			v = inner[step]
		}
		if v != nil {
			cells[i] = fmt.Sprint(v)
		}
	}
	return cells
}

// table gives the CSV of rows.
func table(header []string, rows ...[]string) string {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	_ = w.WriteAll(append([][]string{header}, rows...)) // a buffer takes everything
	return text.String()
}

// file gives the CSV of trades.
func file(trades ...obj) string {
	rows := make([][]string, len(trades))
	for i, t := range trades {
		rows[i] = row(t, columns)
	}
	return table(columns, rows...)
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // a buffer takes everything
	_ = w.Close()
	return b.String()
}

// upload sends a file; kind is insert or cancel.
func (c *client) upload(kind, name, content string) answer {
	c.Helper()
	return c.multipart(kind, "file", name, content)
}

func (c *client) multipart(kind, field, name, content string) answer {
	c.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile(field, name)
	if err == nil {
		_, err = part.Write([]byte(content))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		c.Fatal(err)
	}
	request, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.sys.API+"/uploads/"+kind, &body)
	if err != nil {
		c.Fatal(err)
	}
	request.Header.Set("Content-Type", w.FormDataContentType())
	if c.sys.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.sys.key)
	}
	return c.do(c.sys.http, request)
}

// worked uploads a file and waits until it is worked off; it compares the counts and the rows and types of the errors, and gives the whole.
func (c *client) worked(kind, content string, processed, skipped int, errors ...string) answer {
	c.Helper()
	id, _ := c.upload(kind, c.name()+".csv", content).status(202).object()["upload_id"].(string)
	a := c.done(id)
	upload := a.object()
	var got []string
	for _, e := range a.objects(upload["errors"]) {
		if message, _ := e["message"].(string); message == "" {
			c.Fatalf("an error without a message: %v", e)
		}
		got = append(got, say(e["row"], e["type"]))
	}
	if number(upload["trades_processed"]) != int64(processed) || number(upload["trades_skipped"]) != int64(skipped) || upload["status"] != "done" || !slices.Equal(got, errors) {
		c.Fatalf("processed %v, skipped %v, %v, errors %v; wanted %d, %d, done, %v", upload["trades_processed"], upload["trades_skipped"], upload["status"], upload["errors"], processed, skipped, errors)
	}
	return a
}

// done waits until an upload is completed.
func (c *client) done(id string) answer {
	c.Helper()
	var last answer
	c.until("upload completed", func() bool {
		last = c.get("/uploads/%s", id)
		upload := last.status(200).object()
		if status := upload["status"]; upload["completed"] != true && status != "pending" && status != "running" {
			c.Fatalf("not completed, but %v", status)
		}
		return upload["completed"] == true
	})
	return last
}

func sum(content string) string {
	hash := sha256.Sum256([]byte(content))
	return hex.EncodeToString(hash[:])
}

// uploadCases: files as such.
func uploadCases() []testCase {
	return []testCase{
		{"upload: the answer", func(c *client) {
			content := file(c.trade(exchange, c.account()))
			name := c.name() + ".csv"
			before := time.Now().Add(-time.Minute).UnixMilli()
			a := c.upload("insert", name, content).has(202, `{"upload_id":%q,"org_id":1,"user_id":1,"name":%q}`, sum(content), name)
			body := a.object()
			if _, text := body["s3_key"].(string); !text || number(body["created_at"]) < before || len(body) != 6 {
				c.Fatalf("%v", body)
			}
			c.done(sum(content)).has(200, `{"upload_id":%q,"org_id":1,"user_id":1,"name":%q,"created_at":%v,"s3_key":%q,"trades_processed":1,"trades_skipped":0,"status":"done","completed":true,"errors":[]}`,
				sum(content), name, body["created_at"], body["s3_key"])
			if u := c.get("/uploads/%s", sum(content)).status(200).object(); number(u["updated_at"]) < number(u["created_at"]) || len(u) != 12 {
				c.Fatalf("%v", u)
			}
		}},
		{"upload: a plain file", func(c *client) {
			account := c.account()
			trades := c.many(5, account, nil)
			c.worked("insert", file(trades...), 5, 0)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"500"}]}`)
			for _, t := range trades {
				c.find(account, t["client_trade_id"]).has(200, `{"state":"open","net_amount":"-16741","mic":"XNAS","timestamp":1381132800464}`)
			}
		}},
		{"upload: a zipped file", func(c *client) {
			account := c.account()
			content := zipped(file(c.many(3, account, nil)...))
			c.upload("insert", c.name()+".csv.gz", content).has(202, `{"upload_id":%q}`, sum(content))
			c.done(sum(content)).has(200, `{"status":"done","trades_processed":3,"trades_skipped":0}`)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"300"}]}`)
		}},
		{"upload: a file that was uploaded before", func(c *client) {
			account := c.account()
			content := file(c.trade(exchange, account))
			c.worked("insert", content, 1, 0)
			c.upload("insert", c.name()+".csv", content).fails(409, "file_exists")
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"100"}]}`)
		}},
		{"upload: at once, one of the same", func(c *client) {
			account := c.account()
			content := file(c.trade(exchange, account))
			name := c.name() + ".csv"
			taken := 0
			for _, a := range c.together(6, func(int) answer { return c.upload("insert", name, content) }) {
				if a.err == nil && a.code == 202 {
					taken++
				} else {
					a.fails(409, "file_exists")
				}
			}
			if taken != 1 {
				c.Fatalf("taken %d times", taken)
			}
			c.done(sum(content)).has(200, `{"trades_processed":1}`)
		}},
		{"upload: the same file to the other endpoint", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			content := file(t)
			c.worked("insert", content, 1, 0)
			c.upload("cancel", c.name()+".csv", content).status(202)
			c.until("cancelled by a file of trades", func() bool { return c.find(account, t["client_trade_id"]).status(200).object()["state"] == "canceled" })
		}},
		{"upload: no rows", func(c *client) {
			for _, kind := range []string{"insert", "cancel"} {
				c.upload(kind, "a.csv", "").fails(400, "empty_file")
				c.upload(kind, "a.csv", "account_id,client_trade_id,"+c.name()+"\n").fails(400, "empty_file")
				c.upload(kind, "a.csv.gz", zipped("account_id,client_trade_id,"+c.name()+"\n")).fails(400, "empty_file")
				c.upload(kind, "a.csv.gz", zipped("")).fails(400, "empty_file")
			}
		}},
		{"upload: an empty file is not remembered", func(c *client) {
			content := "account_id,client_trade_id," + c.name() + "\n"
			c.upload("insert", "a.csv", content).fails(400, "empty_file")
			c.upload("insert", "a.csv", content).fails(400, "empty_file")
			c.get("/uploads/%s", sum(content)).fails(404, "upload_not_found")
		}},
		{"upload: names that are not supported", func(c *client) {
			content := file(c.trade(exchange, c.account()))
			for _, name := range []string{"a.txt", "a", "a.csv.zip", "a.gz", "csv", "a.xlsx"} {
				c.upload("insert", name, content).fails(400, "unsupported_file")
				c.upload("cancel", name, content).fails(400, "unsupported_file")
			}
			c.get("/uploads/%s", sum(content)).fails(404, "upload_not_found")
		}},
		{"upload: first fault", func(c *client) {
			content := file(c.trade(exchange, c.account()))
			c.worked("insert", content, 1, 0)
			c.upload("insert", "a.txt", content).fails(409, "file_exists")
			c.upload("insert", "a.txt", "").fails(400, "empty_file")
		}},
		{"upload: no file in the form", func(c *client) {
			c.multipart("insert", "data", "a.csv", file(c.trade(exchange, c.account()))).fails(400, "malformed_request")
			c.multipart("cancel", "data", "a.csv", "account_id,client_trade_id\n1,x\n").fails(400, "malformed_request")
		}},
		{"upload: no form", func(c *client) {
			c.post("/uploads/insert", "type,timestamp\n").fails(400, "malformed_request")
			c.post("/uploads/cancel", "").fails(400, "malformed_request")
		}},
		{"upload: unknown", func(c *client) {
			c.get("/uploads/%s", sum(c.name())).fails(404, "upload_not_found")
		}},
		{"upload: over 8 MiB", func(c *client) {
			account := c.account()
			header := append(slices.Clone(columns), "padding")
			var rows [][]string
			for range 20 {
				rows = append(rows, append(row(c.trade(exchange, account), columns), strings.Repeat("p", mebibyte/2)))
			}
			c.worked("insert", table(header, rows...), 20, 0)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"2000"}]}`)
		}},
		{"upload: several at once", func(c *client) {
			account := c.account()
			contents := make([]string, 6)
			for i := range contents {
				contents[i] = file(c.many(10, account, nil)...)
			}
			for _, a := range c.together(len(contents), func(i int) answer { return c.upload("insert", "many.csv", contents[i]) }) {
				a.status(202)
			}
			for _, content := range contents {
				c.done(sum(content)).has(200, `{"trades_processed":10,"trades_skipped":0,"status":"done"}`)
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"6000"}]}`)
		}},
	}
}
