/** How far a search goes: what may happen, and how often. */

/** What happens only so often in one run. */
export interface SearchBudgets {
  /** Election time-outs: a member campaigns, or grows disloyal to a leader that it no longer hears. */
  readonly timeouts: number;
  /** Heartbeats that a leader begins. */
  readonly heartbeats: number;
  readonly proposals: number;
  readonly reads: number;
  /** Changes of the configuration. */
  readonly changes: number;
  /** Deaths of a process, with what its disk had not finished. It may start again. */
  readonly crashes: number;
  /** Times that a disk stops finishing writes, until it goes on with all of them. */
  readonly stalls: number;
  /** Messages that are lost. */
  readonly losses: number;
  /** Messages that arrive and arrive once more. */
  readonly repeats: number;
  /** Messages that overtake the one before them. */
  readonly overtakings: number;
}

/** What is counted. */
export type BudgetName = keyof SearchBudgets;

/** Where a search begins. */
export type StartName =
  /** Nothing has happened. */
  | 'nothing'
  /** n1 leads term 1, and all have committed its first entry. */
  | 'led'
  /** n1 leads n2 and the learner n3, and has appended that these two change places; nobody else has it. */
  | 'joint';

/** Everything that a search needs to know. */
export interface SearchBounds {
  readonly start: StartName;
  /** Events in one run at most, the start not counted. */
  readonly depth: number;
  /** The search ends without an answer when it has seen so many states. */
  readonly statesMax: number;
  readonly budgets: SearchBudgets;
}

/** One of most things: enough for most of what is subtle about Raft, within reach of a search of minutes. */
export const DEFAULT_BUDGETS: SearchBudgets = {
  timeouts: 2,
  heartbeats: 1,
  proposals: 1,
  reads: 1,
  changes: 1,
  crashes: 1,
  stalls: 1,
  losses: 1,
  repeats: 1,
  overtakings: 1,
};
