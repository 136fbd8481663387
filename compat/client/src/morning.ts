// Before the market opens: accounts, the business date, cash.

import assert from "node:assert/strict";
import { answered, type Schemas, take, walk } from "./client.js";
import { type Desk, page, weekdayAfter } from "./desk.js";
import { ascending, refused } from "./expect.js";

export const morning = {
  async "an entity is created once"(desk: Desk) {
    const { api, operations } = desk.bank;
    const body = { entity_id: desk.entity, client_code: `DESK${desk.first}`, legal_name: "Desk Capital LLC" };
    const created = await answered(operations.POST("/entities", { body }));
    assert.deepEqual(created, { status: 201, data: { ...body, entity_id: String(desk.entity) } });
    const again = await answered(operations.POST("/entities", { body: { ...body, entity_id: String(desk.entity) } }));
    assert.deepEqual(again, { status: 200, data: created.data });
    await refused("conflict", operations.POST("/entities", { body: { ...body, legal_name: "Another" } }));
    await refused("malformed_request", operations.POST("/entities", { body: { ...body, legal_name: "" } }));

    assert.deepEqual(await take(api.GET("/entities/{entity_id}", { params: { path: { entity_id: String(desk.entity) } } })), created.data);
    await refused("entity_not_found", api.GET("/entities/{entity_id}", { params: { path: { entity_id: String(desk.nobody) } } }));
    const { rows } = await walk((token) => api.GET("/entities", { params: { query: page(1, token) } }));
    ascending(rows.map((row) => row.entity_id));
    assert.deepEqual(
      rows.filter((row) => row.entity_id === String(desk.entity)),
      [created.data],
    );
  },

  async "accounts are opened once"(desk: Desk) {
    const { api, operations } = desk.bank;
    const opened: Schemas["Account"][] = [];
    for (const account_id of [desk.fund, desk.pension, desk.bonds, desk.busy, desk.uploads]) {
      const body = { account_id, entity_id: desk.entity, name: `Desk ${account_id}` };
      const { status, data } = await answered(operations.POST("/accounts", { body }));
      assert.equal(status, 201);
      assert.deepEqual(data, { account_id: String(account_id), account_number: String(account_id), entity_id: String(desk.entity), name: body.name });
      assert.deepEqual(await answered(operations.POST("/accounts", { body })), { status: 200, data });
      await refused("conflict", operations.POST("/accounts", { body: { ...body, name: "Another" } }));
      assert.deepEqual(await take(api.GET("/accounts/{account_id}", { params: { path: { account_id: String(account_id) } } })), data);
      opened.push(data);
    }
    await refused("entity_not_found", operations.POST("/accounts", { body: { account_id: desk.nobody, entity_id: desk.nobody, name: "Nobody's" } }));
    await refused("malformed_request", operations.POST("/accounts", { body: { account_id: 0, entity_id: desk.entity, name: "Zero" } }));
    await refused("account_not_found", api.GET("/accounts/{account_id}", { params: { path: { account_id: String(desk.nobody) } } }));

    const { rows, pages } = await walk((token) => api.GET("/accounts", { params: { query: page(2, token) } }));
    ascending(rows.map((row) => row.account_id));
    assert.equal(pages, Math.ceil(rows.length / 2));
    const ids = new Set(opened.map((account) => account.account_id));
    assert.deepEqual(
      rows.filter((row) => ids.has(row.account_id)),
      opened,
    );
  },

  async "the business date goes forward only"(desk: Desk) {
    const { api, operations } = desk.bank;
    const { date } = await take(api.GET("/business-date"));
    if (date === 0) {
      assert.deepEqual(await desk.accountTrades(desk.fund), []);
    }
    desk.today = date === 0 ? 20131007 : weekdayAfter(date);
    desk.tomorrow = weekdayAfter(desk.today);
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(await answered(operations.POST("/business-date", { body: { date: desk.today } })), { status: 202, data: { date: desk.today } });
    }
    await refused("malformed_request", operations.POST("/business-date", { body: { date: desk.today - 10000 } }));
    await refused("malformed_request", operations.POST("/business-date", { body: { date: 20990231 } }));
    assert.deepEqual(await take(api.GET("/business-date")), { date: desk.today });
  },

  async "cash comes, goes, and moves from account to account"(desk: Desk) {
    const { operations } = desk.bank;
    const post = async (body: Schemas["Cash"]) => {
      const first = await answered(operations.POST("/cash", { body }));
      assert.equal(first.status, 202);
      assert.deepEqual(await answered(operations.POST("/cash", { body })), first);
      return first.data.cash_id;
    };
    const deposit: Schemas["Cash"] = { client_id: desk.name(), account_id: desk.fund, currency: "USD", amount: "100000", kind: "deposit" };
    const ids = [
      await post(deposit),
      await post({ client_id: desk.name(), account_id: String(desk.fund), currency: "USD", amount: "250.50", kind: "withdrawal" }),
      await post({ client_id: desk.name(), account_id: desk.fund, currency: "USD", amount: "1000", kind: "journal", target_account_id: desk.pension }),
    ];
    ascending(ids);
    assert.equal(await post({ ...deposit, amount: "100000.00" }), ids[0]);

    await refused("conflict", operations.POST("/cash", { body: { ...deposit, amount: "100001" } }));
    await refused("unknown_account", operations.POST("/cash", { body: { ...deposit, client_id: desk.name(), account_id: desk.nobody } }));
    await refused("malformed_request", operations.POST("/cash", { body: { ...deposit, client_id: desk.name(), amount: "0" } }));
    // @ts-expect-error: an amount is a string, for the compiler and for Bank
    await refused("malformed_request", operations.POST("/cash", { body: { ...deposit, client_id: desk.name(), amount: 5 } }));
    await refused("malformed_request", operations.POST("/cash", { body: { ...deposit, client_id: desk.name(), kind: "journal" } }));

    const settled = (amount: string) => [{ currency: "USD", trade_cash: amount, settled_cash: amount, unsettled_debits: "0", unsettled_credits: "0" }];
    assert.deepEqual(await desk.balances(desk.fund), settled("98749.5"));
    assert.deepEqual(await desk.balances(desk.pension), settled("1000"));
    assert.deepEqual(await desk.balances(desk.bonds), []);
    assert.deepEqual(
      (await desk.journal(desk.fund)).map(({ journal_id: _, ...row }) => row),
      [
        ["deposit", "100000"],
        ["withdrawal", "-250.5"],
        ["journal", "-1000"],
      ].map(([memo, amount]) => ({
        ...{ date: desk.today, trade_id: null, symbol: "", currency: "USD", memo },
        ...{ td_quantity: "0", td_amount: amount, sd_quantity: "0", sd_amount: amount },
      })),
    );
  },
};
