/** A process that runs the seeds it is sent, one after the other, and sends back what came of each. */

import type { SeedRun } from './run-seed.ts';
import { runSeed } from './run-seed.ts';

process.on('message', async (run: SeedRun) => {
  const { seed, violation, violatedAt, steps, ticks, tally } = await runSeed(run);
  process.send?.({ seed, violation, violatedAt, steps, ticks, counts: [...tally.entries()] });
});
