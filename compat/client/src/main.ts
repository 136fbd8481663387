// One day of a desk that keeps its books with Bank:
//
//	BANK_URL=http://bank:8080 BANK_OPERATIONS_URL=http://bank:8081 [BANK_KEY=...] node build/main.js [FIRST]
//
// FIRST is the first of the ten account ids that the day uses (500000): another one lets it run once more on the same system. Where
// no business date is set, the day is 2013-10-07, otherwise the first weekday after the business date. The business date ends a day later.

import { test } from "node:test";
import { books } from "./books.js";
import { connect } from "./client.js";
import { Desk } from "./desk.js";
import { evening } from "./evening.js";
import { files } from "./files.js";
import { mistakes } from "./mistakes.js";
import { morning } from "./morning.js";
import { corrections } from "./corrections.js";
import { trading } from "./trading.js";

function needed(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") {
    throw new Error(`${name} is not set`);
  }
  return value.replace(/\/$/, "");
}

const first = Number(process.argv[2] ?? "500000");
if (!Number.isSafeInteger(first) || first < 1) {
  throw new Error(`${process.argv[2]} is no account id`);
}
const bank = connect({ api: needed("BANK_URL"), operations: needed("BANK_OPERATIONS_URL"), key: process.env["BANK_KEY"] });
const desk = new Desk(bank, first);

await test(`a day with Bank, from account ${first}`, { timeout: 300_000 }, async (t) => {
  for (const [name, step] of [morning, trading, corrections, mistakes, books, files, evening].flatMap((part) => Object.entries(part))) {
    await t.test(name, () => step(desk));
  }
});
