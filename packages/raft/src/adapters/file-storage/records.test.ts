import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from './log-place.ts';
import { layOut, readRecords } from './records.ts';
import { command, commands, configurationOf, hardState, plainEntry } from './storage-fixture.ts';

const RECORDS = [
  { kind: 'hard-state', hardState: hardState(7, 3, 'a') },
  { kind: 'hard-state', hardState: hardState(8, 3) },
  {
    kind: 'entries',
    first: 4,
    entries: [
      command(4, 7),
      { kind: 'empty', index: 5, term: 8 },
      { kind: 'configuration', index: 6, term: 8, configuration: configurationOf('a', 'b') },
    ],
  },
  { kind: 'truncated', from: 5 },
  { kind: 'entries', first: 5, entries: commands(5, 9, 9) },
] as const;

function laidOut(records: Parameters<typeof layOut>[0]): Buffer {
  const { length, writeTo } = layOut(records);
  const contents = Buffer.alloc(length);
  writeTo(contents);
  return contents;
}

/** Records, or a refusal of the one kind there is. */
function readOrRefused(contents: Buffer): LogRecord[] | undefined {
  try {
    return readRecords(contents).map(plainRecord);
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return undefined;
  }
}

function plainRecord(record: LogRecord): LogRecord {
  return record.kind === 'entries' ? { ...record, entries: record.entries.map(plainEntry) } : record;
}

describe('log records', () => {
  it('given records of every kind, then they come back as they were', () => {
    expect(readRecords(laidOut(RECORDS)).map(plainRecord)).toEqual(RECORDS);
  });

  it('given records that are cut anywhere, then whole ones come back, or it is refused', () => {
    const whole = laidOut(RECORDS);
    let read = 0;
    for (let length = 0; length < whole.length; length++) {
      const records = readOrRefused(Buffer.from(whole.subarray(0, length)));
      if (records === undefined) continue;
      expect(records).toEqual(RECORDS.slice(0, records.length));
      read++;
    }
    expect(read).toBe(RECORDS.length);
  });

  it('given any bytes, then they are read or refused, and nothing else happens', () => {
    const whole = laidOut(RECORDS);
    const damaged = fc
      .array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      })
      .map((flips) => {
        const copy = Uint8Array.from(whole);
        for (const [at, mask] of flips) copy[at] = (copy[at] ?? 0) ^ mask;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 80 })), (bytes) => {
        readOrRefused(Buffer.from(bytes));
      }),
      { seed: 3, numRuns: 3000 },
    );
  });
});
