package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
)

// proxy stands between the servers and Postgres, to lose answers: what Postgres says while it is muted never arrives, and the connections
// that missed something are cut before anything else goes through. So a COMMIT can be done whose answer is lost, which a stop of
// Postgres alone almost never hits.
type proxy struct {
	listener net.Listener
	to       string
	muted    atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// newProxy serves on a free port.
func newProxy(to string) (*proxy, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for Postgres: %w", err)
	}
	p := &proxy{listener: listener, to: to, conns: map[net.Conn]bool{}}
	go p.serve()
	return p, nil
}

// through gives the DSN, a URL, that leads through a new proxy.
func through(dsn string) (*proxy, string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, "", fmt.Errorf("read the DSN of Postgres: %w", err)
	}
	p, err := newProxy(u.Host)
	if err != nil {
		return nil, "", err
	}
	u.Host = p.listener.Addr().String()
	return p, u.String(), nil
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go p.carry(client)
	}
}

// carry serves one connection.
func (p *proxy) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp4", p.to)
	if err != nil {
		return // Postgres is away: the client sees a closed connection
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, client)
		delete(p.conns, server)
		p.mu.Unlock()
	}()
	go func() {
		defer client.Close() // ends the other direction
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if n > 0 && !p.muted.Load() {
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	_, _ = io.Copy(server, client) // however it ends, both ends are closed
}

// mute lets no answer through until cut.
func (p *proxy) mute() { p.muted.Store(true) }

// cut ends all connections; new ones are whole again.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	p.muted.Store(false)
}

func (p *proxy) close() error {
	err := p.listener.Close()
	p.cut()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
