import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { score } from './rendezvous.ts';
import { TargetPool } from './target-pool.ts';

const clock = { at: 0, monotonic: () => clock.at };
const targets = (...ids: string[]) => ids.map((id, at) => ({ id, host: '127.0.0.1', port: 1_000 + at }));

function poolOf(balance: 'round-robin' | 'least-connections', ...ids: string[]): TargetPool {
  const pool = new TargetPool(balance, clock);
  pool.update(targets(...ids), balance);
  return pool;
}

describe('given a pool of targets', () => {
  it('when connections come in turn, then each target gets the next one', () => {
    const pool = poolOf('round-robin', 'a', 'b', 'c');
    expect([0, 1, 2, 3].map(() => pool.acquire()?.id)).toEqual(['a', 'b', 'c', 'a']);
  });

  it('when one has fewer connections, then it gets the next one, also after an update', () => {
    const pool = poolOf('least-connections', 'a', 'b');
    const [first, second, third] = [pool.acquire(), pool.acquire(), pool.acquire()];
    expect([first?.id, second?.id, third?.id]).toEqual(['a', 'b', 'a']);
    pool.update(targets('a', 'b', 'c'), 'least-connections');
    expect([pool.acquire()?.id, pool.acquire()?.id]).toEqual(['c', 'b']);
    if (first && third) for (const each of [first, third]) pool.release(each);
    expect(pool.acquire()?.id).toBe('a');
  });

  it('when one can not be reached, then it is passed over for a second, unless it is the only one left', () => {
    const pool = poolOf('least-connections', 'a', 'b');
    const failed = pool.acquire();
    if (failed) pool.avoid(failed);
    expect(pool.acquire()?.id).toBe('b');
    expect(pool.acquire()?.id).toBe('b');
    expect(pool.acquire({ except: new Set(['b']) })?.id).toBe('a');
    expect(pool.acquire({ except: new Set(['a', 'b']) })).toBeUndefined();
    clock.at += 1_001;
    expect(pool.acquire()?.id).toBe('a');
  });

  it('when a client comes again, then it gets the same target; when another leaves, too', () => {
    const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(ids, fc.ipV4(), fc.nat(), (all, client, which) => {
        const pool = poolOf('round-robin', ...all);
        const before = pool.acquire({ client })?.id;
        const leaver = all[which % all.length];
        pool.update(targets(...all.filter((id) => id !== leaver)), 'round-robin');
        const after = pool.acquire({ client })?.id;
        if (leaver === before) expect(after).not.toBe(before);
        else expect(after).toBe(before);
      }),
    );
  });

  it('when a thousand clients come, then rendezvous hashing spreads them evenly', () => {
    const pool = poolOf('round-robin', 'web.1', 'web.2', 'web.3', 'web.4');
    const counts = new Map<string, number>();
    for (let client = 0; client < 1_000; client++) {
      const id = pool.acquire({ client: `10.0.${client >> 8}.${client & 255}` })?.id ?? '';
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 250)).toBeLessThan(60);
    expect(score('a', 'bc')).not.toBe(score('ab', 'c'));
  });

  it('when a client brings a token, then it gets that target, if it still takes traffic', () => {
    const pool = poolOf('round-robin', 'a', 'b');
    const token = TargetPool.tokenOf({ id: 'b' });
    expect([pool.acquire({ token })?.id, pool.acquire({ token })?.id]).toEqual(['b', 'b']);
    pool.update(targets('a'), 'round-robin');
    expect(pool.acquire({ token })?.id).toBe('a');
  });
});
