package node

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/bkledger/bk/ledger/publisher"
)

// KafkaAccess says how Kafka is reached where it doesn't take everybody in plain text. Files are read when the node starts.
type KafkaAccess struct {
	// TLS turns it on. The brokers' certificates must be signed by one of the file CA, or, without it, of those that the system trusts,
	// and be for the names that the brokers are reached by. Cert and Key, both or none, are files with the node's own.
	TLS           bool
	CA, Cert, Key string
	// SASL is the mechanism: plain, scram-sha-256 or scram-sha-512; "" for none.
	SASL string
	// User is the name that it is used with, Password or the content of PasswordFile the secret. Line breaks at the file's end don't count.
	User, PasswordFile string
	Password           Secret
}

// A Secret is a text that logs and errors don't show.
type Secret string

// String implements [fmt.Stringer].
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(hidden)"
}

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return s.String() }

// secured is what the files behind a configuration hold.
type secured struct {
	kafka publisher.Access
	api   *tls.Config // nil: without TLS
}

// secure reads the files. It reports everything that is wrong, as [Violation]s.
func (c Config) secure() (out secured, wrong []error) {
	check := func(ok bool, field, format string, args ...any) {
		if !ok {
			wrong = append(wrong, Violation{field, fmt.Sprintf(format, args...)})
		}
	}
	if own := loadPair(c.TLSCert, c.TLSKey, "TLSCert", "TLSKey", check); own != nil {
		out.api = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*own}}
	}
	out.kafka = c.Kafka.load(check)
	return out, wrong
}

type given struct{ field, value string }

func (k KafkaAccess) load(check func(ok bool, field, format string, args ...any)) publisher.Access {
	out := publisher.Access{Mechanism: k.SASL, User: k.User, Password: string(k.Password)}
	for _, f := range []given{{"Kafka.CA", k.CA}, {"Kafka.Cert", k.Cert}, {"Kafka.Key", k.Key}} {
		check(k.TLS || f.value == "", f.field, "is for TLS, which is not on")
	}
	if k.TLS {
		out.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if k.CA != "" {
		roots, err := loadRoots(k.CA)
		check(err == nil, "Kafka.CA", "%v", err)
		if err == nil && k.TLS {
			out.TLS.RootCAs = roots
		}
	}
	if own := loadPair(k.Cert, k.Key, "Kafka.Cert", "Kafka.Key", check); own != nil && k.TLS {
		out.TLS.Certificates = []tls.Certificate{*own}
	}

	switch k.SASL {
	case "":
		for _, f := range []given{{"Kafka.User", k.User}, {"Kafka.Password", string(k.Password)}, {"Kafka.PasswordFile", k.PasswordFile}} {
			check(f.value == "", f.field, "is for SASL, which is not on")
		}
		return out
	case publisher.Plain, publisher.ScramSHA256, publisher.ScramSHA512:
	default:
		check(false, "Kafka.SASL", "%q is none of %s, %s, %s", k.SASL, publisher.Plain, publisher.ScramSHA256, publisher.ScramSHA512)
	}
	check(k.User != "", "Kafka.User", "needed for SASL")
	check(k.Password != "" || k.PasswordFile != "", "Kafka.Password", "needed for SASL, it or a file with it")
	check(k.Password == "" || k.PasswordFile == "", "Kafka.PasswordFile", "the password is given, too: one of both")
	if k.PasswordFile != "" {
		content, err := os.ReadFile(k.PasswordFile)
		check(err == nil, "Kafka.PasswordFile", "%v", err)
		secret := strings.TrimRight(string(content), "\r\n")
		check(err != nil || secret != "", "Kafka.PasswordFile", "%s is empty", k.PasswordFile)
		out.Password = secret
	}
	return out
}

// loadRoots reads the certificates of authorities.
func loadRoots(file string) (*x509.CertPool, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return roots, nil
}

// loadPair reads a certificate and its key; nil without either, and where something is wrong.
func loadPair(cert, key, certField, keyField string, check func(ok bool, field, format string, args ...any)) *tls.Certificate {
	if cert == "" && key == "" {
		return nil
	}
	check(cert != "", certField, "needed with the key")
	check(key != "", keyField, "needed with the certificate")
	readable := true
	var content [2][]byte
	for i, f := range []given{{certField, cert}, {keyField, key}} {
		var err error
		if f.value != "" {
			content[i], err = os.ReadFile(f.value)
		}
		check(err == nil, f.field, "%v", err)
		readable = readable && f.value != "" && err == nil
	}
	if !readable {
		return nil
	}
	pair, err := tls.X509KeyPair(content[0], content[1])
	check(err == nil, certField, "%s with the key %s: %v", cert, key, err)
	if err != nil {
		return nil
	}
	return &pair
}
