/**
 * What stands for `@skep/core/file` where there is no disk: bundlers for browsers take it by the `browser` condition.
 *
 * @packageDocumentation
 */

import { PreconditionError } from '../errors.ts';

const NO_DIRECTORY = 'a cluster in a browser has no directory: leave out dir, or give a log of your own';

/** Refuses: a browser keeps no file. */
export function fileKeyProvider(): never {
  throw new PreconditionError(NO_DIRECTORY);
}

/** Refuses: a browser keeps no directory. */
export class FileHistoryStore {
  /** @throws PreconditionError always. */
  constructor() {
    throw new PreconditionError(NO_DIRECTORY);
  }
}

/** Refuses: a browser keeps no directory. */
export class FileEventLog {
  /** @throws PreconditionError always. */
  constructor() {
    throw new PreconditionError(NO_DIRECTORY);
  }
}
