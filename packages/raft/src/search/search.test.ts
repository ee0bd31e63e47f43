import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { MUTANTS, plant } from '../../mutants/index.ts';
import type { SearchBounds, SearchBudgets, StartName } from './bounds.ts';
import { DEFAULT_BUDGETS } from './bounds.ts';
import { search } from './search.ts';

/** Nothing happens that is not named. */
function within(start: StartName, depth: number, budgets: Partial<SearchBudgets>): SearchBounds {
  const none = Object.fromEntries(Object.keys(DEFAULT_BUDGETS).map((name) => [name, 0]));
  return { start, depth, statesMax: 20_000, budgets: { ...DEFAULT_BUDGETS, ...none, ...budgets } };
}

describe('a search over the shipped core', () => {
  test.each([
    within('nothing', 5, { timeouts: 2, stalls: 1, crashes: 1 }),
    within('led', 6, { timeouts: 1, proposals: 1, reads: 1 }),
    within('joint', 8, { proposals: 1, repeats: 1 }),
    within('led', 3, DEFAULT_BUDGETS),
  ])('given $start and few events, when every order is tried, then no rule is broken', (bounds) => {
    const report = search(bounds);
    expect(report.violation).toBeUndefined();
    expect(report.states).toBeGreaterThan(100);
  });

  test('given so few events that they run out, when every order is tried, then the search ends by itself', () => {
    const report = search(within('led', 40, { proposals: 1 }));
    expect(report.kind).toBe('exhausted');
    expect(report.widths.at(-1)).toBe(0);
  });

  test('given the same bounds twice, when they are searched, then the same is found', () => {
    const bounds = within('led', 4, { timeouts: 1, crashes: 1, losses: 1 });
    expect(search(bounds)).toEqual(search(bounds));
  });
});

/** Planted bugs, with bounds in which the search finds them, and the most events that the shortest way takes. */
const FOUND: readonly (readonly [string, SearchBounds, number])[] = [
  ['a vote is told before it is on disk', within('nothing', 5, { timeouts: 1, stalls: 1 }), 4],
  ['votes are asked for before the term is on disk', within('nothing', 4, { timeouts: 1, stalls: 1 }), 4],
  ['a leader counts itself before its disk has the entry', within('led', 6, { proposals: 1, stalls: 1 }), 4],
  [
    'a late message cuts off entries that match',
    within('led', 8, { proposals: 2, repeats: 1, overtakings: 1 }),
    8,
  ],
  ['a learner is counted for commits', within('led', 12, { changes: 1, proposals: 1 }), 12],
  ['half of a joint quorum is dropped for commits', within('joint', 8, {}), 6],
  ['a read is served without asking anyone', within('led', 11, { timeouts: 2, reads: 1 }), 10],
  ['entries are applied before they are on disk', within('led', 6, { proposals: 1, stalls: 1 }), 6],
];

describe('a search over a core with a planted bug', () => {
  test.each(FOUND)(
    'given that %s, when every order is tried, then a short way to it is found',
    async (name, bounds, most) => {
      const mutant = MUTANTS.find((candidate) => candidate.name === name);
      if (mutant === undefined) throw new Error(`no such bug: ${name}`);
      const folder = await mkdtemp(join(tmpdir(), 'raft-search-'));
      try {
        await plant(mutant, folder);
        const load = pathToFileURL(join(folder, 'src', 'search', 'search.ts')).href;
        const patched: { readonly search: typeof search } = await import(/* @vite-ignore */ load);
        const report = patched.search(bounds);
        expect(report.violation).toBeDefined();
        expect(report.trace?.length).toBeLessThanOrEqual(most);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});
