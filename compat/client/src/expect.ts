// What the day asserts again and again.

import assert from "node:assert/strict";
import type { JournalRow, Schemas } from "./client.js";
import { sum } from "./decimal.js";

type ErrorType = Schemas["ErrorType"];

/** The status of every type of error. */
const statuses: Record<ErrorType, number> = {
  unauthorized: 401,
  not_found: 404,
  method_not_allowed: 405,
  too_large: 413,
  malformed_request: 400,
  malformed_trade: 400,
  too_many_trades: 400,
  missing_account_id: 400,
  client_trade_id_conflict: 409,
  unknown_account: 422,
  trade_not_found: 404,
  account_not_found: 404,
  entity_not_found: 404,
  position_not_found: 404,
  upload_not_found: 404,
  trade_already_canceled: 409,
  trade_settled: 409,
  file_exists: 409,
  empty_file: 400,
  unsupported_file: 400,
  conflict: 409,
  outcome_unknown: 504,
  internal: 500,
};

/** The call is refused with one of the types that its description has; gives the message. */
export async function refused<Type extends ErrorType>(
  type: NoInfer<Type>,
  call: Promise<{ readonly error?: { readonly type: Type; readonly message: string }; readonly response: Response }>,
): Promise<string> {
  const { error, response } = await call;
  assert.ok(error !== undefined, `${response.url} was accepted with ${response.status}, has to be ${type}`);
  assert.deepEqual([response.status, error.type], [statuses[type], type], error.message);
  assert.notEqual(error.message, "");
  return error.message;
}

/** The same for a request that no generated client would make. */
export async function refusedRaw(type: ErrorType, call: Promise<Response>): Promise<Response> {
  const response = await call;
  const body = (await response.json()) as Schemas["Error"];
  assert.deepEqual([response.status, body.type], [statuses[type], type], body.message);
  assert.match(response.headers.get("Content-Type") ?? "", /^application\/json/);
  return response;
}

/** Numbers as strings, going up. */
export function ascending(ids: readonly string[]): void {
  for (const [i, id] of ids.entries()) {
    assert.match(id, /^[1-9][0-9]*$/);
    const before = ids[i - 1];
    assert.ok(before === undefined || BigInt(before) < BigInt(id), `${id} comes after ${before}`);
  }
}

/** The sums of journal rows: what has to be an account's cash in a currency. */
export function cash(rows: readonly JournalRow[], currency: string): { trade: string; settled: string } {
  const mine = rows.filter((row) => row.currency === currency);
  return { trade: sum(...mine.map((row) => row.td_amount)), settled: sum(...mine.map((row) => row.sd_amount)) };
}

/** The sums of journal rows: what has to be an account's position in a symbol. */
export function held(rows: readonly JournalRow[], symbol: string): { trade: string; settled: string } {
  const mine = rows.filter((row) => row.symbol === symbol);
  return { trade: sum(...mine.map((row) => row.td_quantity)), settled: sum(...mine.map((row) => row.sd_quantity)) };
}

/** The one element of a list. */
export function only<T>(list: readonly T[]): T {
  assert.equal(list.length, 1);
  return list[0] as T;
}
