import { describe, expect, test } from 'vitest';
import { configurationOf } from './membership.ts';
import { resolveOptions } from './options.ts';
import { RaftCore } from './raft.ts';
import { forceNewCluster } from './recovery.ts';
import type { MemberId, StoredState } from './types.ts';

const random = { next: () => 0.5 };

function storedOf(...voters: MemberId[]): StoredState {
  return {
    hardState: { term: 0, commit: 0 },
    snapshot: { index: 0, term: 0, configuration: configurationOf(voters) },
    entries: [],
  };
}

function start(id: MemberId, stored: StoredState): RaftCore {
  return new RaftCore({ id, random, stored });
}

/** Does what a driver with an instant disk would do. */
function settle(core: RaftCore): void {
  for (let ready = core.takeReady(); ready !== undefined; ready = core.takeReady()) {
    if (ready.persist !== undefined) core.persisted(ready.persist.sequence);
    const last = ready.apply[ready.apply.length - 1];
    if (last !== undefined) core.applied(last.index);
  }
}

describe('the core', () => {
  test('given nothing to do, when work is taken, then there is none', () => {
    const core = start('a', storedOf('a', 'b'));
    expect(core.takeReady()?.roleChange).toEqual({ role: 'follower', term: 0 });
    expect(core.takeReady()).toBeUndefined();
    core.tick();
    expect(core.takeReady()).toBeUndefined();
  });

  test('given the same inputs, when two cores take them, then they ask for the same', () => {
    const outputs = ['x', 'y'].map(() => {
      const core = start('a', storedOf('a', 'b', 'c'));
      const asked: unknown[] = [];
      for (let tick = 0; tick < 200; tick++) {
        core.tick();
        const ready = core.takeReady();
        if (ready?.persist !== undefined) core.persisted(ready.persist.sequence);
        asked.push(ready);
      }
      return asked;
    });
    expect(outputs[0]).toEqual(outputs[1]);
  });

  test('given a message for somebody else, when it arrives, then it is ignored, and nothing changes', () => {
    const core = start('a', storedOf('a', 'b'));
    const before = core.status;
    const vote = { type: 'vote-request', term: 5, lastIndex: 0, lastTerm: 0, transfer: false } as const;
    expect(core.step({ ...vote, from: 'b', to: 'c' })).toBe(false);
    expect(core.step({ ...vote, from: 'a', to: 'a' })).toBe(false);
    expect(core.status).toEqual(before);
  });

  test('given two leaders in one term, when one hears the other, then it stops rather than go on', () => {
    const core = start('a', storedOf('a'));
    core.campaign();
    settle(core);
    core.changeConfiguration([{ kind: 'add-learner', member: 'b' }]);
    expect(core.status.role).toBe('leader');
    expect(() =>
      core.step({ type: 'heartbeat', from: 'b', to: 'a', term: 1, commit: 0, round: 0, sent: 0 }),
    ).toThrow(expect.objectContaining({ code: 'invariant-violated' }));
  });

  test('given entries that were not handed out, when they are reported as applied, then that is refused', () => {
    expect(() => start('a', storedOf('a')).applied(1)).toThrow(
      expect.objectContaining({ code: 'invalid-report' }),
    );
  });

  test('given one survivor of three, when a new cluster is forced, then it leads alone with all that it held', () => {
    const lost: StoredState = {
      ...storedOf('a', 'b', 'c'),
      hardState: { term: 4, commit: 1 },
      entries: [
        { kind: 'empty', index: 1, term: 4 },
        { kind: 'command', index: 2, term: 4, payload: new Uint8Array([7]) },
      ],
    };
    const core = start('b', forceNewCluster(lost, 'b'));
    core.campaign();
    settle(core);
    const { role, committed, configuration } = core.status;
    expect(role).toBe('leader');
    expect(committed).toBe(4);
    expect(configuration.voters).toEqual(['b']);
    expect(configuration.removed).toEqual(['a', 'c']);
    expect(core.changeConfiguration([{ kind: 'add-voter', member: 'a' }])).toMatchObject({
      reason: 'invalid',
    });
  });

  test('given a stranger, when it would force a new cluster, then that is refused', () => {
    expect(() => forceNewCluster(storedOf('a', 'b'), 'z')).toThrow(
      expect.objectContaining({ code: 'invalid-stored-state' }),
    );
  });
});

describe('the options', () => {
  test.each([
    ['heartbeatTicks', { heartbeatTicks: 0 }],
    ['heartbeatTicks', { heartbeatTicks: 50 }],
    ['electionTicksMax', { electionTicksMax: 49 }],
    ['campaignTicksMax', { campaignTicksMin: 30 }],
    ['leaseTicks', { leaseTicks: 49 }],
    ['appendBytesMax', { appendBytesMax: 1.5 }],
    ['uncommittedBytesMax', { uncommittedBytesMax: Number.NaN }],
  ])('given a bad %s, when a core is made, then the error names it', (name, options) => {
    expect(() => resolveOptions(options)).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(name) }),
    );
  });
});
