import { describe, expect, it } from 'vitest';
import { asId, type TaskId } from '../model/ids.ts';
import { taskSpecSchema } from '../model/task-spec.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { LeaseKeeper } from './lease-keeper.ts';

const spec = taskSpecSchema.parse({ image: 'one', stopGraceMs: 2_000 });

function keeper() {
  const clock = new SimulatedClock();
  const ended: string[] = [];
  const leases = new LeaseKeeper(clock, (id) => ended.push(`${id} at ${clock.monotonic()}`));
  const start = clock.monotonic();
  return { clock, ended, leases, start };
}

const task = (id: string, leaseMs: number | undefined) => ({
  id: asId<TaskId>(id),
  spec,
  ...(leaseMs === undefined ? {} : { leaseMs }),
});

describe('given tasks with a lease', () => {
  it('when it is not renewed, then each is stopped so early that its grace ends with it', async () => {
    const { clock, ended, leases, start } = keeper();
    leases.renew(start);
    leases.watch(task('a', 10_000));
    leases.watch(task('b', 6_000));
    leases.watch(task('c', undefined));
    await clock.advance(20_000);
    expect(ended).toEqual([`b at ${start + 4_000}`, `a at ${start + 8_000}`]);
  });

  it('when it is renewed, then the time counts from when that was sent', async () => {
    const { clock, ended, leases, start } = keeper();
    leases.renew(start);
    leases.watch(task('a', 10_000));
    await clock.advance(5_000);
    leases.renew(start + 4_000);
    leases.renew(start + 1_000);
    await clock.advance(6_999);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(ended).toEqual([`a at ${start + 12_000}`]);
  });

  it('when the task is gone, or the watch is closed, then nothing is stopped', async () => {
    const { clock, ended, leases, start } = keeper();
    leases.renew(start);
    leases.watch(task('a', 10_000));
    leases.watch(task('b', 10_000));
    leases.forget(asId<TaskId>('a'));
    leases.close();
    await clock.advance(20_000);
    expect(ended).toEqual([]);
  });
});
