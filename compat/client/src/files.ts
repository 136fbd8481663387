// Files of trades and of cancels, worked off in the background.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { answered, type Schemas, take } from "./client.js";
import type { Desk } from "./desk.js";
import { only, refused } from "./expect.js";

const columns = [
  ...["type", "timestamp", "client_trade_id", "date", "account_id", "quantity", "price", "instrument.identifier", "instrument.identifier_type", "instrument.country"],
  ...["instrument.currency", "side.direction", "capacity", "mic", "exec_mpid", "fees.commission", "nobody.knows"],
];

export const files = {
  async "a file of trades is booked row by row, a file of cancels undoes some"(desk: Desk) {
    const names = [desk.name(), desk.name(), desk.name()] as const;
    const row = (name: string, quantity: string) =>
      ["exchange_trade", desk.open, name, desk.today, desk.uploads, quantity, "20.25", "AAPL", "ticker", "US", "USD", "buy", "agency", "XNAS", "DESK", "0.5", "x"].join(",");
    const trades = Buffer.from([columns.join(","), row(names[0], "10"), row(names[1], "none"), row(names[2], "30")].join("\n") + "\n");
    const inserted = await worked(desk, "/uploads/insert", "trades.csv", trades);
    assert.deepEqual([inserted.status, inserted.completed, inserted.trades_processed, inserted.trades_skipped], ["done", true, 2, 1]);
    const fault = only(inserted.errors);
    assert.deepEqual([fault.row, fault.type], [2, "malformed_trade"]);
    assert.match(fault.message, /quantity/);
    const booked = await desk.accountTrades(desk.uploads);
    assert.deepEqual(
      booked.map((trade) => [trade.quantity, trade.running_position]),
      [
        ["10", "10"],
        ["30", "40"],
      ],
    );
    const kept = await take(desk.bank.api.GET("/trades", { params: { query: { account_id: String(desk.uploads), client_trade_id: names[0] } } }));
    assert.deepEqual([kept.trade_id, kept.net_amount, kept.fees.commission], [booked[0]?.trade_id, "-203", "0.5"]);

    const cancels = gzipSync(["account,trade_id,by_client_id", `${desk.uploads},${names[0]},true`, `${desk.uploads},${booked[1]?.trade_id},false`, `${desk.uploads},${names[1]},true`].join("\n"));
    const canceled = await worked(desk, "/uploads/cancel", "cancels.csv.gz", cancels);
    assert.deepEqual([canceled.status, canceled.trades_processed, canceled.trades_skipped], ["done", 2, 1]);
    assert.deepEqual(
      canceled.errors.map((e) => [e.row, e.type]),
      [[3, "trade_not_found"]],
    );
    assert.deepEqual(await desk.accountTrades(desk.uploads), []);
    assert.deepEqual(await desk.positions(desk.uploads), []);

    await refused("file_exists", send(desk, "/uploads/insert", "another-name.csv", trades));
    await refused("empty_file", send(desk, "/uploads/insert", "empty.csv", Buffer.from(`${columns.join(",")}\n`)));
    await refused("unsupported_file", send(desk, "/uploads/cancel", "cancels.txt", Buffer.from("account_id,client_trade_id\n1,x\n")));
  },
};

type Endpoint = "/uploads/insert" | "/uploads/cancel";

/** Sends a file as a browser's form would. */
function send(desk: Desk, to: Endpoint, name: string, content: Buffer) {
  const form = new FormData();
  form.append("file", new Blob([content]), name);
  return desk.bank.api.POST(to, { body: { file: name }, bodySerializer: () => form });
}

/** Sends a file and waits until it is worked off. */
async function worked(desk: Desk, to: Endpoint, name: string, content: Buffer): Promise<Schemas["Upload"]> {
  const { status, data } = await answered(send(desk, to, name, content));
  assert.equal(status, 202);
  assert.equal(data.upload_id, createHash("sha256").update(content).digest("hex"));
  assert.deepEqual([data.org_id, data.user_id, data.name], [1, 1, name]);
  for (const deadline = Date.now() + 60_000; ; await pause(20)) {
    const upload = await take(desk.bank.api.GET("/uploads/{upload_id}", { params: { path: { upload_id: data.upload_id } } }));
    assert.deepEqual({ ...upload, ...data }, upload);
    assert.ok(upload.updated_at >= upload.created_at);
    if (upload.completed) {
      return upload;
    }
    assert.ok(Date.now() < deadline, `upload ${data.upload_id} is ${upload.status} after a minute`);
  }
}
