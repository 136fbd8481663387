package openapi_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/openapi/openapitest"
)

const (
	api        = openapitest.API
	operations = openapitest.Operations
)

// routes are the contract's, with the status of success.
var routes = []struct {
	listener              openapitest.Listener
	method, path, success string
}{
	{api, "POST", "/trades", "202"},
	{api, "GET", "/trades", "200"},
	{api, "GET", "/trades/{trade_id}", "200"},
	{api, "DELETE", "/trades/{trade_id}", "202"},
	{api, "POST", "/uploads/insert", "202"},
	{api, "POST", "/uploads/cancel", "202"},
	{api, "GET", "/uploads/{upload_id}", "200"},
	{api, "GET", "/entities", "200"},
	{api, "GET", "/entities/{entity_id}", "200"},
	{api, "GET", "/accounts", "200"},
	{api, "GET", "/accounts/{account_id}", "200"},
	{api, "GET", "/accounts/{account_id}/trades", "200"},
	{api, "GET", "/accounts/{account_id}/trades/{trade_id}", "200"},
	{api, "GET", "/accounts/{account_id}/positions", "200"},
	{api, "GET", "/accounts/{account_id}/positions/{symbol}", "200"},
	{api, "GET", "/accounts/{account_id}/balances", "200"},
	{api, "GET", "/accounts/{account_id}/journal", "200"},
	{api, "GET", "/business-date", "200"},
	{operations, "POST", "/entities", "200 201"},
	{operations, "POST", "/accounts", "200 201"},
	{operations, "POST", "/cash", "202"},
	{operations, "POST", "/business-date", "202"},
	{operations, "POST", "/replay", "202"},
	{operations, "GET", "/replay", "200"},
}

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapitest.Load()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestValid(t *testing.T) {
	t.Parallel()
	err := load(t).Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaDefaultsValidation(), openapi3.EnableSchemaFormatValidation(),
		openapi3.EnableSchemaPatternValidation(), openapi3.EnableMultiError())
	if err != nil {
		t.Error(err)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, r := range routes {
		want = append(want, strings.Join([]string{string(r.listener), r.method, r.path, r.success}, " "))
	}
	doc, names := load(t), map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			listener := openapitest.ListenerOf(doc, op)
			success := slices.Collect(maps.Keys(op.Responses.Map()))
			success = slices.DeleteFunc(success, func(status string) bool { return status[0] != '2' })
			slices.Sort(success)
			got = append(got, strings.Join([]string{string(listener), method, path, strings.Join(success, " ")}, " "))
			if op.OperationID == "" || names[op.OperationID] {
				t.Errorf("%s %s: operation id %q", method, path, op.OperationID)
			}
			names[op.OperationID] = true
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the document's routes are\n%s\nthe contract's\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestErrors holds the document's errors against package bank's.
func TestErrors(t *testing.T) {
	t.Parallel()
	doc, known := load(t), errorTypes(t)
	if listed := texts(doc.Components.Schemas["ErrorType"].Value.Enum); !slices.Equal(listed, known) {
		t.Errorf("the document's types of error are %q, package bank's %q", listed, known)
	}
	told := map[string]bool{}
	check := func(where, status string, response *openapi3.Response) {
		schema := response.Content["application/json"].Schema.Value
		if status[0] == '2' {
			return
		}
		if schema == nil || !slices.Equal(schema.Required, []string{"type", "message"}) || schema.Properties["message"].Value == nil {
			t.Errorf("%s: %s is no error", where, status)
			return
		}
		for _, name := range texts(schema.Properties["type"].Value.Enum) {
			told[name] = true
			if got := strconv.Itoa(bank.Type(name).Status()); got != status {
				t.Errorf("%s: %s is told with %s, has to be with %s", where, name, status, got)
			}
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			where := method + " " + path
			for status, response := range op.Responses.Map() {
				check(where, status, response.Value)
			}
			needed := []string{"401", "500"}
			if op.RequestBody != nil {
				needed = append(needed, "400", "413", "504")
			}
			if method == "DELETE" {
				needed = append(needed, "504")
			}
			for _, status := range needed {
				if op.Responses.Value(status) == nil {
					t.Errorf("%s: no %s", where, status)
				}
			}
			if len(op.Parameters) > 0 && op.Responses.Value("400") == nil {
				t.Errorf("%s: parameters and no 400", where)
			}
		}
	}
	// What no route of the document can answer.
	check("unknown routes", "404", doc.Components.Responses["NotFound"].Value)
	check("other methods", "405", doc.Components.Responses["MethodNotAllowed"].Value)
	for _, name := range known {
		if !told[name] {
			t.Errorf("no route answers with %s", name)
		}
	}
}

// errorTypes reads package bank's types of error from its source, so that none can be forgotten here.
func errorTypes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Type" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			types = append(types, text)
		}
		return false
	})
	if len(types) < 20 {
		t.Fatalf("only %q were found", types)
	}
	return types
}

func texts(values []any) []string {
	var list []string
	for _, v := range values {
		text, _ := v.(string)
		list = append(list, text)
	}
	return list
}
