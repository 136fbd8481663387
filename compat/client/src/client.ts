// A client of Bank: what openapi-typescript made of openapi.yaml, and openapi-fetch to call it.

import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type Schemas = components["schemas"];
export type Trade = Schemas["Trade"];
export type StoredTrade = Schemas["StoredTrade"];
export type JournalRow = Schemas["JournalRow"];

/** Where a Bank is, and how to get in. */
export interface Place {
  readonly api: string;
  readonly operations: string;
  /** Where keys are configured. */
  readonly key: string | undefined;
}

/** A Bank's two listeners. */
export interface Bank {
  readonly place: Place;
  readonly api: Client<paths>;
  readonly operations: Client<paths>;
}

export function connect(place: Place): Bank {
  const headers = authorization(place);
  return {
    place,
    api: createClient<paths>({ baseUrl: place.api, headers }),
    operations: createClient<paths>({ baseUrl: place.operations, headers }),
  };
}

export function authorization(place: Place): Record<string, string> {
  return place.key === undefined ? {} : { Authorization: `Bearer ${place.key}` };
}

/** What openapi-fetch gives for a call. */
interface Answer<Data, Fault> {
  readonly data?: Data;
  readonly error?: Fault;
  readonly response: Response;
}

/** An error as Bank tells it, with the status that it came with. */
export class BankError extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
  ) {
    super(`${status} ${type}: ${message}`);
  }
}

/** The answer of a call that was accepted, together with its status. */
export async function answered<Data>(call: Promise<Answer<Data, { type: string; message: string }>>): Promise<{ data: Data; status: number }> {
  const { data, error, response } = await call;
  if (error !== undefined) {
    throw new BankError(response.status, error.type, error.message);
  }
  if (data === undefined) {
    throw new BankError(response.status, "", `${response.url} answered with nothing`);
  }
  return { data, status: response.status };
}

/** The answer of a call that was accepted. */
export async function take<Data>(call: Promise<Answer<Data, { type: string; message: string }>>): Promise<Data> {
  return (await answered(call)).data;
}

/** All rows of a list: page by page, as long as there is a token. */
export async function walk<Row>(
  page: (token: string | undefined) => Promise<Answer<{ readonly data: readonly Row[]; readonly next_page_token?: string }, { type: string; message: string }>>,
  between: () => Promise<void> = async () => {},
): Promise<{ rows: Row[]; pages: number }> {
  const rows: Row[] = [];
  let token: string | undefined;
  for (let pages = 1; ; pages++) {
    const { data, next_page_token } = await take(page(token));
    rows.push(...data);
    if (next_page_token === undefined) {
      return { rows, pages };
    }
    token = next_page_token;
    await between();
  }
}
