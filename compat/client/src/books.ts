// The books agree with themselves, and lists hold still while they are read.

import assert from "node:assert/strict";
import { take, walk } from "./client.js";
import { minus, sum } from "./decimal.js";
import { type Desk, page, ticker } from "./desk.js";
import { ascending, cash, held } from "./expect.js";

export const books = {
  /** Everything that the reads tell follows from the journal. */
  async "balances and positions are the sums of the journal"(desk: Desk) {
    for (const account of [desk.fund, desk.pension, desk.bonds, desk.busy]) {
      const rows = await desk.journal(account);
      ascending(rows.map((row) => row.journal_id));
      const balances = await desk.balances(account);
      assert.deepEqual(
        balances.map((balance) => balance.currency),
        [...new Set(rows.map((row) => row.currency))].sort(),
      );
      for (const balance of balances) {
        assert.deepEqual({ trade: balance.trade_cash, settled: balance.settled_cash }, cash(rows, balance.currency));
        assert.equal(balance.trade_cash, sum(balance.settled_cash, balance.unsettled_credits, minus(balance.unsettled_debits)));
      }

      const symbols = [...new Set(rows.map((row) => row.symbol))].filter((symbol) => symbol !== "").sort();
      const full = symbols
        .map((symbol) => ({ symbol, ...held(rows, symbol) }))
        .filter((position) => position.trade !== "0" || position.settled !== "0")
        .map((position) => ({ account_id: String(account), symbol: position.symbol, quantity: position.trade, settled_quantity: position.settled }));
      assert.deepEqual(await desk.positions(account, { view: "full" }), full);
      assert.deepEqual(
        await desk.positions(account),
        full.filter((position) => position.quantity !== "0").map(({ settled_quantity: _, ...position }) => position),
      );
      for (const position of full) {
        const params = { path: { account_id: position.account_id, symbol: position.symbol }, query: { view: "full" as const } };
        assert.deepEqual(await take(desk.bank.api.GET("/accounts/{account_id}/positions/{symbol}", { params })), position);
      }
    }
  },

  async "an account's trades, by date and state"(desk: Desk) {
    const all = await desk.accountTrades(desk.fund);
    ascending(all.map((trade) => trade.trade_id));
    assert.ok(all.length > 0);
    assert.deepEqual(await desk.accountTrades(desk.fund, { date: desk.today }), all);
    assert.deepEqual(await desk.accountTrades(desk.fund, { date: desk.tomorrow }), []);
    assert.deepEqual(await desk.accountTrades(desk.fund, { state: "open" }), all);
    assert.deepEqual(await desk.accountTrades(desk.fund, { state: "settled" }), []);
    for (const trade of await desk.accountTrades(desk.fund, { state: "canceled" })) {
      assert.equal((await desk.stored(trade.trade_id)).state, "canceled");
    }
    // From every trade that is listed, the sum is the position.
    const signed = all.filter((trade) => trade.symbol === "AAPL").map((trade) => (trade.side === "buy" ? trade.quantity : minus(trade.quantity)));
    const aapl = await take(desk.bank.api.GET("/accounts/{account_id}/positions/{symbol}", { params: { path: { account_id: String(desk.fund), symbol: "AAPL" } } }));
    assert.equal(aapl.quantity, sum(...signed));
  },

  async "a walk over pages sees every row once, while others are booked"(desk: Desk) {
    const { api } = desk.bank;
    const path = { account_id: String(desk.busy) };
    const before = await desk.accountTrades(desk.busy);
    const write = async () => {
      await desk.book(desk.fill(desk.busy, { quantity: "1", instrument: ticker("ZXZZT") }));
    };
    const trades = await walk((token) => api.GET("/accounts/{account_id}/trades", { params: { path, query: page(7, token) } }), write);
    assert.ok(trades.pages > 3);
    ascending(trades.rows.map((trade) => trade.trade_id));
    const seen = new Set(trades.rows.map((trade) => trade.trade_id));
    assert.deepEqual(
      before.filter((trade) => !seen.has(trade.trade_id)),
      [],
    );

    const rows = await desk.journal(desk.busy);
    const journal = await walk((token) => api.GET("/accounts/{account_id}/journal", { params: { path, query: page(9, token) } }), write);
    assert.deepEqual(journal.rows.slice(0, rows.length), rows);
    ascending(journal.rows.map((row) => row.journal_id));

    const positions = await walk((token) => api.GET("/accounts/{account_id}/positions", { params: { path, query: page(1, token) } }));
    assert.deepEqual(positions.rows, await desk.positions(desk.busy));
    assert.equal(positions.pages, positions.rows.length);
  },
};
