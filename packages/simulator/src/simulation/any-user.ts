/** What a user of the simulated cluster is: one who asks for one thing at a time, and knows what must come of it. */

import type { Cluster } from '@skep/core';

/** A secret, or a config. */
export type FileKind = 'secret' | 'config';

/** What a user was told last. */
export interface Expected {
  readonly name: string;
  /** Of its service. Undefined: it must not be there. */
  readonly spec:
    | {
        readonly replicas: number | undefined;
        readonly change: string;
        /** Of a job: how often it was to be done. */
        readonly runs?: number;
        /** Where a metric decides: how many tasks it asks for in the end. */
        readonly comesTo?: number;
      }
    | undefined;
  /** What its secret and its config hold. */
  readonly contents: Readonly<Partial<Record<FileKind, string>>>;
}

/** What came of a command. */
export interface Answer {
  /** The command changed nothing, so the log has no word of it. */
  readonly unchanged: boolean;
}

/** What each command is given. */
export interface AskOptions {
  readonly commandId: string;
  readonly timeout: number;
}

/** Asks one manager. */
export type Command = (cluster: Cluster, options: AskOptions) => Promise<Answer>;

/** Something that a user asks for. */
export interface Wish {
  /** In words, for the trace. */
  readonly what: string;
  readonly command: Command;
  /** Called once it is carried out. */
  readonly onDone: () => void;
}

/** Somebody who wants one thing at a time. */
export interface AnyUser {
  readonly name: string;
  readonly expected: Expected;
  isBusy: boolean;
  /** What it asks for next. */
  next(): Wish;
}
