// Package front serves Bank's API over HTTP on top of a [Ledger].
package front
