package node_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/migrations/pgtest"
)

// certified is a certificate for 127.0.0.1, which is its own authority.
type certified struct {
	certFile, keyFile string
	pair              tls.Certificate
	roots             *x509.CertPool
}

func certify(t *testing.T) certified {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bk test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, secret := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	c := certified{certFile: writeFile(t, "cert.pem", cert), keyFile: writeFile(t, "key.pem", secret), roots: x509.NewCertPool()}
	if c.pair, err = tls.X509KeyPair(cert, secret); err != nil {
		t.Fatal(err)
	}
	c.roots.AppendCertsFromPEM(cert)
	return c
}

func writeFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// guarded starts a broker that asks for TLS with a client's certificate, and for SCRAM.
func guarded(t *testing.T, c certified, mechanism string) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(mechanism, "bk", "geheim"),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{c.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: c.roots}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// logged is a log to be searched.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A node publishes to a broker that wants TLS, a certificate and a password, and proves the stream there.
func TestKafkaWithTLSAndPassword(t *testing.T) {
	t.Parallel()
	for mechanism, name := range map[string]string{"SCRAM-SHA-256": "scram-sha-256", "SCRAM-SHA-512": "scram-sha-512", "PLAIN": "plain"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := certify(t)
			addr := guarded(t, c, mechanism).ListenAddrs()[0]
			cfg := testConfig(t, pgtest.New(t), addr)
			cfg.Kafka = node.KafkaAccess{TLS: true, CA: c.certFile, Cert: c.certFile, Key: c.keyFile, SASL: name, User: "bk",
				PasswordFile: writeFile(t, "password", []byte("geheim\n"))}
			n := start(t, cfg)
			n.define(t)
			n.mustBook(t, "100001/a")
			n.awaitPublished(t)
			if f := n.verified(t)["stream"]; f.GetCounts()["events"] == 0 {
				t.Errorf("the proof of the stream has no events: %v", f)
			}
			if name != "scram-sha-256" {
				return
			}
			e := awaitEvent(t, addr, "100001/a", kgo.SASL(scram.Auth{User: "bk", Pass: "geheim"}.AsSha256Mechanism()),
				kgo.DialTLSConfig(&tls.Config{RootCAs: c.roots, Certificates: []tls.Certificate{c.pair}}))
			if e.Trade == nil {
				t.Errorf("the event is %v", e)
			}
		})
	}
}

// What Kafka doesn't let in keeps trying, says why, and books.
func TestKafkaRefuses(t *testing.T) {
	t.Parallel()
	c, stranger := certify(t), certify(t)
	curt, polite := guarded(t, c, "SCRAM-SHA-256"), guarded(t, c, "SCRAM-SHA-256")
	polite.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) { // as Apache Kafka does it
		polite.KeepControl()
		res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		res.ErrorCode, res.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr("invalid credentials")
		return res, nil, true
	})
	good := node.KafkaAccess{TLS: true, CA: c.certFile, Cert: c.certFile, Key: c.keyFile, SASL: "scram-sha-256", User: "bk", Password: "geheim"}
	for _, row := range []struct {
		name   string
		broker *kfake.Cluster
		change func(*node.KafkaAccess)
		want   string
	}{
		{"wrong password", curt, func(k *node.KafkaAccess) { k.Password = "gehe1m" }, `doesn't let user`},
		{"wrong password, and the broker says so", polite, func(k *node.KafkaAccess) { k.Password = "gehe1m" }, "SASL_AUTHENTICATION_FAILED"},
		{"unknown user", curt, func(k *node.KafkaAccess) { k.User = "nobody" }, `doesn't let user`},
		{"another mechanism", curt, func(k *node.KafkaAccess) { k.SASL = "scram-sha-512" }, `doesn't let user`},
		{"unknown authority", curt, func(k *node.KafkaAccess) { k.CA = stranger.certFile }, "certificate signed by unknown authority"},
		{"no certificate of ours", curt, func(k *node.KafkaAccess) { k.Cert, k.Key = "", "" }, "certificate required"},
		{"no TLS", curt, func(k *node.KafkaAccess) { k.TLS, k.CA, k.Cert, k.Key = false, "", "", "" }, "TLS"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			log := &logged{}
			cfg := testConfig(t, pgtest.New(t), row.broker.ListenAddrs()[0])
			cfg.Log = slog.New(slog.NewTextHandler(io.MultiWriter(log, t.Output()), nil))
			cfg.Kafka = good
			row.change(&cfg.Kafka)
			n := start(t, cfg)
			n.define(t)
			var body string
			eventually(t, 20*time.Second, "the publisher is down", func() bool {
				_, body = get(t, n.metrics+"/readyz")
				return strings.Contains(body, "publisher down")
			})
			if !strings.Contains(body, row.want) || !strings.HasPrefix(body, "leading") {
				t.Errorf("no %q in %q", row.want, body)
			}
			if text := log.String(); !strings.Contains(text, "the publisher can't publish") || !strings.Contains(text, row.want) {
				t.Errorf("no %q in the log", row.want)
			}
			if strings.Contains(log.String()+body, string(cfg.Kafka.Password)) {
				t.Error("the password is shown")
			}
			n.mustBook(t, "100001/a")
		})
	}
}

// The API with a certificate: HTTP/2 and HTTP/1.1 over TLS, and nothing else.
func TestTLS(t *testing.T) {
	t.Parallel()
	c := certify(t)
	cfg := testConfig(t, pgtest.New(t))
	cfg.TLSCert, cfg.TLSKey = c.certFile, c.keyFile
	n, ready := launch(t, cfg)
	var at node.Addresses
	select {
	case at = <-ready:
	case <-n.done:
		t.Fatal(n.err)
	case <-time.After(30 * time.Second):
		t.Fatal("the node is not ready after 30 s")
	}
	if status, body := get(t, "http://"+at.Metrics+"/readyz"); status != http.StatusOK {
		t.Errorf("metrics: %d %s", status, body)
	}
	for want, protocols := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2.0": func(p *http.Protocols) { p.SetHTTP2(true) },
	} {
		p := new(http.Protocols)
		protocols(p)
		transport := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{RootCAs: c.roots}}
		t.Cleanup(transport.CloseIdleConnections)
		var spoken string
		doer := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			res, err := transport.RoundTrip(r)
			if err == nil {
				spoken = res.Proto
			}
			return res, err
		})}
		s, err := bkv1connect.NewAdminServiceClient(doer, "https://"+at.API).Status(t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
		if err != nil || !s.Msg.Leading || spoken != want {
			t.Errorf("%s: %v by %q", want, err, spoken)
		}
		if want != "HTTP/2.0" {
			continue
		}
		stream := bkv1connect.NewBookingServiceClient(doer, "https://"+at.API).BookStream(t.Context())
		if err := stream.Send(&bkv1.BookStreamRequest{Tag: 7, Command: buy("x")}); err != nil {
			t.Fatal(err)
		}
		if res, err := stream.Receive(); err != nil || res.Tag != 7 || res.GetError().GetDetail().GetReason() != "unknown_account" {
			t.Errorf("stream: %v, %v", res, err)
		}
		_ = stream.CloseRequest()
		_ = stream.CloseResponse()
	}
	if _, err := newCaller(t, at).Admin.Status(t.Context(), connect.NewRequest(&bkv1.StatusRequest{})); err == nil {
		t.Error("an answer without TLS")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
