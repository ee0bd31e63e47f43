/** Durations, sizes and processor shares as compose files write them. Pure text to number; no field names here. */

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const TEXT_MAX = 64;

/**
 * Reads a duration in Go's form (`1m30s`, `1.5h`, `500ms`, `0`) as whole milliseconds; a part of a millisecond counts
 * as one. `undefined` if it is no duration: a bare number has no unit, and there are no negative ones.
 */
export function parseDurationMs(text: string): number | undefined {
  if (text.length > TEXT_MAX) return undefined;
  if (text === '0') return 0;
  if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(/([\d.]+)([a-zµμ]+)/g)) {
    total += Number(amount) * (MILLISECONDS[unit] ?? Number.NaN);
  }
  // Sums of fractions such as 0.1s + 0.2s miss their whole number by a hair; that is no part of a millisecond.
  const rounded = Math.round(total);
  const milliseconds =
    Math.abs(total - rounded) < 1e-7 * Math.max(1, total) && rounded > 0 ? rounded : Math.ceil(total);
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

const SIZE_LETTERS = 'kmgtp';

/**
 * Reads a size (`64m`, `1.5GB`, `512KiB`, `1048576`) as bytes; each letter is a power of 1024, as the field has it.
 * `undefined` if it is no size.
 */
export function parseBytes(text: string): number | undefined {
  if (text.length > TEXT_MAX) return undefined;
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?)?b?$/i.exec(text);
  if (!match) return undefined;
  const [, amount = '', letter = ''] = match;
  const power = letter === '' ? 0 : SIZE_LETTERS.indexOf(letter.toLowerCase()) + 1;
  const bytes = Math.floor(Number(amount) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Reads a share of processors (`0.5`, `2`); `undefined` if it is none. */
export function parseCpus(text: string): number | undefined {
  return parseDecimal(text);
}

/** Reads a part of something (`0.25`), from 0 to 1; `undefined` if it is none. */
export function parseRatio(text: string): number | undefined {
  const ratio = parseDecimal(text);
  return ratio !== undefined && ratio <= 1 ? ratio : undefined;
}

/** Reads a number that is not negative (`0.5`, `20`); `undefined` if it is none. */
export function parseDecimal(text: string): number | undefined {
  if (text.length > TEXT_MAX || !/^(?:\d+(?:\.\d*)?|\.\d+)$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
