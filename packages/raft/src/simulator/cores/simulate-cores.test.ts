import { describe, expect, test } from 'vitest';
import { EventQueue } from '../event-queue.ts';
import { simulateCores } from './simulate-cores.ts';

// Seeds that once broke a rule, by a fault of the core or of the simulator, and some more.
const SEEDS = [1, 2, 3, 415, 418, 800, 880, 1004, 1096, 1887];

describe('the simulator', () => {
  test.each(SEEDS)(
    'given seed %i, when its faults happen, then no rule is broken and agreement returns',
    (seed) => {
      expect(simulateCores({ seed, steps: 2000 }).violation).toBeUndefined();
    },
  );

  test.each([3, 18, 29])(
    'given seed %i, when it is run twice, then the traces are the same, byte for byte',
    (seed) => {
      const [one, other] = [1, 2].map(() => simulateCores({ seed, steps: 1500, trace: 'keep' }));
      expect(one?.trace.length).toBeGreaterThan(100);
      expect(one?.trace.join('\n')).toBe(other?.trace.join('\n'));
      expect(one?.traceHash).toBe(other?.traceHash);
      expect(simulateCores({ seed: seed + 1, steps: 1500, trace: 'hash' }).traceHash).not.toBe(
        one?.traceHash,
      );
    },
  );

  test('given events at the same moment, when they happen, then in the order in which they were planned', () => {
    const queue = new EventQueue();
    const happened: string[] = [];
    for (const [delay, name] of [
      [2, 'c'],
      [1, 'a'],
      [2, 'd'],
      [1, 'b'],
    ] as const) {
      queue.plan(delay, () => happened.push(name));
    }
    while (queue.next());
    expect(happened.join('')).toBe('abcd');
    expect(queue.now).toBe(2);
  });
});
