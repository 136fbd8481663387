// A trading desk of one firm: its accounts, its days and its trades.

import { type Bank, type Schemas, type StoredTrade, take, walk } from "./client.js";
import { centsUp, smaller, times } from "./decimal.js";

type ExchangeTrade = Schemas["ExchangeTrade"];
type AccountTrade = Schemas["AccountTrade"];

export class Desk {
  /** The desk's accounts. The last one is never opened. */
  readonly entity: number;
  readonly fund: number;
  readonly pension: number;
  readonly bonds: number;
  readonly busy: number;
  readonly uploads: number;
  readonly nobody: number;
  /** The business date of the day, once it has begun, and the day after. */
  today = 0;
  tomorrow = 0;
  private trades = 0;

  /** All ids come from the first. */
  constructor(
    readonly bank: Bank,
    readonly first: number,
  ) {
    this.entity = first;
    [this.fund, this.pension, this.bonds, this.busy, this.uploads, this.nobody] = [first, first + 1, first + 2, first + 3, first + 4, first + 9];
  }

  /** A name that the desk has not used yet. */
  name(): string {
    return `desk-${this.first}-${++this.trades}`;
  }

  /** The open of the day's market, in milliseconds. */
  get open(): number {
    return instant(this.today) + 14 * 3600_000;
  }

  /** A hundred shares bought on an exchange, unless told otherwise. */
  fill(account: number, changes: Partial<ExchangeTrade> = {}): ExchangeTrade {
    return {
      type: "exchange_trade",
      timestamp: this.open,
      client_trade_id: this.name(),
      date: this.today,
      account_id: account,
      quantity: "100",
      price: "167.41",
      instrument: ticker("AAPL"),
      side: { direction: "buy" },
      capacity: "agency",
      mic: "XNAS",
      exec_mpid: "DESK",
      ...changes,
    };
  }

  /** Books one trade; gives its id. */
  async book(trade: Schemas["Trade"]): Promise<string> {
    const booked = await take(this.bank.api.POST("/trades", { body: [trade] }));
    return booked.map((b) => b.trade_id).join();
  }

  stored(trade_id: string): Promise<StoredTrade> {
    return take(this.bank.api.GET("/trades/{trade_id}", { params: { path: { trade_id } } }));
  }

  async journal(account: number, page_size = 1000) {
    const { rows } = await walk((token) => this.bank.api.GET("/accounts/{account_id}/journal", { params: { path: { account_id: String(account) }, query: page(page_size, token) } }));
    return rows;
  }

  async accountTrades(account: number, query: { date?: number; state?: Schemas["TradeState"] } = {}): Promise<AccountTrade[]> {
    const { rows } = await walk((token) =>
      this.bank.api.GET("/accounts/{account_id}/trades", { params: { path: { account_id: String(account) }, query: { ...query, ...page(1000, token) } } }),
    );
    return rows;
  }

  async positions(account: number, query: { view?: "full" } = {}) {
    const { rows } = await walk((token) =>
      this.bank.api.GET("/accounts/{account_id}/positions", { params: { path: { account_id: String(account) }, query: { ...query, ...page(1000, token) } } }),
    );
    return rows;
  }

  async balances(account: number) {
    return (await take(this.bank.api.GET("/accounts/{account_id}/balances", { params: { path: { account_id: String(account) } } }))).data;
  }

  /** The fees that the exchanges and FINRA take on a sale of the day, by their tables. */
  saleFees(quantity: string, gross: string): { sec: string; taf: string } {
    const perDollar = this.today < 20130525 ? undefined : this.today < 20240522 ? "0.0000174" : this.today < 20250514 ? "0.0000278" : "0";
    const [perShare, atMost] = this.today < 20240101 ? ["0.000119", "5.95"] : ["0.000166", "8.3"];
    return { sec: perDollar === undefined ? "0" : centsUp(times(gross, perDollar)), taf: smaller(centsUp(times(quantity, perShare)), atMost) };
  }
}

/** The query of a page. */
export function page(page_size: number, page_token: string | undefined): { page_size: number; page_token?: string } {
  return page_token === undefined ? { page_size } : { page_size, page_token };
}

export function ticker(identifier: string): Schemas["Instrument"] {
  return { identifier, identifier_type: "ticker", country: "US", currency: "USD" };
}

/** Midnight of a YYYYMMDD, UTC, in milliseconds. */
export function instant(date: number): number {
  return Date.UTC(Math.floor(date / 10000), (Math.floor(date / 100) % 100) - 1, date % 100);
}

/** The day so many days after a YYYYMMDD. */
export function dayAfter(date: number, days: number): number {
  const then = new Date(instant(date) + days * 86400_000);
  return then.getUTCFullYear() * 10000 + (then.getUTCMonth() + 1) * 100 + then.getUTCDate();
}

/** The first weekday after a YYYYMMDD. */
export function weekdayAfter(date: number): number {
  let day = dayAfter(date, 1);
  while ([0, 6].includes(new Date(instant(day)).getUTCDay())) {
    day = dayAfter(day, 1);
  }
  return day;
}
