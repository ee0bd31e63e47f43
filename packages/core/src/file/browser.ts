/**
 * What stands for `@skep/core/file` where there is no disk: bundlers for browsers take it by the `browser` condition.
 *
 * @packageDocumentation
 */

import { PreconditionError } from '../errors.ts';

/** Refuses: a browser keeps no directory. */
export class FileEventLog {
  /** @throws PreconditionError always. */
  constructor() {
    throw new PreconditionError(
      'a cluster in a browser has no directory: leave out dir, or give a log of your own',
    );
  }
}
