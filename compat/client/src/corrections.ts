// What went wrong is put right: replacements and cancels.

import assert from "node:assert/strict";
import { answered, take } from "./client.js";
import { type Desk, ticker } from "./desk.js";
import { refused } from "./expect.js";

export const corrections = {
  async "a trade takes the place of another"(desk: Desk) {
    const wrong = desk.fill(desk.fund, { instrument: ticker("MSFT"), quantity: "30", price: "33.30" });
    const old = await desk.book(wrong);
    const right = { ...wrong, client_trade_id: desk.name(), price: "33.31", cancel_trade_id: wrong.client_trade_id };
    const now = await desk.book(right);
    assert.equal(await desk.book(right), now);
    const [before, after] = [await desk.stored(old), await desk.stored(now)];
    assert.deepEqual([before.state, before.replaced_by, before.replaces], ["canceled", now, null]);
    assert.ok(before.canceled_at !== null && before.canceled_at >= before.booked_at);
    assert.deepEqual([after.state, after.replaced_by, after.replaces, after.cancel_trade_id], ["open", null, old, wrong.client_trade_id]);
    assert.equal(after.net_amount, "-999.3");

    // By the trade's id; and of one that is cancelled already.
    const third = await desk.book({ ...right, client_trade_id: desk.name(), price: "33.32", cancel_trade_id: now });
    assert.equal((await desk.stored(now)).replaced_by, third);
    await take(desk.bank.api.DELETE("/trades/{trade_id}", { params: { path: { trade_id: third } } }));
    const fourth = await desk.stored(await desk.book({ ...right, client_trade_id: desk.name(), cancel_trade_id: third }));
    assert.deepEqual([fourth.replaces, fourth.state], [third, "open"]);
    const msft = (await desk.positions(desk.fund)).filter((position) => position.symbol === "MSFT");
    assert.deepEqual(msft, [{ account_id: String(desk.fund), symbol: "MSFT", quantity: "30" }]);

    // Both in one call.
    const first = desk.fill(desk.pension, { instrument: ticker("MSFT") });
    const second = { ...first, client_trade_id: desk.name(), quantity: "99", cancel_trade_id: first.client_trade_id };
    const both = await take(desk.bank.api.POST("/trades", { body: [first, second] }));
    assert.equal((await desk.stored(both[0]?.trade_id ?? "")).replaced_by, both[1]?.trade_id);

    await refused("trade_not_found", desk.bank.api.POST("/trades", { body: [desk.fill(desk.fund, { cancel_trade_id: "never" })] }));
    await refused("trade_not_found", desk.bank.api.POST("/trades", { body: [desk.fill(desk.busy, { cancel_trade_id: wrong.client_trade_id })] }));
  },

  async "a trade is cancelled by either id"(desk: Desk) {
    const { api } = desk.bank;
    const before = await desk.balances(desk.fund);
    const [a, b] = [desk.fill(desk.fund, { fees: { commission: "2" } }), desk.fill(desk.fund)];
    const ids = [await desk.book(a), await desk.book(b)] as const;
    assert.notDeepEqual(await desk.balances(desk.fund), before);

    const byID = { params: { path: { trade_id: ids[0] } } };
    const byName = { params: { path: { trade_id: b.client_trade_id }, query: { is_client_trade_id: true, account_id: String(desk.fund) } } };
    assert.deepEqual(await answered(api.DELETE("/trades/{trade_id}", byID)), { status: 202, data: {} });
    assert.deepEqual(await answered(api.DELETE("/trades/{trade_id}", byName)), { status: 202, data: {} });
    await refused("trade_already_canceled", api.DELETE("/trades/{trade_id}", byID));
    await refused("trade_already_canceled", api.DELETE("/trades/{trade_id}", byName));
    await refused("missing_account_id", api.DELETE("/trades/{trade_id}", { params: { path: { trade_id: b.client_trade_id }, query: { is_client_trade_id: true } } }));
    const elsewhere = { path: { trade_id: b.client_trade_id }, query: { is_client_trade_id: true, account_id: String(desk.busy) } };
    await refused("trade_not_found", api.DELETE("/trades/{trade_id}", { params: elsewhere }));
    await refused("trade_not_found", api.DELETE("/trades/{trade_id}", { params: { path: { trade_id: "9223372036854775806" } } }));
    await refused("malformed_request", api.DELETE("/trades/{trade_id}", { params: { path: { trade_id: "one" } } }));

    assert.deepEqual(await desk.balances(desk.fund), before);
    const rows = (await desk.journal(desk.fund)).filter((row) => row.trade_id === ids[0]);
    assert.deepEqual(
      rows.map((row) => [row.memo, row.td_quantity, row.td_amount]),
      [
        ["open", "100", "-16741"],
        ["commission", "0", "-2"],
        ["cancel", "-100", "16741"],
        ["commission_cancel", "0", "2"],
      ],
    );
    const listed = (await desk.accountTrades(desk.fund)).map((trade) => trade.trade_id);
    const canceled = (await desk.accountTrades(desk.fund, { state: "canceled" })).map((trade) => trade.trade_id);
    for (const id of ids) {
      assert.ok(!listed.includes(id) && canceled.includes(id));
    }
    // Its name stays taken: sent again it is a repeat, and stays cancelled.
    assert.equal(await desk.book(a), ids[0]);
    assert.equal((await desk.stored(ids[0])).state, "canceled");
  },
};
