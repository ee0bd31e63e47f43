// Node's comparison, since vitest's takes a property named `constructor` for the object's class.
import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asId, type NodeId } from '../model/ids.ts';
import { anyEventOf, anyTransaction, EVENT_TYPES } from '../testing/arbitraries.ts';
import { ODD_TEXTS, wellFormed } from '../testing/arbitrary-values.ts';
import { aDescription } from '../testing/state-builder.ts';
import {
  decodeTransaction,
  decodeValue,
  encodeTransaction,
  encodeValue,
  UnreadableEventError,
} from './codec.ts';
import type { Transaction } from './event.ts';
import { EVENT_HISTORY } from './versions.ts';

describe('given a transaction, when it is written and read back', () => {
  test.each(EVENT_TYPES)('then %s says the same', (type) => {
    fc.assert(
      fc.property(anyTransaction(anyEventOf(type)), (transaction) => {
        deepStrictEqual(decodeTransaction(encodeTransaction(transaction)), transaction);
      }),
      { numRuns: 60 },
    );
  });

  test('then every event has a history, so that none is left out of this test', () => {
    expect([...EVENT_TYPES].sort()).toEqual(Object.keys(EVENT_HISTORY).sort());
  });

  test.each(ODD_TEXTS.map(wellFormed))('then a label named %j keeps its name', (name) => {
    const labels = Object.fromEntries([[name, 'kept']]);
    const transaction = joined({ ...aDescription(), engine: { driver: 'd', version: '1', labels } });
    const read = decodeTransaction(encodeTransaction(transaction));
    deepStrictEqual(read, transaction);
    const [event] = read.events;
    if (event?.type !== 'node.joined') throw new Error('the event is another');
    expect(Object.entries(event.description.engine.labels)).toEqual([[name, 'kept']]);
  });

  test('then thousands of differently named labels all come back', () => {
    const events = Array.from({ length: 3_000 }, (_, n) => ({
      ...joinedEvent(aDescription({ engineLabels: { [`a${n}`]: '1', [`b${n % 7}`]: '2' } })),
      id: asId<NodeId>(`node-${n}`),
    }));
    const transaction: Transaction = { index: 1, at: 1, actor: { kind: 'user' }, events };
    deepStrictEqual(decodeTransaction(encodeTransaction(transaction)), transaction);
  });

  test('then bytes are bytes of their own, and not those of the record', () => {
    const transaction = {
      ...EMPTY,
      events: [{ type: 'vault.stored', digest: 'd', data: new Uint8Array([1, 2]) }],
    } as const;
    const record = encodeTransaction(transaction);
    const [event] = decodeTransaction(record).events;
    record.fill(0);
    if (event?.type !== 'vault.stored') throw new Error('the event is another');
    expect(event.data).toStrictEqual(new Uint8Array([1, 2]));
    expect(event.data.buffer.byteLength).toBe(2);
  });
});

test('given many records, when they are read alone and in any order, then each says the same', () => {
  const records = fc.array(anyTransaction(), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(
      records.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list.map((_, n) => n)))),
      ([list, order]) => {
        const written = list.map((transaction) => encodeTransaction(transaction).slice());
        for (const n of order) {
          deepStrictEqual(decodeTransaction(written[n] ?? new Uint8Array()), list[n]);
        }
      },
    ),
    { numRuns: 50 },
  );
});

describe('given a garbled record, when it is read, then it is refused as unreadable', () => {
  const refused = (bytes: Uint8Array) => {
    try {
      decodeTransaction(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(UnreadableEventError);
      return true;
    }
    return false;
  };

  test('when it is any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(refused(bytes)).toBe(true);
      }),
    );
  });

  test('when it is cut short anywhere', () => {
    fc.assert(
      fc.property(anyTransaction(), fc.nat(), (transaction, at) => {
        const record = encodeTransaction(transaction);
        expect(refused(record.slice(0, at % record.length))).toBe(true);
      }),
    );
  });

  test('when something stands behind it', () => {
    expect(refused(new Uint8Array([...encodeTransaction(EMPTY), 1]))).toBe(true);
  });

  test('when a byte is changed, unless it is still a transaction, with no other kind of error', () => {
    fc.assert(
      fc.property(anyTransaction(), fc.nat(), fc.nat(255), (transaction, at, byte) => {
        const record = encodeTransaction(transaction).slice();
        record[at % record.length] = byte;
        refused(record);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['a list longer than the record', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['a map longer than the record', [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ['bytes longer than the record', [0xc6, 0xff, 0xff, 0xff, 0xff]],
    ['nothing', []],
  ])('when it begins %s', (_, bytes) => {
    expect(refused(Uint8Array.from(bytes))).toBe(true);
  });

  test.each<[string, unknown]>([
    ['another envelope', [2, 1, 1, { kind: 'user' }, null, null, null, []]],
    ['no index', [1, null, 1, { kind: 'user' }, null, null, null, []]],
    ['no actor', [1, 1, 1, null, null, null, null, []]],
    ['an answer that is no record', [1, 1, 1, { kind: 'user' }, null, 'command', 'done', []]],
    ['events that are no list', [1, 1, 1, { kind: 'user' }, null, null, null, {}]],
    ['an event that is no list', [1, 1, 1, { kind: 'user' }, null, null, null, [null]]],
    ['an event without a body', [1, 1, 1, { kind: 'user' }, null, null, null, [[1, null]]]],
    [
      'an event that is unknown here',
      [1, 1, 1, { kind: 'user' }, null, null, null, [[1, { type: 'task.sung' }]]],
    ],
    [
      'an event of a newer version',
      [1, 1, 1, { kind: 'user' }, null, null, null, [[2, { type: 'task.removed', ids: [] }]]],
    ],
    ['no list', { index: 1 }],
  ])('when it has %s', (_, value) => {
    expect(refused(encodeValue(value))).toBe(true);
  });
});

test('given a value, when it is written and read back, then it is the same', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      deepStrictEqual(decodeValue(encodeValue(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});

const EMPTY: Transaction = { index: 1, at: 1, actor: { kind: 'user' }, events: [] };

function joinedEvent(description: ReturnType<typeof aDescription>) {
  return {
    type: 'node.joined',
    id: asId<NodeId>('node'),
    spec: { labels: {}, role: 'worker', availability: 'active' },
    description,
    address: '',
  } as const;
}

function joined(description: ReturnType<typeof aDescription>): Transaction {
  return { ...EMPTY, events: [joinedEvent(description)] };
}
