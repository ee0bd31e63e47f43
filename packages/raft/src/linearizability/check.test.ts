import { describe, expect, test } from 'vitest';
import { checkLinearizability } from './check.ts';
import { HistoryError } from './errors.ts';
import type { Operation } from './history.ts';
import type { Model } from './model.ts';
import { registerModel } from './register-model.ts';
import type { RegisterOperation } from './test-support/operations.ts';
import { read, swap, under, unknown, write } from './test-support/operations.ts';

const GOOD: readonly (readonly [string, readonly RegisterOperation[]])[] = [
  ['no operation at all', []],
  ['a read of what was never written', [read('a', 0, 1, null)]],
  ['one client after the other', [write('a', 0, 1, '1'), read('b', 2, 3, '1'), write('a', 4, 5, '2')]],
  [
    'reads that disagree during a write',
    [write('a', 0, 100, '1'), read('b', 25, 75, '1'), read('c', 30, 60, null)],
  ],
  [
    'two writes at once, read in the order against that of their calls',
    [write('a', 0, 10, '1'), write('b', 1, 11, '2'), read('c', 12, 13, '1')],
  ],
  ['an answer at the very moment of a call', [write('a', 0, 5, '1'), read('b', 5, 6, null)]],
  [
    'a write of unknown outcome that took effect at once',
    [unknown(write('a', 0, 0, '1')), read('b', 1, 2, '1')],
  ],
  [
    'a write of unknown outcome that took effect late',
    [unknown(write('a', 0, 0, '1')), write('b', 10, 20, '2'), read('c', 30, 40, '2'), read('c', 50, 60, '1')],
  ],
  [
    'a write of unknown outcome that never took effect',
    [write('b', 0, 1, '0'), unknown(write('a', 2, 2, '1')), read('c', 30, 40, '0'), read('d', 50, 60, '0')],
  ],
  [
    'a swap that a write of unknown outcome made possible',
    [unknown(write('a', 0, 0, '1')), swap('b', 10, 20, ['1', '2'], true), read('c', 30, 40, '2')],
  ],
  [
    'a write that was done though nobody knows its answer',
    [{ ...write('a', 0, 0, '1'), outcome: { kind: 'completed', at: 5 } }, read('b', 6, 7, '1')],
  ],
  [
    "two keys that don't know of each other",
    [write('a', 0, 10, '1'), under('y', read('b', 11, 12, null)), read('c', 11, 12, '1')],
  ],
];

const BAD: readonly (readonly [string, readonly RegisterOperation[], number])[] = [
  ['a stale read', [write('a', 0, 10, '1'), write('a', 20, 30, '2'), read('b', 40, 50, '1')], 3],
  ['a read that misses an acknowledged write', [write('a', 0, 10, '1'), read('b', 20, 30, null)], 2],
  [
    'time that goes backwards for readers',
    [write('a', 0, 100, '1'), read('b', 10, 30, '1'), read('c', 40, 90, null)],
    2,
  ],
  [
    'a lost update: two swaps from the same value',
    [write('a', 0, 1, '0'), swap('b', 10, 30, ['0', '1'], true), swap('c', 12, 28, ['0', '2'], true)],
    2,
  ],
  [
    'split brain: two leaders that each serve their own writes',
    [
      write('a', 0, 10, 'left'),
      write('b', 1, 11, 'right'),
      read('a', 20, 30, 'left'),
      read('b', 20, 30, 'right'),
      read('a', 40, 50, 'left'),
    ],
    4,
  ],
  ['a value that nobody wrote', [write('a', 0, 10, '1'), read('b', 5, 20, '3')], 1],
  [
    'a write that came back after it was overwritten',
    [write('a', 0, 10, '1'), write('b', 20, 30, '2'), read('c', 40, 50, '2'), read('c', 60, 70, '1')],
    3,
  ],
  [
    'a write of unknown outcome that is seen and unseen',
    [write('b', 0, 1, '0'), unknown(write('a', 2, 2, '1')), read('c', 10, 20, '1'), read('c', 30, 40, '0')],
    3,
  ],
  ['a read before the write it saw', [read('b', 0, 5, '1'), write('a', 6, 7, '1')], 1],
  [
    'a write that was done, and not read',
    [{ ...write('a', 0, 0, '1'), outcome: { kind: 'completed', at: 5 } }, read('b', 6, 7, null)],
    2,
  ],
];

describe('checkLinearizability, with registers', () => {
  test.each(GOOD)('given %s, when it is checked, then there is an order', (_, history) => {
    expect(checkLinearizability(registerModel, history).kind).toBe('linearizable');
  });

  test.each(BAD)('given %s, when it is checked, then a contradiction is found', (_, history, size) => {
    const verdict = checkLinearizability(registerModel, history);
    if (verdict.kind !== 'not-linearizable') throw new Error(verdict.kind);
    expect(verdict.explanation.window).toHaveLength(size);
    expect(verdict.longest.length).toBeLessThan(history.length);
  });

  test('given two keys, when one of them goes wrong, then it is named and explained', () => {
    const quiet = Array.from({ length: 5 }, (_, turn) =>
      under('y', write('q', turn * 10, turn * 10 + 9, `${turn}`)),
    );
    const noise = read('d', 2, 4, '1');
    const stale = [write('a', 0, 10, '1'), write('a', 20, 30, '2'), read('b', 40, 50, '1')];
    const verdict = checkLinearizability(registerModel, [...quiet, noise, ...stale]);
    if (verdict.kind !== 'not-linearizable') throw new Error(verdict.kind);
    expect(verdict.partition).toBe('x');
    expect(verdict.explanation.text).toBe(
      [
        "Until 50 every answer can be explained; this one can't:",
        '  b, 40 to 50: read x -> 1',
        'No order of these explains all answers, wherever the 1 other operations before it took effect:',
        '  a, 0 to 10: write x = 1 -> written',
        '  a, 20 to 30: write x = 2 -> written',
        '  b, 40 to 50: read x -> 1',
      ].join('\n'),
    );
  });

  test('given a good history, when it is checked, then the order found is right when replayed', () => {
    const history = [write('a', 0, 10, '1'), write('b', 1, 11, '2'), read('c', 12, 13, '1')];
    const verdict = checkLinearizability(registerModel, history);
    if (verdict.kind !== 'linearizable') throw new Error(verdict.kind);
    expect(verdict.orders.get('x')?.map(({ client }) => client)).toEqual(['b', 'a', 'c']);
  });

  test('given less work than it takes, when a history is checked, then no verdict is given', () => {
    const history = Array.from({ length: 12 }, (_, at) => write(`c${at}`, 0, 100, `${at}`));
    const verdict = checkLinearizability(registerModel, [...history, read('z', 101, 102, 'never')], {
      stepsMax: 100,
    });
    expect(verdict).toMatchObject({ kind: 'gave-up', partition: 'x', steps: 100 });
  });

  test('given many writes of unknown outcome, when nothing read fits them, then it is known without trying all subsets', () => {
    const lost = Array.from({ length: 40 }, (_, at) => unknown(write(`c${at}`, at, at, `${at}`)));
    const verdict = checkLinearizability(registerModel, [...lost, read('r', 50, 60, 'never')]);
    if (verdict.kind !== 'not-linearizable') throw new Error(verdict.kind);
    expect(verdict.steps).toBeLessThan(200);
  });

  test('given a long history with one stale read, when it is checked, then three operations tell why', () => {
    const clients = ['a', 'b', 'c', 'd', 'e', 'f'];
    const busy = Array.from({ length: 600 }, (_, turn) =>
      write(clients[turn % clients.length] ?? '', turn * 10 - 20, turn * 10 + 20, `${turn}`),
    );
    const verdict = checkLinearizability(registerModel, [...busy, read('z', 7000, 7001, '300')]);
    if (verdict.kind !== 'not-linearizable') throw new Error(verdict.kind);
    expect(verdict.explanation.culprit.client).toBe('z');
    expect(verdict.explanation.window).toHaveLength(3);
  });

  test.each([
    ['a call that is no number', { ...read('a', 0, 1, null), call: Number.NaN }, 'operations[0].call'],
    ['an answer before its call', read('a', 5, 1, null), 'operations[0].outcome.at'],
  ])('given %s, when it is checked, then it is refused', (_, operation, field) => {
    const check = () => checkLinearizability(registerModel, [operation]);
    expect(check).toThrow(HistoryError);
    expect(check).toThrow(field);
  });
});

describe('checkLinearizability, with the queues of Herlihy and Wing', () => {
  type QueueInput = { readonly kind: 'enqueue'; readonly item: string } | { readonly kind: 'dequeue' };

  /** First in, first out; there is always something to take out when someone does. */
  const queueModel: Model<readonly string[], QueueInput, string> = {
    initial: [],
    step(queue, input, output) {
      if (input.kind === 'enqueue') return [...queue, input.item];
      const [first, ...rest] = queue;
      return first !== undefined && (output === undefined || output === first) ? rest : undefined;
    },
    keyOf: (queue) => queue.join(),
    describe: (input, output) =>
      `${input.kind} ${input.kind === 'enqueue' ? input.item : (output ?? 'unknown')}`,
  };
  const enqueue = (
    client: string,
    call: number,
    at: number,
    item: string,
  ): Operation<QueueInput, string> => ({
    client,
    call,
    input: { kind: 'enqueue', item },
    outcome: { kind: 'returned', at, output: '' },
  });
  const dequeue = (
    client: string,
    call: number,
    at: number,
    item: string,
  ): Operation<QueueInput, string> => ({
    client,
    call,
    input: { kind: 'dequeue' },
    outcome: { kind: 'returned', at, output: item },
  });

  test.each([
    [
      'overlapping enqueues taken out in either order',
      [enqueue('a', 0, 3, 'x'), enqueue('b', 1, 4, 'y'), dequeue('a', 5, 8, 'y'), dequeue('b', 6, 9, 'x')],
      'linearizable',
    ],
    ['a dequeue of what is being put in', [enqueue('a', 0, 9, 'x'), dequeue('b', 1, 2, 'x')], 'linearizable'],
    [
      'the second item taken out first',
      [enqueue('a', 0, 1, 'x'), enqueue('b', 2, 3, 'y'), dequeue('a', 4, 5, 'y')],
      'not-linearizable',
    ],
    [
      'one item taken out twice',
      [enqueue('a', 0, 1, 'x'), enqueue('a', 2, 3, 'y'), dequeue('a', 4, 7, 'x'), dequeue('b', 5, 8, 'x')],
      'not-linearizable',
    ],
  ])('given %s, when it is checked, then the answer is that of the paper', (_, history, kind) => {
    expect(checkLinearizability(queueModel, history).kind).toBe(kind);
  });
});
