// Exact decimals, from strings to strings. A number would lose cents without a word: they never come in here.

const scale = 20n; // digits after the point: those of a product of two
const one = 10n ** scale;

function units(text: string): bigint {
  const parts = /^(-?)([0-9]*)\.?([0-9]*)$/.exec(text);
  if (parts === null) {
    throw new TypeError(`${text} is no decimal`);
  }
  const [, sign, whole = "", fraction = ""] = parts;
  const value = BigInt(whole + fraction.padEnd(Number(scale), "0"));
  return sign === "-" ? -value : value;
}

/** As Bank writes it: no zeros behind the last digit after the point, zero as "0". */
function text(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString().padStart(Number(scale) + 1, "0");
  const fraction = digits.slice(-Number(scale)).replace(/0+$/, "");
  return (value < 0n ? "-" : "") + digits.slice(0, -Number(scale)) + (fraction === "" ? "" : `.${fraction}`);
}

export function sum(...values: readonly string[]): string {
  return text(values.reduce((total, value) => total + units(value), 0n));
}

export function times(a: string, b: string): string {
  return text((units(a) * units(b)) / one);
}

export function minus(value: string): string {
  return text(-units(value));
}

/** Rounded up to the cent. */
export function centsUp(value: string): string {
  const cent = one / 100n;
  return text(((units(value) + cent - 1n) / cent) * cent);
}

export function smaller(a: string, b: string): string {
  return units(a) < units(b) ? a : b;
}
