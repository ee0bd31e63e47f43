import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asId, type ServiceId, type TaskId } from '../../model/ids.ts';
import { aCluster } from '../../testing/state-builder.ts';
import { PendingGroup } from './pending-group.ts';
import { newServiceEntry } from './service-entry.ts';

function aGroup(): PendingGroup {
  const [sample] = aCluster().withService({ name: 'web' }).withPending('web').tasks('web');
  if (!sample) throw new Error('there is a task');
  return new PendingGroup(newServiceEntry(asId<ServiceId>('web'), 1, true), '1', sample);
}

function task(number: number): TaskId {
  return asId<TaskId>(`task-${number}`);
}

describe('given a queue of tasks that are alike', () => {
  it('when tasks come and go in any order, then it holds those that wait, in the order in which they came', () => {
    const step = fc.record({ add: fc.boolean(), pick: fc.nat(), burst: fc.integer({ min: 1, max: 900 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const group = aGroup();
        let waiting: TaskId[] = [];
        let next = 0;
        for (const { add, pick, burst } of steps) {
          if (add || waiting.length === 0) {
            for (let n = 0; n < burst; n++) {
              group.add(task(next));
              waiting.push(task(next));
              next += 1;
            }
          } else {
            const from = pick % waiting.length;
            for (const id of waiting.slice(from, from + burst)) group.remove(id);
            waiting = waiting.filter((_, at) => at < from || at >= from + burst);
          }
          expect(group.size).toBe(waiting.length);
          expect(group.first(7)).toEqual(waiting.slice(0, 7));
        }
        expect(group.all()).toEqual(waiting);
      }),
      { numRuns: 60 },
    );
  });

  it('when a task stops waiting and begins again, then it stands at the end', () => {
    const group = aGroup();
    for (const number of [1, 2, 3]) group.add(task(number));
    group.remove(task(2));
    group.add(task(2));
    expect(group.all()).toEqual([task(1), task(3), task(2)]);
  });

  it('when its tasks are told why they wait, then each is told once, and new ones when they come', () => {
    const group = aGroup();
    for (let number = 0; number < 10; number++) group.add(task(number));
    group.remove(task(3));
    const told: TaskId[] = [];
    const tell = (most: number) => (id: TaskId) => {
      if (told.length >= most) return false;
      told.push(id);
      return true;
    };
    expect(group.explain(2, tell(4))).toBe(false);
    expect(told).toEqual([2, 4, 5, 6].map(task));
    expect(group.explain(0, tell(100))).toBe(true);
    group.add(task(10));
    expect(group.explain(0, tell(100))).toBe(true);
    expect(told).toEqual([2, 4, 5, 6, 7, 8, 9, 10].map(task));
    group.forgetExplained();
    told.length = 0;
    expect(group.explain(0, tell(100))).toBe(true);
    expect(told).toHaveLength(10);
  });

  it('when it is tidied up after many have gone, then nobody is told twice', () => {
    const group = aGroup();
    for (let number = 0; number < 5_000; number++) group.add(task(number));
    group.explain(0, (id) => id !== task(4_000));
    for (let number = 1; number < 4_000; number++) group.remove(task(number));
    const told: TaskId[] = [];
    group.explain(0, (id) => {
      told.push(id);
      return true;
    });
    expect(told[0]).toBe(task(4_000));
    expect(told).toHaveLength(1_000);
  });
});
