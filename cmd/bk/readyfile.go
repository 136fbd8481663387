package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/bkledger/bk/api/node"
)

// endpoints are how a running server is reached: the content of the ready file.
type endpoints struct {
	Connect  string `json:"connect"`  // URL of the API
	Postgres string `json:"postgres"` // URL, with the password
	Kafka    string `json:"kafka"`    // bootstrap addresses, separated by commas
	Metrics  string `json:"metrics"`  // URL of metrics and health
}

// urlOf makes a URL of a listener's address; one that listens everywhere is reached on this machine.
func urlOf(scheme, address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return scheme + "://" + address
}

func endpointsOf(at node.Addresses, tls bool, postgres, kafka string) endpoints {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return endpoints{Connect: urlOf(scheme, at.API), Postgres: postgres, Kafka: kafka, Metrics: urlOf("http", at.Metrics)}
}

// writeReadyFile writes the file as a whole or not at all, readable by its owner only, since it holds a password.
func writeReadyFile(path string, e endpoints) (err error) {
	content, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("ready file %s: %w", path, err)
		}
	}()
	_, err = f.Write(append(content, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// removeReadyFile says that nothing serves any more; a file that is not there is fine.
func removeReadyFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}
