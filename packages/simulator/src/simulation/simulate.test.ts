import { describe, expect, it } from 'vitest';
import { PLANTED_BUGS } from './planted-bugs.ts';
import { simulate } from './simulate.ts';

/** Seeds that were hard once, and some more. `npm run sim` runs as many as you like. */
const SEEDS = [1, 35, 100, 1237, 3074, 30003, 31055];

/** Virtual time costs real time on a busy machine. */
const TIMEOUT_MS = 120_000;

/** Within so many seeds each planted bug must be noticed. */
const SEEDS_TO_NOTICE = 12;

describe('given users at work while managers, workers and the network fail', () => {
  it.each(SEEDS)(
    'when seed %i is simulated, then no rule is broken',
    async (seed) => {
      const { violation, trace } = await simulate({ seed });
      expect(violation, trace.slice(-40).join('\n')).toBeUndefined();
    },
    TIMEOUT_MS,
  );

  it(
    'when a seed is simulated twice, then both runs are the same',
    async () => {
      const first = await simulate({ seed: 5, steps: 20 });
      const second = await simulate({ seed: 5, steps: 20 });
      expect(second.trace).toEqual(first.trace);
      expect(second.traceHash).toBe(first.traceHash);
    },
    TIMEOUT_MS,
  );
});

describe('given a planted bug', () => {
  it.each(PLANTED_BUGS)(
    'when $name, then the simulation notices',
    async ({ plant, breaks }) => {
      const found: string[] = [];
      for (let seed = 1; seed <= SEEDS_TO_NOTICE; seed++) {
        const { violation } = await simulate({ seed, bug: plant() });
        if (violation === undefined) continue;
        if (breaks.test(violation)) return;
        found.push(violation);
      }
      expect.fail(`not noticed in ${SEEDS_TO_NOTICE} seeds, but ${found.join('; ')}`);
    },
    TIMEOUT_MS,
  );
});
