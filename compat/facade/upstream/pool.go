package upstream

import (
	"slices"
	"sync"
	"time"
)

// pool keeps connections between calls, by address. The one that waits the shortest is taken first.
type pool struct {
	most     int // by address
	patience time.Duration

	mu       sync.Mutex
	waiting  map[string][]*conn // the longest first
	sweeping bool               // a sweep will come
}

// take gives a connection that is still good, or nil.
func (p *pool) take(address string) *conn {
	for {
		p.mu.Lock()
		list := p.waiting[address]
		if len(list) == 0 {
			p.mu.Unlock()
			return nil
		}
		c := list[len(list)-1]
		list[len(list)-1] = nil
		p.waiting[address] = list[:len(list)-1]
		p.mu.Unlock()
		if time.Since(c.since) < p.patience && quiet(c.Conn) {
			return c
		}
		_ = c.Close()
	}
}

// put keeps a connection, or closes it where there are enough.
func (p *pool) put(c *conn) {
	c.since = time.Now()
	p.mu.Lock()
	if len(p.waiting[c.address]) >= p.most {
		p.mu.Unlock()
		_ = c.Close()
		return
	}
	p.waiting[c.address] = append(p.waiting[c.address], c)
	if !p.sweeping {
		p.sweeping = true
		time.AfterFunc(p.patience, p.sweep)
	}
	p.mu.Unlock()
}

// sweep closes those that have waited for too long, and comes again if any are left.
func (p *pool) sweep() {
	p.mu.Lock()
	var old []*conn
	left := 0
	for address, list := range p.waiting {
		n := 0
		for n < len(list) && time.Since(list[n].since) >= p.patience {
			n++
		}
		old = append(old, list[:n]...)
		if list = slices.Delete(list, 0, n); len(list) == 0 {
			delete(p.waiting, address)
			continue
		}
		p.waiting[address] = list
		left += len(list)
	}
	if p.sweeping = left > 0; p.sweeping {
		time.AfterFunc(p.patience, p.sweep)
	}
	p.mu.Unlock()
	for _, c := range old {
		_ = c.Close()
	}
}

func (p *pool) closeAll() {
	p.mu.Lock()
	all := p.waiting
	p.waiting = map[string][]*conn{}
	p.mu.Unlock()
	for _, list := range all {
		for _, c := range list {
			_ = c.Close()
		}
	}
}
