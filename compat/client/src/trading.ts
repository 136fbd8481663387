// The market is open: trades of all types, repeats, and what is refused.

import assert from "node:assert/strict";
import { answered, type Schemas, type Trade, take } from "./client.js";
import { minus, sum, times } from "./decimal.js";
import { type Desk, ticker } from "./desk.js";
import { ascending, refused } from "./expect.js";

export const trading = {
  async "five types of trade, booked by one call"(desk: Desk) {
    const apart = { client_trade_id: desk.name(), date: desk.today, timestamp: desk.open };
    const fill = desk.fill(desk.fund, { order_id: "order-1", fees: { commission: "1.00" }, user_data: { desk: [1, "ü"] }, locate: { id: "l-1", source: "desk" } });
    const trades: Trade[] = [
      fill,
      { ...apart, client_trade_id: desk.name(), type: "allocation_trade", account_id: desk.fund, target_account_id: String(desk.pension), quantity: "40", price: "167.41", instrument: ticker("AAPL"), side: { direction: "sell" } },
      { ...apart, client_trade_id: desk.name(), type: "transfer_trade", account_id: desk.pension, target_account_id: desk.bonds, quantity: "15", price: "0", instrument: ticker("AAPL"), side: { direction: "sell" } },
      {
        ...{ ...apart, client_trade_id: desk.name(), type: "bilateral_trade", account_id: desk.bonds, quantity: "10000", price: "0.9875", instrument: { identifier: "B1YYKS3", identifier_type: "sedol" } },
        ...{ side: { direction: "buy" }, capacity: "principal", exec_mpid: "DESK", contra_mpid: "OTHR", contra_dtc_num: "0123" },
        ...{ settlement: { currency: "USD", date: desk.tomorrow }, interest: { yield: "2.50", accrued_days: 17 }, fixed_income: { accrued_interest: "12.34" } },
      },
      {
        ...{ ...apart, client_trade_id: desk.name(), type: "away_trade", account_id: String(desk.pension), quantity: "10.5", price: "112.125", instrument: ticker("BRK/B") },
        ...{ side: { direction: "sell", qualifier: "short", position: "open" }, capacity: "agency", exec_mpid: "AWAY", contra_mpid: "DESK", fees: { omit_sec: true } },
      },
    ];
    const { status, data } = await answered(desk.bank.api.POST("/trades", { body: trades }));
    assert.equal(status, 202);
    assert.deepEqual(
      data.map((booked) => booked.client_trade_id),
      trades.map((trade) => trade.client_trade_id),
    );
    const [bought, allocated, moved, bond, short] = data.map((booked) => booked.trade_id) as [string, string, string, string, string];
    ascending([bought, allocated, moved, bond, short]);

    const stored = await desk.stored(bought);
    assert.ok(Number.isSafeInteger(stored.booked_at) && Math.abs(Date.now() - stored.booked_at) < 24 * 3600_000);
    assert.ok(stored.settle_date > desk.today);
    if (desk.today === 20131007) {
      assert.equal(stored.settle_date, 20131010);
    }
    assert.deepEqual(stored, {
      ...fill,
      ...{ trade_id: bought, account_id: String(desk.fund), settlement: { currency: "USD" }, is_when_issued: false },
      ...{ fees: { commission: "1", omit_sec: false, omit_taf: false, omit_bill: false } },
      ...{ state: "open", settle_date: stored.settle_date, gross_amount: "16741", sec_fee: "0", taf_fee: "0", net_amount: "-16742" },
      ...{ booked_at: stored.booked_at, canceled_at: null, replaced_by: null, replaces: null },
    });

    const kept = await desk.stored(bond);
    assert.deepEqual(kept.interest, { yield: "2.5", accrued: "12.34", accrued_days: 17 });
    assert.deepEqual([kept.contra_clearing_num, kept.gross_amount, kept.net_amount, kept.settle_date], ["0123", "9875", "-9887.34", desk.tomorrow]);
    assert.ok(!("contra_dtc_num" in kept) && !("fixed_income" in kept));

    const away = await desk.stored(short);
    const gross = times("10.5", "112.125");
    const { taf } = desk.saleFees("10.5", gross);
    assert.deepEqual([away.gross_amount, away.sec_fee, away.taf_fee, away.net_amount], ["1177.3125", "0", taf, sum(gross, minus(taf))]);

    // Each account sees its own side, and where the trade left it.
    const side = async (account: number, id: string) => {
      const trade = await take(desk.bank.api.GET("/accounts/{account_id}/trades/{trade_id}", { params: { path: { account_id: String(account), trade_id: id } } }));
      assert.deepEqual([trade.trade_id, trade.account_id, trade.created_at], [id, String(account), desk.open]);
      return [trade.side, trade.symbol, trade.quantity, trade.running_position, trade.order_id];
    };
    assert.deepEqual(await side(desk.fund, bought), ["buy", "AAPL", "100", "100", "order-1"]);
    assert.deepEqual(await side(desk.fund, allocated), ["sell", "AAPL", "40", "60", ""]);
    assert.deepEqual(await side(desk.pension, allocated), ["buy", "AAPL", "40", "40", ""]);
    assert.deepEqual(await side(desk.pension, moved), ["sell", "AAPL", "15", "25", ""]);
    assert.deepEqual(await side(desk.bonds, moved), ["buy", "AAPL", "15", "15", ""]);
    assert.deepEqual(await side(desk.pension, short), ["sell-short", "BRK/B", "10.5", "-10.5", ""]);
    await refused("trade_not_found", desk.bank.api.GET("/accounts/{account_id}/trades/{trade_id}", { params: { path: { account_id: String(desk.busy), trade_id: bought } } }));

    assert.deepEqual(await desk.balances(desk.fund), [
      { currency: "USD", trade_cash: "88703.9", settled_cash: "98749.5", unsettled_debits: "16742", unsettled_credits: "6696.4" },
    ]);
  },

  async "a trade that is sent again is booked once"(desk: Desk) {
    const { api } = desk.bank;
    const trade = desk.fill(desk.busy, { quantity: "10", price: "100.5", timestamp: desk.open });
    const id = await desk.book(trade);
    const otherwise: Trade = { ...trade, account_id: String(desk.busy), quantity: "010.00", timestamp: desk.open / 1000, fees: {}, settlement: { currency: "USD" } };
    const fresh = desk.fill(desk.busy, { quantity: "1", price: "1" });
    const { data } = await answered(api.POST("/trades", { body: [trade, fresh, otherwise, fresh] }));
    assert.deepEqual([data[0]?.trade_id, data[2]?.trade_id], [id, id]);
    assert.equal(data[1]?.trade_id, data[3]?.trade_id);
    ascending([id, data[1]?.trade_id ?? ""]);
    const found = await take(api.GET("/trades", { params: { query: { account_id: String(desk.busy), client_trade_id: trade.client_trade_id } } }));
    assert.deepEqual(found, await desk.stored(id));

    // Other content under the same name: nothing of the call is booked.
    const beside = desk.fill(desk.busy);
    await refused("client_trade_id_conflict", api.POST("/trades", { body: [beside, { ...trade, price: "100.51" }] }));
    await refused("trade_not_found", api.GET("/trades", { params: { query: { account_id: String(desk.busy), client_trade_id: beside.client_trade_id } } }));
    // The name is taken in its account only.
    const elsewhere = await desk.book({ ...trade, account_id: desk.bonds });
    assert.notEqual(elsewhere, id);
    await take(api.DELETE("/trades/{trade_id}", { params: { path: { trade_id: elsewhere } } }));
  },

  async "a sale pays its fees"(desk: Desk) {
    const sale = desk.fill(desk.fund, { quantity: "10", price: "168.123", side: { direction: "sell" }, fees: { commission: "0.35" } });
    const { sec, taf } = desk.saleFees("10", "1681.23");
    const stored = await desk.stored(await desk.book(sale));
    assert.deepEqual(
      [stored.gross_amount, stored.sec_fee, stored.taf_fee, stored.net_amount],
      ["1681.23", sec, taf, sum("1681.23", "-0.35", minus(sec), minus(taf))],
    );
    const rows = (await desk.journal(desk.fund)).filter((row) => row.trade_id === stored.trade_id).map((row) => [row.memo, row.td_quantity, row.td_amount, row.sd_amount]);
    const wanted = [
      ["open", "-10", "1681.23", "0"],
      ["commission", "0", "-0.35", "0"],
      ["sec_fee", "0", minus(sec), "0"],
      ["taf", "0", minus(taf), "0"],
    ];
    assert.deepEqual(
      rows,
      wanted.filter(([, , amount]) => amount !== "0"),
    );
    const free = await desk.stored(await desk.book({ ...sale, client_trade_id: desk.name(), fees: { omit_sec: true, omit_taf: true } }));
    assert.deepEqual([free.sec_fee, free.taf_fee, free.net_amount], ["0", "0", "1681.23"]);
  },

  async "many at once on one account, each booked once"(desk: Desk) {
    const symbol = "ZVZZT";
    const fills = Array.from({ length: 24 }, () => desk.fill(desk.busy, { quantity: "5", price: "0.1", instrument: ticker(symbol) }));
    const ids = await Promise.all(fills.flatMap((fill) => [desk.book(fill), desk.book(fill)]));
    assert.equal(new Set(ids).size, 24);
    const trades = (await desk.accountTrades(desk.busy)).filter((trade) => trade.symbol === symbol);
    ascending(trades.map((trade) => trade.trade_id));
    assert.deepEqual(new Set(trades.map((trade) => trade.trade_id)), new Set(ids));
    assert.deepEqual(
      new Set(trades.map((trade) => trade.running_position)),
      new Set(fills.map((_, i) => String(5 * (i + 1)))),
    );
    const position: Schemas["Position"] = await take(desk.bank.api.GET("/accounts/{account_id}/positions/{symbol}", { params: { path: { account_id: String(desk.busy), symbol } } }));
    assert.deepEqual(position, { account_id: String(desk.busy), symbol, quantity: "120" });
  },
};
