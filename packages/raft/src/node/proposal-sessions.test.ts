import { describe, expect, it } from 'vitest';
import type { ProposalIdentity } from './command-envelope.ts';
import { unwrap, wrapBare, wrapIdentified } from './command-envelope.ts';
import { ProposalSessions, SESSION_KEPT_ENTRIES } from './proposal-sessions.ts';

function identity(number: number, rest: Partial<ProposalIdentity> = {}): ProposalIdentity {
  return { session: 'a:1', number, settled: 1, base: 0, ...rest };
}

describe('sessions of proposals', () => {
  it('given a proposal twice, then the second is known, and where the first was applied', () => {
    const sessions = new ProposalSessions();
    expect(sessions.admit(5, identity(1))).toEqual({ kind: 'new' });
    expect(sessions.admit(6, identity(2))).toEqual({ kind: 'new' });
    expect(sessions.admit(7, identity(1))).toEqual({ kind: 'applied-before', index: 5 });
  });

  it('given a number that its proposer has settled, then it is refused, remembered or not', () => {
    const sessions = new ProposalSessions();
    for (let number = 1; number <= 1000; number++) {
      sessions.admit(number, identity(number, { settled: Math.max(1, number - 5) }));
    }
    expect(sessions.admit(2000, identity(994))).toEqual({ kind: 'expired' });
    expect(sessions.admit(2001, identity(3))).toEqual({ kind: 'expired' });
    expect(sessions.admit(2002, identity(997))).toEqual({ kind: 'applied-before', index: 997 });
  });

  it('given a session that was silent for long, then it is forgotten, and its late proposals are refused', () => {
    const sessions = new ProposalSessions();
    sessions.admit(1, identity(1));
    const late = 2 * SESSION_KEPT_ENTRIES;
    sessions.passed(late);
    expect(sessions.size).toBe(0);
    expect(sessions.admit(late + 1, identity(1))).toEqual({ kind: 'expired' });
    expect(sessions.admit(late + 2, identity(1, { base: late }))).toEqual({ kind: 'new' });
  });

  it('given a table in a snapshot, then the one that reads it decides alike', () => {
    const sessions = new ProposalSessions();
    for (let number = 1; number <= 50; number++) sessions.admit(number, identity(number, { settled: 10 }));
    const copy = new ProposalSessions();
    copy.decode(sessions.encode());
    for (const number of [5, 10, 50, 51]) {
      expect(copy.admit(100, identity(number))).toEqual(sessions.admit(100, identity(number)));
    }
    expect(copy.encode()).toEqual(sessions.encode());
  });

  it('given bytes that are no table, then they are refused', () => {
    const sessions = new ProposalSessions();
    sessions.admit(1, identity(1));
    expect(() => sessions.decode(Uint8Array.of(0x91, 0x01))).toThrow(
      expect.objectContaining({ code: 'corrupt-snapshot' }),
    );
    expect(sessions.size).toBe(1);
  });
});

describe('envelopes of commands', () => {
  it('then they give back what was wrapped', () => {
    const payload = Uint8Array.of(1, 2, 3);
    const whole = identity(7, { session: 'ä:9', settled: 3, base: 2 ** 40 });
    expect(unwrap(wrapIdentified(whole, payload))).toEqual({ identity: whole, payload });
    expect(unwrap(wrapBare(payload, Uint8Array.of(4)))).toEqual({
      identity: undefined,
      payload: Uint8Array.of(1, 2, 3, 4),
    });
  });

  it('given another layout, then it is refused', () => {
    expect(() => unwrap(Uint8Array.of(9, 9))).toThrow(expect.objectContaining({ code: 'failed' }));
    expect(() => wrapIdentified(identity(1, { session: 'x'.repeat(256) }), new Uint8Array(0))).toThrow(/255/);
  });
});
