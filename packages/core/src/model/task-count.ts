/** Counts of tasks, as specs have them. */

import * as z from 'zod';

/** Most replicas that one service may ask for. */
export const REPLICAS_MAX = 1_000_000;

/** A count of tasks. */
export const taskCount = z
  .number('must be a number')
  .int('must be a whole number')
  .min(0, 'must not be negative')
  .max(REPLICAS_MAX, `must be at most ${REPLICAS_MAX}`);
