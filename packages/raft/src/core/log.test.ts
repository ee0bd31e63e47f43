import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RaftError } from './errors.ts';
import { ReplicatedLog } from './log.ts';
import { configurationOf } from './membership.ts';
import type { Entry, LogIndex, Term } from './types.ts';

function empty(index: LogIndex, term: Term): Entry {
  return { kind: 'empty', index, term };
}

function entriesOf(terms: readonly Term[], after = 0): Entry[] {
  return terms.map((term, at) => empty(after + 1 + at, term));
}

function logOf(...terms: Term[]): ReplicatedLog {
  return new ReplicatedLog({ hardState: { term: 9, commit: 0 }, entries: entriesOf(terms) });
}

function termsOf(log: ReplicatedLog): (Term | undefined)[] {
  return Array.from({ length: log.lastIndex }, (_, at) => log.termAt(at + 1));
}

const terms = fc.array(fc.nat(2), { maxLength: 12 }).map((steps) => {
  let term = 1;
  return steps.map((step) => {
    term += step;
    return term;
  });
});

describe('the log', () => {
  test('given matching entries and more behind them, when an older part arrives, then nothing is cut', () => {
    const log = logOf(1, 1, 2, 2);
    expect(log.merge(entriesOf([1, 2], 1))).toBeUndefined();
    expect(termsOf(log)).toEqual([1, 1, 2, 2]);
  });

  test('given a conflict, when entries arrive, then the log is rewritten from the conflict on', () => {
    const log = logOf(1, 1, 2, 2);
    expect(log.merge(entriesOf([1, 3], 1))).toBe(3);
    expect(termsOf(log)).toEqual([1, 1, 3]);
  });

  test('given a committed entry, when another would take its place, then that is a broken invariant', () => {
    const log = logOf(1, 1);
    log.commitTo(2);
    expect(() => log.merge(entriesOf([2], 1))).toThrow(RaftError);
    expect(termsOf(log)).toEqual([1, 1]);
  });

  test('given a configuration that is cut away, then the one before is in force again', () => {
    const log = new ReplicatedLog({
      hardState: { term: 1, commit: 0 },
      snapshot: { index: 0, term: 0, configuration: configurationOf(['a']) },
      entries: [],
    });
    log.append({ kind: 'configuration', index: 1, term: 1, configuration: configurationOf(['a', 'b']) });
    expect(log.configuration.voters).toEqual(['a', 'b']);
    log.merge([empty(1, 2)]);
    expect(log.configuration.voters).toEqual(['a']);
    expect(log.configurationIndex).toBe(0);
  });

  test('given any two logs, when one asks the other where they agree, then few questions find the last such place', () => {
    fc.assert(
      fc.property(terms, terms, fc.nat(12), (leaderTerms, followerTerms, shared) => {
        // Two logs of one cluster agree up to some place, and nowhere after it.
        const common = leaderTerms.slice(0, shared);
        const last = common[common.length - 1] ?? 0;
        const own = followerTerms.map((term) => term + last + 50);
        const leader = logOf(...leaderTerms);
        const follower = logOf(...common, ...own);
        let prev = leader.lastIndex;
        let questions = 1;
        while (follower.termAt(prev) !== leader.termAt(prev)) {
          const hint = follower.agreementBefore(prev, leader.termAt(prev) ?? 0);
          const next = leader.agreementBefore(hint.index, hint.term).index;
          prev = Math.min(prev - 1, next);
          questions++;
        }
        expect(prev).toBeGreaterThanOrEqual(Math.min(common.length, leader.lastIndex));
        expect(questions).toBeLessThanOrEqual(new Set([...leaderTerms, ...own]).size + 2);
      }),
    );
  });

  test('given a log, when it is compacted, then what is behind the reserve stays, with the term before it', () => {
    const log = logOf(1, 1, 2, 3);
    log.commitTo(4);
    log.appliedTo(3);
    log.compact({ index: 3, term: 2, configuration: configurationOf(['a']) }, 2);
    expect(log.firstIndex).toBe(3);
    expect(log.termAt(2)).toBe(1);
    expect(log.termAt(1)).toBeUndefined();
    expect(log.termAt(3)).toBe(2);
    expect(log.snapshot?.index).toBe(3);
  });

  test('given a limit in bytes, when entries are taken, then at least one is, and no more than fit', () => {
    const payload = new Uint8Array(100);
    const log = logOf();
    for (let index = 1; index <= 3; index++) log.append({ kind: 'command', index, term: 1, payload });
    expect(log.slice(1, 3, 10, 9)).toHaveLength(1);
    expect(log.slice(1, 3, 240, 9)).toHaveLength(2);
    expect(log.slice(1, 3, 1000, 2)).toHaveLength(2);
    expect(log.slice(2, 3, 1000, 9).map((entry) => entry.index)).toEqual([2, 3]);
  });

  test.each([
    ['a gap', [empty(1, 1), empty(3, 1)]],
    ['a term that falls', [empty(1, 2), empty(2, 1)]],
    ['entries that begin too late', [empty(2, 1)]],
  ])('given %s on disk, when a member starts, then it refuses', (_, entries) => {
    expect(() => new ReplicatedLog({ hardState: { term: 2, commit: 0 }, entries })).toThrow(
      expect.objectContaining({ code: 'invalid-stored-state' }),
    );
  });

  test('given a commit hint behind the last entry, as a torn write may leave, then only what is there is committed', () => {
    const log = new ReplicatedLog({ hardState: { term: 1, commit: 7 }, entries: entriesOf([1, 1]) });
    expect(log.committed).toBe(2);
  });
});
