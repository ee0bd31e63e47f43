/**
 * Reads of lists and maps: item by item, and in the several forms in which the format lets people write the same
 * labels and options.
 */

import { readText } from './read-values.ts';
import { isEmpty, type Keyed, type Place, type Read, type Reading } from './reading.ts';

/** The places of a list's items. */
export const readList: Read<readonly Place[]> = (reading, place) => {
  reading.spend();
  if (place.node.kind !== 'list') return reading.issue(place, 'must be a list');
  return place.node.items.map((node, index) => ({ node, path: `${place.path}[${index}]`, at: node.at }));
};

/** The keys of a map whose keys are the author's own: services, labels. */
export const readMap: Read<readonly Keyed[]> = (reading, place) => {
  reading.spend();
  if (place.node.kind !== 'map') return reading.issue(place, 'must be a map');
  return [...place.node.entries].map(([key, { node, keyAt }]) => ({
    key,
    node,
    path: place.path === '' ? key : `${place.path}.${key}`,
    at: keyAt,
  }));
};

/** A list read item by item; items that can't be read are left out, their faults noted. */
export function readEach<Value>(reading: Reading, place: Place, read: Read<Value>): Value[] | undefined {
  return readList(reading, place)
    ?.map((item) => read(reading, item))
    .filter((value) => value !== undefined);
}

/** A list of texts, or a single one. */
export const readTexts: Read<readonly string[]> = (reading, place) => {
  if (place.node.kind === 'list') return readEach(reading, place, readText);
  const single = readText(reading, place);
  return single === undefined ? undefined : [single];
};

/** Labels and options: a map, or a list of `key=value`; a key without a value has the empty text. */
export const readTextRecord: Read<Readonly<Record<string, string>>> = (reading, place) => {
  const pairs = readPairs(reading, place);
  return pairs && Object.fromEntries([...pairs].map(([key, value]) => [key, value ?? '']));
};

/** Pairs in the order of the file, from a map or from a list of `key=value`; `undefined` for a key alone. */
export const readPairs: Read<ReadonlyMap<string, string | undefined>> = (reading, place) => {
  const pairs = new Map<string, string | undefined>();
  if (place.node.kind === 'list') {
    for (const item of readList(reading, place) ?? []) {
      const text = readText(reading, item);
      if (text === undefined) continue;
      const equals = text.indexOf('=');
      const key = equals < 0 ? text : text.slice(0, equals);
      if (key === '') reading.issue(item, 'must have the form key=value');
      else pairs.set(key, equals < 0 ? undefined : text.slice(equals + 1));
    }
    return pairs;
  }
  if (place.node.kind !== 'map') return reading.issue(place, 'must be a map, or a list of key=value');
  for (const entry of readMap(reading, place) ?? []) {
    pairs.set(entry.key, isEmpty(entry) ? undefined : readText(reading, entry));
  }
  return pairs;
};
