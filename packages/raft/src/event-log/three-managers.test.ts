import { describe, expect, it } from 'vitest';
import { ThreeManagers } from './test-support/three-managers.ts';

describe('three managers on one log', () => {
  it('given a follower, then it reads and watches, and refuses commands naming who leads', async () => {
    const managers = await ThreeManagers.opened(41);
    const [leader] = await managers.leader();
    const [[, follower] = expect.fail('nobody follows')] = await managers.followers();
    const seen: string[] = [];
    const watch = follower.watch({ kind: 'service' }).subscribe((change) => {
      if ('object' in change && change.object !== undefined) seen.push(change.object.spec.name);
    });
    const acknowledged = await managers.load('web', 3);
    await managers.converged();
    expect(acknowledged).toEqual(['web-0', 'web-1', 'web-2']);
    expect([...new Set(seen)]).toEqual(acknowledged);
    await expect(
      managers.members.clock.run(follower.services.create({ name: 'no', task: { image: 'web' } })),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'not-leader', leader, retryable: true });
    expect(await managers.converged()).toEqual(acknowledged);
    watch.unsubscribe();
    await managers.close();
  });

  it.each([42, 43, 44])(
    'given seed %i, when leaders die one after the other under load, then nothing acknowledged is lost and all agree',
    async (seed) => {
      const managers = await ThreeManagers.opened(seed);
      const acknowledged: string[] = [];
      for (let round = 0; round < 4; round++) {
        const [leader, cluster] = await managers.leader();
        acknowledged.push(...(await managers.load(`before-${round}`, 2)));
        const inFlight = Array.from({ length: 5 }, (_, at) => {
          const name = `amid-${round}-${at}`;
          return cluster.services.create({ name, task: { image: 'web' } }).then(
            () => name,
            (error: { readonly code: string }) => ({ code: error.code }),
          );
        });
        await managers.kill(leader);
        const outcomes = await managers.members.clock.run(Promise.all(inFlight));
        for (const outcome of outcomes) {
          if (typeof outcome === 'string') acknowledged.push(outcome);
          else expect(['OUTCOME_UNKNOWN', 'UNAVAILABLE', 'CLOSED']).toContain(outcome.code);
        }
        acknowledged.push(...(await managers.load(`after-${round}`, 2)));
        await managers.members.clock.run(managers.start(leader));
      }
      expect(await managers.converged()).toEqual(expect.arrayContaining(acknowledged));
      expect(acknowledged.length).toBeGreaterThanOrEqual(16);
      await managers.close();
    },
  );
});
