//go:build snowflake

package main

// Snowflake's driver brings some sixty modules (three clouds' SDKs) and 20 MB, so only a hotswap that lands there has it:
//
//	go get github.com/snowflakedb/gosnowflake@v1.19.1 && go build -tags snowflake ./cmd/hotswap
import _ "github.com/snowflakedb/gosnowflake"
