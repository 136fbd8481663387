package main

import (
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/cmd/readyfile"
)

// endpoints are how a running server is reached: the content of the ready file.
type endpoints struct {
	Connect  string `json:"connect"`  // URL of the API
	Postgres string `json:"postgres"` // URL, with the password
	Kafka    string `json:"kafka"`    // bootstrap addresses, separated by commas
	Metrics  string `json:"metrics"`  // URL of metrics and health
}

func endpointsOf(at node.Addresses, tls bool, postgres, kafka string) endpoints {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return endpoints{Connect: readyfile.URL(scheme, at.API), Postgres: postgres, Kafka: kafka, Metrics: readyfile.URL("http", at.Metrics)}
}
