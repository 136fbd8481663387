package publisher

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// The mechanisms of SASL that [Access] knows.
const (
	Plain       = "plain"
	ScramSHA256 = "scram-sha-256"
	ScramSHA512 = "scram-sha-512"
)

// Access is how brokers are reached that don't take everybody in plain text. The zero value is for those that do.
type Access struct {
	// TLS, if not nil, is used for every connection. Without a ServerName the broker's host is taken.
	TLS *tls.Config
	// Mechanism is how the publisher says who it is; "" for not at all.
	Mechanism string
	// User and Password are what it says then.
	User, Password string
}

// mechanism is the one of SASL; nil without one.
func (a Access) mechanism() sasl.Mechanism {
	switch a.Mechanism {
	case Plain:
		return plain.Auth{User: a.User, Pass: a.Password}.AsMechanism()
	case ScramSHA256:
		return scram.Auth{User: a.User, Pass: a.Password}.AsSha256Mechanism()
	case ScramSHA512:
		return scram.Auth{User: a.User, Pass: a.Password}.AsSha512Mechanism()
	}
	return nil
}

func (a Access) options() []kgo.Opt {
	var opts []kgo.Opt
	if a.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(a.TLS))
	}
	if m := a.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts
}

// explain says what an error that says nothing may mean. Brokers of today answer a wrong password with an error of its own; some, and
// proxies before them, just hang up.
func (a Access) explain(err error) error {
	if first := (*kgo.ErrFirstReadEOF)(nil); a.Mechanism == "" || !errors.Is(err, io.EOF) || errors.As(err, &first) {
		return err
	}
	return fmt.Errorf("%w: the broker hung up; unless it is going down, it doesn't let user %q in by %s", err, a.User, a.Mechanism)
}
