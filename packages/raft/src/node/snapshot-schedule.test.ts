import { describe, expect, test } from 'vitest';
import { SnapshotSchedule } from './snapshot-schedule.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** A schedule of a node whose snapshots have so many bytes, and how many it has taken. */
function aSchedule(settings: { snapshotEntries?: number; snapshotBytes?: number }, stateBytes: number) {
  let taken = 0;
  let newestBytes = 0;
  let index = 0;
  const schedule = new SnapshotSchedule({
    settings: { snapshotEntries: 0, snapshotBytes: 0, ...settings },
    take: () => {
      taken += 1;
      newestBytes = stateBytes;
      return Promise.resolve();
    },
    newestBytes: () => newestBytes,
    onFailure: (error) => {
      throw error;
    },
  });
  const apply = async (count: number, bytes: number) => {
    for (let n = 0; n < count; n++) {
      index += 1;
      schedule.applied({ kind: 'command', index, term: 1, payload: new Uint8Array(bytes) });
      schedule.consider();
      await Promise.resolve();
    }
    return taken;
  };
  return { apply };
}

describe('given a node that takes a snapshot after ten entries', () => {
  test('when the state is small, then it does so after each ten', async () => {
    const { apply } = aSchedule({ snapshotEntries: 10 }, 100 * KIB);
    expect(await apply(9, 10)).toBe(0);
    expect(await apply(1, 10)).toBe(1);
    expect(await apply(9, 10)).toBe(1);
    expect(await apply(1, 10)).toBe(2);
  });

  test('when the state is large, then only once the log has about as many bytes as the last snapshot', async () => {
    const { apply } = aSchedule({ snapshotEntries: 10 }, 5 * MIB);
    expect(await apply(10, 100 * KIB)).toBe(1);
    expect(await apply(40, 100 * KIB)).toBe(1);
    expect(await apply(1, 100 * KIB)).toBe(2);
  });

  test('when the bytes alone are reason enough, then the size of the state does not matter', async () => {
    const { apply } = aSchedule({ snapshotEntries: 10, snapshotBytes: 2 * MIB }, 50 * MIB);
    expect(await apply(10, 100 * KIB)).toBe(1);
    expect(await apply(21, 100 * KIB)).toBe(2);
  });
});
