// What Bank refuses, and how it says so.

import assert from "node:assert/strict";
import { authorization, type Schemas } from "./client.js";
import { type Desk, instant } from "./desk.js";
import { refused, refusedRaw } from "./expect.js";

const mebibyte = 1 << 20;

export const mistakes = {
  async "a malformed trade is named, with its field"(desk: Desk) {
    const { api } = desk.bank;
    const fill = desk.fill(desk.fund);
    for (const [field, trade] of [
      ["quantity", { ...fill, quantity: "0" }],
      ["quantity", { ...fill, quantity: "1e3" }],
      ["price", { ...fill, price: "0.00000000001" }],
      ["price", { ...fill, quantity: "999999999999999999", price: "1000" }],
      ["date", { ...fill, date: 20130230 }],
      ["timestamp", { ...fill, timestamp: -1 }],
      ["client_trade_id", { ...fill, client_trade_id: "" }],
      ["instrument.currency", { ...fill, instrument: { ...fill.instrument, currency: "usd" } }],
      ["side.qualifier", { ...fill, side: { direction: "buy" as const, qualifier: "short" as const } }],
      ["settlement.date", { ...fill, settlement: { date: fill.date - 10000 } }],
    ] satisfies [string, Schemas["ExchangeTrade"]][]) {
      const message = await refused("malformed_trade", api.POST("/trades", { body: [fill, trade] }));
      assert.ok(message.includes(`trades[1].${field}`), message);
    }
    // The compiler knows most of it, too.
    // @ts-expect-error: a number is no decimal
    await refused("malformed_trade", api.POST("/trades", { body: [{ ...fill, quantity: 100 }] }));
    // @ts-expect-error: there is no such type
    await refused("malformed_trade", api.POST("/trades", { body: [{ ...fill, type: "swap_trade" }] }));
    const { mic: _, ...nowhere } = fill;
    // @ts-expect-error: an exchange trade needs its exchange
    await refused("malformed_trade", api.POST("/trades", { body: [nowhere] }));
    await refused("trade_not_found", api.GET("/trades", { params: { query: { account_id: String(desk.fund), client_trade_id: fill.client_trade_id } } }));
  },

  async "a call has 1 to 1000 trades, of accounts that exist"(desk: Desk) {
    const { api } = desk.bank;
    await refused("too_many_trades", api.POST("/trades", { body: [] }));
    await refused("too_many_trades", api.POST("/trades", { body: Array.from({ length: 1001 }, () => desk.fill(desk.fund)) }));
    const fill = desk.fill(desk.fund);
    await refused("unknown_account", api.POST("/trades", { body: [fill, desk.fill(desk.nobody)] }));
    await refused("trade_not_found", api.GET("/trades", { params: { query: { account_id: String(desk.fund), client_trade_id: fill.client_trade_id } } }));
  },

  async "what is not there"(desk: Desk) {
    const { api } = desk.bank;
    const path = { account_id: String(desk.nobody) };
    await refused("account_not_found", api.GET("/accounts/{account_id}/trades", { params: { path } }));
    await refused("account_not_found", api.GET("/accounts/{account_id}/positions", { params: { path } }));
    await refused("account_not_found", api.GET("/accounts/{account_id}/balances", { params: { path } }));
    await refused("account_not_found", api.GET("/accounts/{account_id}/journal", { params: { path } }));
    await refused("account_not_found", api.GET("/accounts/{account_id}/positions/{symbol}", { params: { path: { ...path, symbol: "AAPL" } } }));
    await refused("position_not_found", api.GET("/accounts/{account_id}/positions/{symbol}", { params: { path: { account_id: String(desk.fund), symbol: "NONE" } } }));
    await refused("trade_not_found", api.GET("/trades/{trade_id}", { params: { path: { trade_id: "9223372036854775806" } } }));
    await refused("upload_not_found", api.GET("/uploads/{upload_id}", { params: { path: { upload_id: "00".repeat(32) } } }));
  },

  async "malformed parameters"(desk: Desk) {
    const { api } = desk.bank;
    const path = { account_id: String(desk.fund) };
    for (const page_size of [0, 1001, 1.5]) {
      await refused("malformed_request", api.GET("/accounts", { params: { query: { page_size } } }));
    }
    await refused("malformed_request", api.GET("/accounts", { params: { query: { page_token: "?" } } }));
    await refused("malformed_request", api.GET("/accounts/{account_id}", { params: { path: { account_id: "one" } } }));
    await refused("malformed_request", api.GET("/accounts/{account_id}/trades", { params: { path, query: { date: 20130230 } } }));
    // @ts-expect-error: there is no such state
    await refused("malformed_request", api.GET("/accounts/{account_id}/trades", { params: { path, query: { state: "closed" } } }));
  },

  async "requests that no generated client makes"(desk: Desk) {
    const { place } = desk.bank;
    const send = (url: string, method: string, body?: string) =>
      fetch(url, { method, headers: { ...authorization(place), "Content-Type": "application/json" }, ...(body === undefined ? {} : { body }) });
    await refusedRaw("malformed_request", send(`${place.api}/trades`, "POST", "[{"));
    await refusedRaw("malformed_request", send(`${place.operations}/cash`, "POST", "hello"));
    await refusedRaw("not_found", send(`${place.api}/nothing`, "GET"));
    await refusedRaw("not_found", send(`${place.operations}/nothing`, "POST", "{}"));
    const answer = await refusedRaw("method_not_allowed", send(`${place.api}/trades`, "PUT", "[]"));
    assert.match(answer.headers.get("Allow") ?? "", /\bPOST\b/);
    await refusedRaw("too_large", send(`${place.api}/trades`, "POST", " ".repeat(8 * mebibyte + 1)));
    if (place.key !== undefined) {
      await refusedRaw("unauthorized", fetch(`${place.api}/business-date`));
      await refusedRaw("unauthorized", fetch(`${place.api}/nothing`, { headers: { Authorization: "Bearer wrong" } }));
    }
    // What Bank does not know it ignores.
    const raw = await send(`${place.api}/trades?colour=red`, "POST", JSON.stringify([{ ...desk.fill(desk.busy), timestamp: instant(desk.today), colour: "red" }]));
    assert.equal(raw.status, 202);
  },
};
