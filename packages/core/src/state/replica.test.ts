import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeTransaction, UnreadableEventError } from '../events/codec.ts';
import type { Transaction } from '../events/event.ts';
import type { Entry } from '../log/event-log.ts';
import { asId, type TaskId } from '../model/ids.ts';
import { anyHistory } from '../testing/histories.ts';
import type { ChangeSet } from './change.ts';
import { ClusterState } from './cluster-state.ts';
import { evolve } from './evolve/evolve.ts';
import { type Prepared, Replica } from './replica.ts';
import { snapshotChunks } from './snapshot.ts';
import { InconsistentEventError } from './state-draft.ts';

const entryOf = (transaction: Transaction): Entry => ({
  position: transaction.index * 3,
  epoch: 1,
  sequence: transaction.index,
  at: transaction.at,
  payload: encodeTransaction(transaction),
});

async function* stream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

test('given any history, when one member adopts what it prepared and another evolves it, then both hold the same', () => {
  fc.assert(
    fc.property(anyHistory(), (history) => {
      const leader = new Replica();
      const follower = new Replica();
      const told: Record<'leader' | 'follower', ChangeSet[]> = { leader: [], follower: [] };
      leader.onCommit((changes) => told.leader.push(changes));
      follower.onCommit((changes) => told.follower.push(changes));
      const prepared = new Map<number, Prepared>();
      let head = ClusterState.empty;
      for (const transaction of history) {
        const next = evolve(head, transaction);
        prepared.set(transaction.index, next);
        head = next.state;
      }
      leader.takePreparedFrom((entry) => prepared.get(entry.sequence));
      for (const transaction of history) {
        leader.apply(entryOf(transaction));
        follower.apply(entryOf(transaction));
      }
      expect(leader.state).toBe(head);
      expect(leader.digest()).toBe(follower.digest());
      expect(leader.position).toBe(follower.position);
      deepStrictEqual(told.leader, told.follower);
    }),
    { numRuns: 60 },
  );
});

test('given any history, when nobody hears of it, then the state is the same whenever it is looked at', () => {
  fc.assert(
    fc.property(anyHistory(), fc.array(fc.boolean(), { minLength: 1 }), (history, looks) => {
      const heard = new Replica();
      const unheard = new Replica();
      const forgets = { heard: 0, unheard: 0 };
      heard.onCommit(() => {});
      heard.onForget(() => {
        forgets.heard += 1;
      });
      unheard.onForget(() => {
        forgets.unheard += 1;
      });
      const seen: { readonly state: ClusterState; readonly expected: ClusterState }[] = [];
      for (const [number, transaction] of history.entries()) {
        heard.apply(entryOf(transaction));
        unheard.apply(entryOf(transaction));
        expect(unheard.position).toBe(heard.position);
        if (looks[number % looks.length]) seen.push({ state: unheard.state, expected: heard.state });
      }
      expect(unheard.digest()).toBe(heard.digest());
      expect(forgets.unheard).toBe(forgets.heard);
      for (const { state, expected } of seen) expect(digestOf(state)).toBe(digestOf(expected));
    }),
    { numRuns: 60 },
  );
});

test('given entries that nobody heard of, when one does not fit, then the state stays that before them', () => {
  const replica = new Replica();
  const event = { type: 'task.removed', ids: [asId<TaskId>('gone')] } as const;
  const wrong: Transaction = { index: 2, at: 1, actor: { kind: 'user' }, events: [event] };
  const sound: Transaction = { ...wrong, index: 1, events: [] };
  replica.apply(entryOf(sound));
  expect(replica.state.index).toBe(1);
  expect(() => replica.apply(entryOf(wrong))).toThrow(InconsistentEventError);
  expect([replica.state.index, replica.position]).toEqual([1, 3]);
});

describe('given a replica', () => {
  const [first, second] =
    fc
      .sample(anyHistory({ maxTransactions: 30 }), { seed: 7, numRuns: 20 })
      .sort((a, b) => b.length - a.length)[0] ?? [];
  if (!first || !second) throw new Error('the sample is too short');

  test('when a snapshot was taken, then it stays what it was while more is applied, until it is released', async () => {
    const replica = new Replica();
    replica.apply(entryOf(first));
    const capture = replica.capture();
    const digest = replica.digest();
    replica.apply(entryOf(second));
    const copy = new Replica();
    await copy.restore(capture.position, stream(capture.chunks()));
    expect(copy.digest()).toBe(digest);
    expect(copy.position).toBe(3);
    copy.apply(entryOf(second));
    expect(copy.digest()).toBe(replica.digest());
    capture.release();
    capture.release();
  });

  test('when a snapshot that is cut short is restored, then it is refused and the old state stays', async () => {
    const replica = new Replica();
    replica.apply(entryOf(first));
    const before = replica.state;
    let restored = 0;
    replica.onRestore(() => {
      restored += 1;
    });
    const cut = stream((async function* () {})());
    await expect(replica.restore(9, cut)).rejects.toBeInstanceOf(UnreadableEventError);
    expect(replica.state).toBe(before);
    expect(replica.position).toBe(3);
    expect(restored).toBe(0);
  });

  test('when it stops taking what was prepared, then it evolves by itself', () => {
    const replica = new Replica();
    const stop = replica.takePreparedFrom(() => {
      throw new Error('must not be asked');
    });
    stop();
    replica.apply(entryOf(first));
    expect(replica.state.index).toBe(1);
  });

  test('when another has begun to prepare, then the end of the one before does not stop it', () => {
    const replica = new Replica();
    const prepared = evolve(ClusterState.empty, first);
    const stopOld = replica.takePreparedFrom(() => undefined);
    replica.takePreparedFrom(() => prepared);
    stopOld();
    replica.apply(entryOf(first));
    expect(replica.state).toBe(prepared.state);
  });
});

/** Everything that a state holds, as text. */
function digestOf(state: ClusterState): string {
  return [...snapshotChunks(state)].map((chunk) => Buffer.from(chunk).toString('base64')).join();
}
