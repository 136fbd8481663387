package client

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
)

// Client calls one server. It is safe for concurrent use.
type Client struct {
	Booking   bkv1connect.BookingServiceClient
	Directory bkv1connect.DirectoryServiceClient
	Query     bkv1connect.QueryServiceClient
	Admin     bkv1connect.AdminServiceClient

	url       string
	transport *http.Transport
}

// maxAnswerBytes bounds a message of the server.
const maxAnswerBytes = 64 << 20

// New makes a client for the server at address, such as http://127.0.0.1:7070: HTTP/2 without TLS, or with TLS where it begins with
// https. It connects when it is first called. Options are added to the client's own.
func New(address string, options ...connect.ClientOption) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a server: give one such as http://127.0.0.1:7070", address)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(u.Scheme == "https")
	protocols.SetUnencryptedHTTP2(u.Scheme == "http")
	transport := &http.Transport{
		DialContext:       (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		Protocols:         protocols,
		ForceAttemptHTTP2: true,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	// Answers are not compressed: it would cost both sides more than it saves on the way.
	options = append([]connect.ClientOption{connect.WithAcceptCompression("gzip", nil, nil), connect.WithReadMaxBytes(maxAnswerBytes)}, options...)
	doer := &http.Client{Transport: transport}
	return &Client{
		Booking:   bkv1connect.NewBookingServiceClient(doer, address, options...),
		Directory: bkv1connect.NewDirectoryServiceClient(doer, address, options...),
		Query:     bkv1connect.NewQueryServiceClient(doer, address, options...),
		Admin:     bkv1connect.NewAdminServiceClient(doer, address, options...),
		url:       address, transport: transport,
	}, nil
}

// URL is the server's address as it was given.
func (c *Client) URL() string { return c.url }

// Close gives back connections that are not in use.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Detail gives what the server says about an error of a call, or nil if it didn't come from a BK server.
func Detail(err error) *bkv1.ErrorDetail {
	var failed *connect.Error
	if !errors.As(err, &failed) {
		return nil
	}
	for _, d := range failed.Details() {
		if value, err := d.Value(); err == nil {
			if detail, ok := value.(*bkv1.ErrorDetail); ok {
				return detail
			}
		}
	}
	return nil
}
