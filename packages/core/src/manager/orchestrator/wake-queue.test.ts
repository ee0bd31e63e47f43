import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { WakeQueue } from './wake-queue.ts';

const step = fc.oneof(
  fc.record({
    do: fc.constant('set' as const),
    key: fc.nat(20),
    at: fc.option(fc.nat(100), { nil: undefined }),
  }),
  fc.record({ do: fc.constant('take' as const), at: fc.nat(100) }),
);

test('given any use of the queue, when keys are taken, then each comes once, at its last time and in order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const queue = new WakeQueue<number>();
      const reference = new Map<number, number>();
      for (const each of steps) {
        if (each.do === 'set') {
          queue.set(each.key, each.at);
          if (each.at === undefined) reference.delete(each.key);
          else reference.set(each.key, each.at);
        } else {
          const due = [...reference].filter(([, at]) => at <= each.at);
          const taken = queue.takeDue(each.at);
          expect(taken.toSorted((a, b) => a - b)).toEqual(due.map(([key]) => key).sort((a, b) => a - b));
          const times = taken.map((key) => reference.get(key) ?? 0);
          expect(times).toEqual(times.toSorted((a, b) => a - b));
          for (const key of taken) reference.delete(key);
        }
        expect(queue.next()).toBe(reference.size === 0 ? undefined : Math.min(...reference.values()));
      }
    }),
  );
});
