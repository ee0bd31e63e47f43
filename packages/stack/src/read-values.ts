/**
 * Reads of single values: texts with their variables put in, numbers, sizes, durations, words. Each takes a place and
 * gives a value of its type, or notes why it can't.
 */

import { didYouMean } from './did-you-mean.ts';
import { interpolate } from './interpolation.ts';
import { type Place, type Read, type Reading, shown } from './reading.ts';
import { parseBytes, parseCpus, parseDecimal, parseDurationMs, parseRatio } from './units.ts';

/** Any text, number or boolean, as text, variables put in. */
export const readText: Read<string> = (reading, place) => {
  reading.spend();
  if (place.node.kind !== 'scalar' || place.node.value === null)
    return reading.issue(place, 'must be a text');
  const result = interpolate(place.node.source, reading.variables);
  if ('rule' in result) return reading.issue(place, result.rule);
  for (const name of result.unset) reading.warnUnset(place, name);
  return result.text;
};

/** A text that is not empty. */
export const readWord: Read<string> = (reading, place) => {
  const text = readText(reading, place);
  return text === '' ? reading.issue(place, 'must not be empty') : text;
};

/** A whole number in decimal digits, written as number or text. */
export const readInteger: Read<number> = (reading, place) => {
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  const value = /^[+-]?\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return Number.isNaN(value) ? reading.issue(place, `must be a whole number, not ${shown(place)}`) : value;
};

/** A whole number, 0 or more. */
export const readCount: Read<number> = (reading, place) => {
  const value = readInteger(reading, place);
  return value !== undefined && value < 0 ? reading.issue(place, 'must not be negative') : value;
};

/** A file mode: `0440` and `0o440` are octal, as people mean them; other digits are decimal, as YAML has it. */
export const readFileMode: Read<number> = (reading, place) => {
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  const octal = /^0o?([0-7]{1,6})$/.exec(text);
  if (octal) return Number.parseInt(octal[1] ?? '', 8);
  return /^\d{1,6}$/.test(text)
    ? Number(text)
    : reading.issue(place, `must be a file mode such as 0440, not ${shown(place)}`);
};

export const readBoolean: Read<boolean> = (reading, place) => {
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  if (text === 'true' || text === 'false') return text === 'true';
  return reading.issue(place, `must be true or false, not ${shown(place)}`);
};

/** A duration such as `1m30s`, as milliseconds. */
export const readDurationMs: Read<number> = (reading, place) =>
  readUnit(reading, place, parseDurationMs, 'a duration with its unit, such as 1m30s or 500ms');

/** A size such as `64m`, as bytes. */
export const readBytes: Read<number> = (reading, place) =>
  readUnit(reading, place, parseBytes, 'a size in bytes or with its unit, such as 64M or 1.5gb');

/** A share of processors such as `0.5`. */
export const readCpus: Read<number> = (reading, place) =>
  readUnit(reading, place, parseCpus, 'a number of processors such as 0.5');

/** A number, 0 or more. */
export const readDecimal: Read<number> = (reading, place) =>
  readUnit(reading, place, parseDecimal, 'a number such as 0.5');

/** A part of something, from 0 to 1. */
export const readRatio: Read<number> = (reading, place) =>
  readUnit(reading, place, parseRatio, 'a number from 0 to 1');

function readUnit(
  reading: Reading,
  place: Place,
  parse: (text: string) => number | undefined,
  what: string,
): number | undefined {
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  return parse(text.trim()) ?? reading.issue(place, `must be ${what}, not ${shown(place)}`);
}

/** One of a few words. */
export function readOneOf<const Words extends readonly string[]>(words: Words): Read<Words[number]> {
  return (reading, place) => {
    const text = readText(reading, place);
    if (text === undefined) return undefined;
    const found = words.find((word) => word === text);
    return (
      found ??
      reading.issue(place, `must be ${words.join(', ')}, not ${shown(place)}${didYouMean(text, words)}`)
    );
  };
}
