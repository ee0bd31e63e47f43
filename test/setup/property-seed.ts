/**
 * Every property test runs on the same cases each time, so that a run says what is true of the sources and not of that
 * day's chance. `SKEP_PROPERTY_SEED` explores further: `random`, or a seed to run again. See docs/testing.md.
 */

import fc from 'fast-check';

/** What `npm test` decides on. */
const COMMITTED_SEED = 20_251_201;

const asked = process.env['SKEP_PROPERTY_SEED'];

// Without a seed fast-check draws one for each property, and prints it with what it found.
if (asked !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: seedOf(asked) });

function seedOf(text: string | undefined): number {
  if (text === undefined || text === '') return COMMITTED_SEED;
  const seed = Number(text);
  // The bounds of fast-check, which would cut anything else to 32 bits without a word.
  if (!Number.isInteger(seed) || seed !== (seed | 0)) {
    throw new Error(`SKEP_PROPERTY_SEED has to be "random" or a whole number of 32 bits, and is "${text}"`);
  }
  return seed;
}
