// Package client holds a client of Bank in TypeScript, generated from the description of Bank's API (compat/bank/openapi), and a script of one day of its work. It
// stands for the many services that speak Bank, are written in other languages, and are not going to change.
//
// The script (src/, run by build/main.js) opens accounts, moves cash, books trades of all five types, sends things again, corrects and cancels,
// makes every mistake that it can, reads everything page by page, uploads files, and rolls the business date. It asserts on all answers. It knows a system by
// two URLs, and runs the same against Bank and whatever stands under Bank's name.
//
// Types are generated at test time (src/schema.ts is not kept), and the compiler holds the script against them: what the description does not have, the
// script cannot ask for; what it has otherwise, does not compile. Some lines must not compile (@ts-expect-error): the types refuse what Bank refuses.
//
// `make client-test` installs the tools that package-lock.json names, generates, compiles, and runs [TestDay]: the script against each target, behind
// a proxy that holds every answer against the description (openapitest).
//
// # Files
//
//	package.json package-lock.json tsconfig.json   tools: openapi-typescript, openapi-fetch, tsc
//	src/client.ts src/decimal.ts src/expect.ts     calls, exact decimals, assertions
//	src/desk.ts                                    whose day it is: accounts, days, trades
//	src/main.ts                                    the order of the day
//	src/morning.ts trading.ts corrections.ts mistakes.ts books.ts files.ts evening.ts
//	client_test.go targets_test.go                 the script against Bank and the façade in every mode; the lock file
package client
