// The day ends: what waited opens, what was due settles.

import assert from "node:assert/strict";
import { answered, take } from "./client.js";
import { books } from "./books.js";
import { minus, sum } from "./decimal.js";
import { type Desk, ticker } from "./desk.js";
import { refused } from "./expect.js";

export const evening = {
  async "trades of tomorrow wait, trades that are due settle"(desk: Desk) {
    const { api, operations } = desk.bank;
    const due = desk.fill(desk.pension, { quantity: "8", price: "12.5", side: { direction: "sell" }, settlement: { date: desk.tomorrow }, fees: { commission: "0.5" } });
    const waiting = desk.fill(desk.pension, { quantity: "3", instrument: ticker("NEXT"), date: desk.tomorrow });
    const dropped = desk.fill(desk.pension, { quantity: "4", instrument: ticker("NEXT"), date: desk.tomorrow });
    const issued = desk.fill(desk.pension, { quantity: "5", instrument: ticker("ISSUE"), is_when_issued: true });
    const ids = (await take(api.POST("/trades", { body: [due, waiting, dropped, issued] }))).map((booked) => booked.trade_id);
    const [dueID, waitingID, droppedID, issuedID] = ids as [string, string, string, string];

    assert.equal((await desk.stored(waitingID)).state, "new");
    assert.equal((await desk.stored(issuedID)).settle_date, 99991231);
    assert.deepEqual(
      (await desk.accountTrades(desk.pension, { date: desk.tomorrow, state: "new" })).map((trade) => [trade.trade_id, trade.running_position]),
      [
        [waitingID, null],
        [droppedID, null],
      ],
    );
    await refused("position_not_found", api.GET("/accounts/{account_id}/positions/{symbol}", { params: { path: { account_id: String(desk.pension), symbol: "NEXT" } } }));
    await take(api.DELETE("/trades/{trade_id}", { params: { path: { trade_id: droppedID } } }));
    const rows = async (id: string) => (await desk.journal(desk.pension)).filter((row) => row.trade_id === id);
    assert.deepEqual([...(await rows(waitingID)), ...(await rows(droppedID))], []);
    const [before] = await desk.balances(desk.pension);

    assert.deepEqual(await answered(operations.POST("/business-date", { body: { date: desk.tomorrow } })), { status: 202, data: { date: desk.tomorrow } });
    assert.deepEqual(await take(api.GET("/business-date")), { date: desk.tomorrow });

    const states = await Promise.all(ids.map((id) => desk.stored(id)));
    assert.deepEqual(
      states.map((trade) => trade.state),
      ["settled", "open", "canceled", "open"],
    );
    assert.deepEqual(
      (await desk.accountTrades(desk.pension)).map((trade) => [trade.trade_id, trade.running_position]),
      [[waitingID, "3"]],
    );
    const { sec, taf } = desk.saleFees("8", "100");
    const settled = sum("99.5", minus(sec), minus(taf));
    const [after] = await desk.balances(desk.pension);
    assert.equal(after?.settled_cash, sum(before?.settled_cash ?? "", settled));
    assert.deepEqual(
      (await rows(dueID)).filter((row) => row.memo.endsWith("settle")).map((row) => [row.memo, row.date, row.td_amount, row.sd_quantity, row.sd_amount]),
      [
        ["settle", desk.tomorrow, "0", "-8", "100"],
        ["commission_settle", desk.tomorrow, "0", "0", "-0.5"],
        ["sec_fee_settle", desk.tomorrow, "0", "0", minus(sec)],
        ["taf_settle", desk.tomorrow, "0", "0", minus(taf)],
      ].filter((row) => row[4] !== "0"),
    );
    assert.deepEqual(
      (await rows(waitingID)).map((row) => [row.memo, row.date, row.td_quantity]),
      [["open", desk.tomorrow, "3"]],
    );

    await refused("trade_settled", api.DELETE("/trades/{trade_id}", { params: { path: { trade_id: dueID } } }));
    await refused("trade_settled", api.POST("/trades", { body: [desk.fill(desk.pension, { cancel_trade_id: due.client_trade_id })] }));
    assert.equal(await desk.book(due), dueID);
  },

  "the books still agree": books["balances and positions are the sums of the journal"],
};
