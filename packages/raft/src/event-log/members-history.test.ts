import type { HistoryEvent } from '@skep/core';
import { seededRandom } from '@skep/core';
import { FileHistoryStore, SimulatedDisk } from '@skep/core/file';
import { describe, expect, it } from 'vitest';
import { ThreeManagers } from './test-support/three-managers.ts';

const key = () => ({ id: 'test', key: new Uint8Array(32).fill(7) });
const keyProvider = { currentKey: async () => key(), keyById: async () => key().key };

/** Three managers, each with a history on a disk of its own that outlives it. */
function withHistories(seed: number) {
  const disks = new Map(['a', 'b', 'c'].map((id, at) => [id, new SimulatedDisk(seededRandom(seed + at))]));
  let salts = seed;
  return ThreeManagers.opened(seed, (id) => {
    salts += 10;
    const disk = disks.get(id) ?? expect.fail('there is no such member');
    const store = new FileHistoryStore({ dir: '/history', disk, keyProvider, random: seededRandom(salts) });
    return { history: { store, checkpointEvery: 20 } };
  });
}

async function all(events: AsyncIterable<HistoryEvent>): Promise<HistoryEvent[]> {
  const found: HistoryEvent[] = [];
  for await (const event of events) found.push(event);
  return found;
}

describe('the history of three managers on one log', () => {
  it('given leaders that come and go, then each member tells the same story and the same past', async () => {
    const managers = await withHistories(51);
    const { clock } = managers.members;
    await managers.load('first', 8);
    const [leader] = await managers.leader();
    await managers.kill(leader);
    await managers.load('second', 8);
    await clock.run(managers.start(leader));
    await managers.converged();
    const members = [...managers.open.values()];
    const stories = [];
    for (const member of members)
      stories.push(await clock.run(all(member.history({ service: 'first-3', tasks: true }))));
    expect(stories[0]?.[0]).toMatchObject({
      type: 'service.created',
      action: 'created',
      actor: { kind: 'user' },
    });
    expect(stories[0]?.length).toBeGreaterThan(3);
    for (const story of stories) expect(story).toEqual(stories[0]);
    const newest = members[0]?.health.index ?? 0;
    for (const index of [1, 7, 20, 21, newest - 1, newest]) {
      const pasts = [];
      for (const member of members) pasts.push(await clock.run(member.at(index)));
      for (const past of pasts) {
        expect([past.index, past.services.list(), past.tasks.list()]).toEqual([
          index,
          pasts[0]?.services.list(),
          pasts[0]?.tasks.list(),
        ]);
      }
    }
    await managers.close();
  });
});
