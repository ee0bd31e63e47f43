import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../../testing/simulated-clock.ts';
import { DeadlineQueue } from './deadline-queue.ts';

function watched() {
  const clock = new SimulatedClock();
  const due: (readonly [at: number, keys: readonly string[]])[] = [];
  const queue = new DeadlineQueue<string>(clock, (keys) => due.push([clock.monotonic(), [...keys].sort()]));
  return { clock, due, queue };
}

describe('DeadlineQueue', () => {
  it('given many deadlines, when time passes, then one timer is set at a time and those due together come together', async () => {
    const { clock, due, queue } = watched();
    queue.set('a', 30);
    queue.set('b', 10);
    queue.set('c', 30);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(100);
    expect(due).toEqual([
      [10, ['b']],
      [30, ['a', 'c']],
    ]);
    expect([queue.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('given a deadline that is moved later again and again, when they stop, then it comes once after the last', async () => {
    const { clock, due, queue } = watched();
    for (let n = 0; n < 10; n++) {
      queue.set('a', 50);
      await clock.advance(20);
    }
    await clock.advance(100);
    expect(due).toEqual([[230, ['a']]]);
  });

  it('given a deadline that is moved earlier, deleted, or set again, when time passes, then the last word holds', async () => {
    const { clock, due, queue } = watched();
    queue.set('a', 100);
    queue.set('a', 10);
    queue.set('b', 10);
    queue.delete('b');
    queue.set('c', 10);
    queue.delete('c');
    queue.set('c', 40);
    await clock.advance(200);
    expect(due).toEqual([
      [10, ['a']],
      [40, ['c']],
    ]);
  });

  it('given a cleared queue, when time passes, then nothing is due', async () => {
    const { clock, due, queue } = watched();
    queue.set('a', 10);
    queue.clear();
    expect(clock.pendingTimers).toBe(0);
    queue.set('b', 5);
    await clock.advance(50);
    expect(due).toEqual([[5, ['b']]]);
  });

  it('given any sets, deletions and waits, when compared with a plain table, then the same keys come due', async () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), ms: fc.nat(30), wait: fc.nat(10) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { clock, due, queue } = watched();
        const table = new Map<string, number>();
        const expected: [number, string][] = [];
        const pass = (until: number) => {
          for (const [key, at] of [...table].sort((a, b) => a[1] - b[1])) {
            if (at <= until) {
              expected.push([at, key]);
              table.delete(key);
            }
          }
        };
        for (const { key, ms, wait } of steps) {
          if (ms === 0) {
            table.delete(key);
            queue.delete(key);
          } else {
            table.set(key, clock.monotonic() + ms);
            queue.set(key, ms);
          }
          pass(clock.monotonic() + wait);
          await clock.advance(wait);
        }
        pass(Number.POSITIVE_INFINITY);
        await clock.advance(100);
        const flat = due.flatMap(([at, keys]) => keys.map((key) => [at, key]));
        const order = (a: readonly unknown[], b: readonly unknown[]) => `${a}`.localeCompare(`${b}`);
        expect(flat.sort(order)).toEqual(expected.sort(order));
      }),
      { numRuns: 30 },
    );
  });
});
