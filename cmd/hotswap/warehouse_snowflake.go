//go:build snowflake

package main

// Snowflake's driver brings some fifty modules (three clouds' SDKs) and 20 MB, so only a hotswap that lands there has it: go build -tags snowflake ./cmd/hotswap
import _ "github.com/snowflakedb/gosnowflake"
