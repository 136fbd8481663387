# BK. A bare `make` says what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

ARGS   ?=
ROUNDS ?= 50
SEQUENCES ?= 10000
API    ?= 200
SHADOW ?= 100000
TRADES ?= 20000
PKG    ?= ./...
FUZZ   ?= 20s
TIMES  ?= 10
TOOLS  := .cache/bin

# With a cluster of their own for the whole run, test binaries only clone databases from a template.
WITH_POSTGRES := go run ./migrations/pgtest/with --

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/bk and bin/hotswap
	@go build -o bin/ ./cmd/bk ./cmd/hotswap

.PHONY: run
run: postgres build ## a trading day booked, balanced, verified and streamed, all embedded; then it serves (ARGS=--exit ends instead)
	@bin/bk demo $(ARGS)

.PHONY: test
test: postgres $(TOOLS)/gotestsum ## all tests, on real Postgres and the in-process Kafka broker (PKG=./ledger/... for some)
	@$(WITH_POSTGRES) $(TOOLS)/gotestsum --format pkgname-and-test-fails --hide-summary=skipped -- -timeout 20m $(PKG)

.PHONY: kafka-test
kafka-test: postgres $(TOOLS)/gotestsum ## the tests that talk to Kafka, on Apache Kafka itself (fetched by Maven)
	@BK_TEST_KAFKA_HOME=$$(.ci/kafka/fetch) $(WITH_POSTGRES) $(TOOLS)/gotestsum --format pkgname-and-test-fails -- -count=1 -timeout 20m \
		./migrations/kafkatest ./ledger/publisher ./compat/bankstream ./compat/parity/landing

.PHONY: crash-test
crash-test: postgres build ## kill bk, Postgres and Kafka under load and in the middle of day rolls, ROUNDS times, and prove that nothing was lost or doubled
	@go run ./bench/crash -rounds $(ROUNDS) $(ARGS)

.PHONY: stream-crash-test
stream-crash-test: postgres build ## kill, stop and move instances of the façade's stream under load, and restart Apache Kafka, ROUNDS times, and as often around and in the steps in which Bank's topics change hands: output is byte for byte that of an undisturbed run (ARGS="-seed N")
	@kafka=$$(.ci/kafka/fetch); for package in ./compat/bankstream ./compat/bankstream/owner; do \
		BK_TEST_KAFKA_HOME=$$kafka BK_TEST_HOTSWAP=$(CURDIR)/bin/hotswap go test -count=1 -v -timeout 180m -run '^TestCrash$$' $$package -args -rounds $(ROUNDS) $(ARGS); done

.PHONY: model-test
model-test: postgres ## SEQUENCES (10000) random command sequences in memory and API (200) through the API, against the model of the books (ARGS="-seed N" for one)
	@$(WITH_POSTGRES) go test -count=1 -v -timeout 60m ./projections/modeltest -args -sequences $(SEQUENCES) -api $(API) $(ARGS)

.PHONY: fault-test
fault-test: postgres ## the façade's fault table, with TIMES (10) as many calls as in make test
	@$(WITH_POSTGRES) go test -count=1 -v -timeout 60m ./compat/facade/faults -args -times $(TIMES) $(ARGS)

.PHONY: client-test
client-test: postgres ## the TypeScript client, generated from Bank's OpenAPI description: a day of its work against Bank and every mode of the façade (needs Node 20)
	@cd compat/client && npm ci --no-audit --no-fund && npm run --silent generate && npm run --silent build
	@BK_CLIENT_TEST=1 $(WITH_POSTGRES) go test -count=1 -timeout 20m ./compat/client

.PHONY: shadow-test
shadow-test: postgres ## SHADOW (100000) requests of 16 clients through each dual mode of the façade, then Bank and BK compared in everything (ARGS="-seed N")
	@$(WITH_POSTGRES) go test -count=1 -v -timeout 180m -run '^TestShadow$$' ./compat/shadow -args -requests $(SHADOW) $(ARGS)

.PHONY: swap-test
swap-test: postgres ## TRADES (20000, 0: all) rows of a tape's day through a façade that goes from Bank alone to BK alone, and back a step on the way, under load
	@$(WITH_POSTGRES) go test -count=1 -v -timeout 120m ./compat/swap -run TestTapeDay -args -trades $(TRADES) $(ARGS)

.PHONY: parity-test
parity-test: postgres ## TRADES (20000, 0: all) rows of a tape's day through both systems: their events and their books compared in a warehouse, and 260 faults that must be found (ARGS="-seed N")
	@$(WITH_POSTGRES) go test -count=1 -v -timeout 120m ./compat/parity/endtoend -run TestDay -args -trades $(TRADES) $(ARGS)

.PHONY: bootstrap-test
bootstrap-test: postgres ## TRADES (20000, 0: all) rows of a tape's day and all legacy oddities in Bank are brought into BK while more trades come, and compared
	@$(WITH_POSTGRES) go test -count=1 -v -timeout 120m ./compat/bootstrap -run '^TestTapeDay$$' -args -trades $(TRADES) $(ARGS)

.PHONY: bootstrap-crash-test
bootstrap-crash-test: postgres ## kill the bootstrapper ROUNDS times, in all phases: the same result, nothing twice (ARGS="-seed N")
	@$(WITH_POSTGRES) go test -count=1 -v -timeout 120m ./compat/bootstrap -run '^TestCrash$$' -args -rounds $(ROUNDS) $(ARGS)

.PHONY: cutover-test
cutover-test: postgres build ## the four runbooks, dry, live and back, each gate broken and mended, the runner killed
	@BK_TEST_HOTSWAP=$(CURDIR)/bin/hotswap $(WITH_POSTGRES) go test -count=1 -timeout 20m ./compat/cutover/...

.PHONY: hotswap-demo
hotswap-demo: postgres build ## a bank is swapped under its clients, all embedded, on a live page (ARGS=--exit ends by itself)
	@bin/hotswap demo $(ARGS)

.PHONY: swap-bench
swap-bench: postgres build ## what the façade adds before Bank, what BK gives in its place, and Bank beside pgbench, in one run (ARGS=--quick, --check)
	@bin/hotswap bench $(ARGS)

.PHONY: bench
bench: postgres build ## raw COPY, the engine, the API and single INSERTs, measured in one run
	@bin/bk bench append $(ARGS)

.PHONY: lint
lint: $(TOOLS)/staticcheck ## go mod tidy, gofmt, go vet, staticcheck; generated code is left out of gofmt
	@go mod tidy -diff
	@bad=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go' | grep -v '^api/gen/')); [ -z "$$bad" ] || { echo "gofmt: $$bad"; exit 1; }
	@go vet ./...
	@$(TOOLS)/staticcheck ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ (20s) each
	@for package in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z]*' $$package/*_test.go | cut -c6-); do \
			echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ) ./$$package | tail -n 1; done; done

.PHONY: generate
generate: ## api/gen from api/proto
	@api/generate

.PHONY: postgres
postgres: # Postgres' server programs, by the system's package manager where there are none
	@migrations/embedded/install

.PHONY: toolchain
toolchain: # a C++ compiler, which links DuckDB into hotswap, likewise
	@compat/parity/duck/install
build test kafka-test crash-test shadow-test swap-test parity-test bootstrap-test bootstrap-crash-test cutover-test swap-bench lint: toolchain

.PHONY: chromium
chromium: # a browser, in which the test of parity's page looks at it, likewise
	@compat/parity/report/install
test: chromium

.PHONY: clean
clean: ## remove what was built and fetched
	@rm -rf bin .cache

$(TOOLS)/gotestsum:
	@GOBIN=$(CURDIR)/$(TOOLS) go install gotest.tools/gotestsum@v1.13.0

$(TOOLS)/staticcheck:
	@GOBIN=$(CURDIR)/$(TOOLS) go install honnef.co/go/tools/cmd/staticcheck@v0.8.2
