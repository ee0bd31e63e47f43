import { describe, expect, test } from 'vitest';
import { ReplicatedLog } from './log.ts';
import { Persistence } from './persistence.ts';
import type { Entry } from './types.ts';

const hardState = { term: 1, commit: 0 };

function empty(index: number, term: number): Entry {
  return { kind: 'empty', index, term };
}

function begin(): { log: ReplicatedLog; persistence: Persistence } {
  return { log: new ReplicatedLog({ hardState, entries: [] }), persistence: new Persistence(hardState, 0) };
}

describe('persistence', () => {
  test('given two batches under way, when the second is reported, then both are durable', () => {
    const { log, persistence } = begin();
    log.append(empty(1, 1));
    persistence.take(log, 1, undefined, []);
    log.append(empty(2, 1));
    const second = persistence.take(log, 1, undefined, []);
    expect(second?.entries.map((entry) => entry.index)).toEqual([2]);
    persistence.persisted(second?.sequence ?? 0);
    expect(persistence.durableIndex).toBe(2);
    expect(persistence.isSettled).toBe(true);
  });

  test('given a batch whose entries were overwritten meanwhile, when it is reported, then it counts for none of them', () => {
    const { log, persistence } = begin();
    log.append(empty(1, 1));
    log.append(empty(2, 1));
    const first = persistence.take(log, 1, undefined, []);
    const cut = log.merge([empty(2, 3)]);
    persistence.truncated(cut ?? 0);
    const second = persistence.take(log, 3, undefined, []);
    persistence.persisted(first?.sequence ?? 0);
    expect(persistence.durableIndex).toBe(1);
    expect(persistence.durableTerm).toBe(1);
    persistence.persisted(second?.sequence ?? 0);
    expect(persistence.durableIndex).toBe(2);
    expect(persistence.durableTerm).toBe(3);
  });

  test('given a batch that was never handed out, when it is reported, then that is refused', () => {
    const { persistence } = begin();
    expect(() => persistence.persisted(1)).toThrow(expect.objectContaining({ code: 'invalid-report' }));
  });
});
