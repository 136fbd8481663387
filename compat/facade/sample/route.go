package sample

import "strings"

// route is a read of the contract. Others are not compared: what a system has beyond the contract is its own.
type route struct {
	path     string
	segments []string
	key      []string // of a list: the fields that tell a row from the others of its page
}

// newRoutes gives those of the API's listener. Uploads are not among them: the façade's and Bank's are different ones.
func newRoutes() []route {
	one := func(path string, key ...string) route { return route{path, strings.Split(path[1:], "/"), key} }
	return []route{
		one("/trades"),
		one("/trades/{trade_id}"),
		one("/entities", "entity_id"),
		one("/entities/{entity_id}"),
		one("/accounts", "account_id"),
		one("/accounts/{account_id}"),
		one("/accounts/{account_id}/trades", "trade_id"),
		one("/accounts/{account_id}/trades/{trade_id}"),
		one("/accounts/{account_id}/positions", "symbol"),
		one("/accounts/{account_id}/positions/{symbol}"),
		one("/accounts/{account_id}/balances", "currency"),
		one("/accounts/{account_id}/journal", "date", "trade_id", "memo", "symbol", "currency"), // journal_id is each system's own
		one("/business-date"),
	}
}

// find gives the route of an escaped path, nil if there is none.
func find(routes []route, path string) *route {
	if path == "" || path[0] != '/' {
		return nil
	}
	segments := strings.Split(path[1:], "/")
next:
	for i := range routes {
		if len(routes[i].segments) != len(segments) {
			continue
		}
		for j, want := range routes[i].segments {
			if want[0] == '{' && segments[j] == "" || want[0] != '{' && want != segments[j] {
				continue next
			}
		}
		return &routes[i]
	}
	return nil
}
