import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AppendLogInput, AppendLogOutput } from './append-log-model.ts';
import { appendLogModel } from './append-log-model.ts';
import { checkLinearizability } from './check.ts';
import type { Operation, Outcome } from './history.ts';
import { historyFromJson, historyToJson } from './history-json.ts';
import type { Model } from './model.ts';
import type { RegisterInput, RegisterOutput } from './register-model.ts';
import { registerModel } from './register-model.ts';
import { isLinearizableByDefinition } from './test-support/permutation-checker.ts';

const SMALL = { seed: 42, numRuns: 1500 };

const value = fc.constantFrom(null, '1', '2');

const registerOperation: fc.Arbitrary<readonly [RegisterInput, RegisterOutput]> = fc.oneof(
  value.map(
    (read) =>
      [
        { kind: 'read', key: 'x' },
        { kind: 'value', value: read },
      ] as const,
  ),
  value.map((written) => [{ kind: 'write', key: 'x', value: written }, { kind: 'written' }] as const),
  fc.tuple(value, value, fc.boolean()).map(
    ([expected, next, swapped]) =>
      [
        { kind: 'compare-and-swap', key: 'x', expected, value: next },
        { kind: 'swapped', swapped },
      ] as const,
  ),
);

const logOperation: fc.Arbitrary<readonly [AppendLogInput, AppendLogOutput]> = fc.oneof(
  fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 5 })).map(
    ([id, position]) =>
      [
        { kind: 'append', id },
        { kind: 'appended', position },
      ] as const,
  ),
  fc
    .tuple(fc.constantFrom(null, 'a', 'b', 'c'), fc.integer({ min: 0, max: 5 }))
    .map(([id, position]) => [{ kind: 'read' }, { kind: 'end', position, id }] as const),
);

/** Up to six operations that overlap a lot, some without an answer. */
function histories<Input, Output>(
  operation: fc.Arbitrary<readonly [Input, Output]>,
): fc.Arbitrary<Operation<Input, Output>[]> {
  const timed = fc
    .tuple(operation, fc.nat(12), fc.nat(6), fc.constantFrom('returned', 'returned', 'completed', 'unknown'))
    .map(([[input, output], call, takes, kind]): Operation<Input, Output> => {
      const at = call + takes;
      const outcomes: Record<string, Outcome<Output>> = {
        returned: { kind: 'returned', at, output },
        completed: { kind: 'completed', at },
      };
      return { client: 'c', call, input, outcome: outcomes[kind] ?? { kind: 'unknown' } };
    });
  return fc.array(timed, { maxLength: 6 });
}

/** Checks that the verdict is that of the definition, and that what it shows holds. */
function agreesWithTheDefinition<State extends NonNullable<unknown> | null, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): boolean {
  const verdict = checkLinearizability(model, history);
  const isLinearizable = isLinearizableByDefinition(model, history);
  expect(verdict.kind).toBe(isLinearizable ? 'linearizable' : 'not-linearizable');
  if (verdict.kind === 'not-linearizable') {
    const { window } = verdict.explanation;
    const letOff = (kept: (operation: Operation<Input, Output>) => boolean) =>
      history.map(
        (operation): Operation<Input, Output> =>
          kept(operation) ? operation : { ...operation, outcome: { kind: 'unknown' } },
      );
    expect(
      isLinearizableByDefinition(
        model,
        letOff((operation) => window.includes(operation)),
      ),
    ).toBe(false);
  }
  return isLinearizable;
}

describe('checkLinearizability, against the definition', () => {
  test('given small histories of a register, when they are checked, then every verdict and every window holds', () => {
    const seen = { good: 0, bad: 0 };
    fc.assert(
      fc.property(histories(registerOperation), (history) => {
        seen[agreesWithTheDefinition(registerModel, history) ? 'good' : 'bad']++;
      }),
      SMALL,
    );
    expect(Math.min(seen.good, seen.bad)).toBeGreaterThan(200);
  });

  test('given small histories of an append log, when they are checked, then every verdict and every window holds', () => {
    const seen = { good: 0, bad: 0 };
    fc.assert(
      fc.property(histories(logOperation), (history) => {
        seen[agreesWithTheDefinition(appendLogModel, history) ? 'good' : 'bad']++;
      }),
      SMALL,
    );
    expect(Math.min(seen.good, seen.bad)).toBeGreaterThan(200);
  });
});

describe('checkLinearizability, with long histories', () => {
  /** Runs operations one after the other, and lets each client see it a little earlier and later. */
  const sequential = fc.array(
    fc.record({
      client: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      key: fc.constantFrom('x', 'y', 'z'),
      written: fc.option(fc.nat(5).map(String), { nil: undefined }),
      before: fc.nat(25),
      after: fc.nat(25),
      isLost: fc.nat(20).map((draw) => draw === 0),
    }),
    { minLength: 100, maxLength: 300 },
  );

  function play(
    steps: typeof sequential extends fc.Arbitrary<infer Steps> ? Steps : never,
  ): Operation<RegisterInput, RegisterOutput>[] {
    const registers = new Map<string, string>();
    return steps.map(({ client, key, written, before, after, isLost }, turn) => {
      const output: RegisterOutput =
        written === undefined ? { kind: 'value', value: registers.get(key) ?? null } : { kind: 'written' };
      if (written !== undefined) registers.set(key, written);
      const input: RegisterInput =
        written === undefined ? { kind: 'read', key } : { kind: 'write', key, value: written };
      const outcome = isLost
        ? ({ kind: 'unknown' } as const)
        : ({ kind: 'returned', at: turn * 10 + after, output } as const);
      return { client, call: turn * 10 - before, input, outcome };
    });
  }

  test('given histories that were linearizable when they were made, when they are checked, then they are', () => {
    fc.assert(
      fc.property(sequential, (steps) => {
        expect(checkLinearizability(registerModel, play(steps)).kind).toBe('linearizable');
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  test('given such a history with a value that was never written, when it is checked, then that read is the window', () => {
    fc.assert(
      fc.property(sequential, fc.nat(1000), (steps, place) => {
        const history = play(steps);
        const false_: Operation<RegisterInput, RegisterOutput> = {
          client: 'z',
          call: place,
          input: { kind: 'read', key: 'x' },
          outcome: { kind: 'returned', at: place + 5, output: { kind: 'value', value: 'never' } },
        };
        const verdict = checkLinearizability(registerModel, [...history, false_]);
        if (verdict.kind !== 'not-linearizable') throw new Error(verdict.kind);
        expect(verdict.explanation.window).toEqual([false_]);
      }),
      { seed: 8, numRuns: 15 },
    );
  });
});

describe('histories as JSON', () => {
  const readers = {
    input: (input: unknown) => input as RegisterInput,
    output: (output: unknown) => output as RegisterOutput,
  };

  test('given any history, when it is written and read, then it is the same', () => {
    fc.assert(
      fc.property(histories(registerOperation), (history) => {
        expect(historyFromJson(historyToJson(history), readers)).toEqual(history);
      }),
      SMALL,
    );
  });

  test.each([
    ['{', 'the history'],
    ['[]', 'the history'],
    ['{"format":"other/1","operations":[]}', 'format'],
    ['{"format":"skep-history/1","operations":7}', 'operations'],
    ['{"format":"skep-history/1","operations":[{"client":7}]}', 'operations[0].client'],
    ['{"format":"skep-history/1","operations":[{"client":"a","call":"1"}]}', 'operations[0].call'],
    ['{"format":"skep-history/1","operations":[{"client":"a","call":1}]}', 'operations[0].outcome'],
    [
      '{"format":"skep-history/1","operations":[{"client":"a","call":1,"outcome":{"kind":"lost"}}]}',
      'operations[0].outcome.kind',
    ],
    [
      '{"format":"skep-history/1","operations":[{"client":"a","call":1,"outcome":{"kind":"completed","at":0}}]}',
      'operations[0].outcome.at',
    ],
  ])('given %s, when it is read, then %s is named', (text, field) => {
    expect(() => historyFromJson(text, readers)).toThrow(
      expect.objectContaining({ code: 'invalid-history', field }),
    );
  });
});
