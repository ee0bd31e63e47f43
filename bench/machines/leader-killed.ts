/** What the loss of the leader costs those who command the cluster. */

import { sharedNow } from '../harness/prober.ts';
import { leaderOf, type Machine, type Machines } from './machines.ts';
import { type Times, timesOf } from './times.ts';

const SERVICE = 'probed';

/**
 * Kills the manager that leads, of three, again and again. Timed: from the kill to the first answer, at any manager that
 * is left, to a command that was begun after it. Each manager begins one every 10 ms all the while. The killed one is
 * brought back, and has caught up, before the next kill.
 */
export async function measureLeaderKills(machines: Machines, kills: number): Promise<Times> {
  const living: Machine[] = [...(await machines.managers(3))];
  await living[0]?.call('create', SERVICE, 'none', 0);
  for (const manager of living) await manager.call('probe', SERVICE);
  const times: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const leader = await leaderOf(living);
    const left = living.filter((manager) => manager !== leader);
    const at = sharedNow();
    leader.signal('SIGKILL');
    times.push((await Promise.race(left.map((each) => each.call<number>('firstSince', at)))) - at);
    await leader.exited;
    const back = await machines.start(leader.id);
    await back.become({ how: 'start' });
    const [one] = left;
    await back.call('applied', await one?.call('index'));
    await back.call('probe', SERVICE);
    living.splice(living.indexOf(leader), 1, back);
  }
  return timesOf(times);
}
