package front

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// answer is a status and what is sent with it: JSON text ([]byte), or a value that is marshalled.
type answer struct {
	status int
	body   any
}

// endpoint answers a call.
type endpoint func(*call) (answer, error)

// route is a path, whose segments in braces stand for anything, and what its methods do.
type route struct {
	path     string
	segments []string
	methods  map[string]endpoint
	allow    string // the Allow header
}

func newRoute(path string, methods map[string]endpoint) route {
	if get, ok := methods[http.MethodGet]; ok {
		methods[http.MethodHead] = get // net/http leaves the body out
	}
	names := make([]string, 0, len(methods))
	for name := range methods {
		names = append(names, name)
	}
	slices.Sort(names)
	return route{path: path, segments: strings.Split(path[1:], "/"), methods: methods, allow: strings.Join(names, ", ")}
}

// match gives what stands where the route has braces.
func (r *route) match(segments []string) (values []string, ok bool) {
	if len(segments) != len(r.segments) {
		return nil, false
	}
	for i, segment := range r.segments {
		if segment[0] == '{' {
			if segments[i] == "" {
				return nil, false
			}
			values = append(values, segments[i])
		} else if segment != segments[i] {
			return nil, false
		}
	}
	return values, true
}

// find gives the route of a path. Paths are taken as they are: neither cleaned nor redirected.
func find(routes []route, path *url.URL) (*route, []string) {
	escaped := path.EscapedPath()
	if escaped == "" || escaped[0] != '/' {
		return nil, nil
	}
	segments := strings.Split(escaped[1:], "/")
	for i, segment := range segments {
		if strings.IndexByte(segment, '%') >= 0 {
			segment, err := url.PathUnescape(segment)
			if err != nil {
				return nil, nil
			}
			segments[i] = segment
		}
	}
	for i := range routes {
		if values, ok := routes[i].match(segments); ok {
			return &routes[i], values
		}
	}
	return nil, nil
}

func (h *Handler) apiRoutes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	routes := []route{
		newRoute("/trades", map[string]endpoint{post: h.bookTrades, get: h.tradeByClientID}),
		newRoute("/trades/{trade_id}", map[string]endpoint{get: h.trade, del: h.cancelTrade}),
		newRoute("/entities", map[string]endpoint{get: h.entities}),
		newRoute("/entities/{entity_id}", map[string]endpoint{get: h.entity}),
		newRoute("/accounts", map[string]endpoint{get: h.accounts}),
		newRoute("/accounts/{account_id}", map[string]endpoint{get: h.account}),
		newRoute("/accounts/{account_id}/trades", map[string]endpoint{get: h.accountTrades}),
		newRoute("/accounts/{account_id}/trades/{trade_id}", map[string]endpoint{get: h.accountTrade}),
		newRoute("/accounts/{account_id}/positions", map[string]endpoint{get: h.positions}),
		newRoute("/accounts/{account_id}/positions/{symbol}", map[string]endpoint{get: h.position}),
		newRoute("/accounts/{account_id}/balances", map[string]endpoint{get: h.balances}),
		newRoute("/accounts/{account_id}/journal", map[string]endpoint{get: h.journal}),
		newRoute("/business-date", map[string]endpoint{get: h.businessDate}),
	}
	if h.config.Uploads != nil {
		routes = append(routes,
			newRoute("/uploads/insert", map[string]endpoint{post: h.uploadInsert}),
			newRoute("/uploads/cancel", map[string]endpoint{post: h.uploadCancel}),
			newRoute("/uploads/{upload_id}", map[string]endpoint{get: h.upload}))
	}
	return routes
}

func (h *Handler) operationsRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	routes := []route{
		newRoute("/entities", map[string]endpoint{post: h.createEntity}),
		newRoute("/accounts", map[string]endpoint{post: h.createAccount}),
		newRoute("/cash", map[string]endpoint{post: h.moveCash}),
		newRoute("/business-date", map[string]endpoint{post: h.roll}),
		newRoute("/replay", map[string]endpoint{post: h.replay, get: h.replayPlace}),
	}
	if h.config.Relay != nil {
		routes = append(routes, newRoute("/relay", map[string]endpoint{get: h.relay, http.MethodPut: h.setRelay}))
	}
	return routes
}
