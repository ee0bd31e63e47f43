/**
 * The errors that Skep's API throws. One class a thing that a caller can act on, each with a stable `code`, and a
 * brand that works across two copies of the package. Messages are for people, codes for programs.
 */

import type { Finding } from './model/finding.ts';

const BRAND = Symbol.for('skep.error');

/** The stable codes. */
export type SkepErrorCode =
  | 'INVALID_SPEC'
  | 'NOT_FOUND'
  | 'AMBIGUOUS'
  | 'NAME_CONFLICT'
  | 'VERSION_CONFLICT'
  | 'INDEX_CONFLICT'
  | 'IN_USE'
  | 'PRECONDITION_FAILED'
  | 'GOAL_FAILED'
  | 'UNAVAILABLE'
  | 'OUTCOME_UNKNOWN'
  | 'TIMEOUT'
  | 'ABORTED'
  | 'CLOSED'
  | 'HISTORY_PRUNED'
  | 'DRIVER';

/** The root of every error that Skep throws on purpose. */
export class SkepError extends Error {
  override readonly name: string = 'SkepError';
  readonly code: SkepErrorCode;
  /** The same call may succeed when made again later, unchanged. */
  readonly retryable: boolean;

  constructor(code: SkepErrorCode, message: string, options?: { cause?: unknown; retryable?: boolean }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options?.retryable ?? false;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Tells a Skep error from any other, also when it comes from another copy of the package. */
export function isSkepError(error: unknown): error is SkepError {
  return typeof error === 'object' && error !== null && BRAND in error;
}

/** One broken rule of a spec. */
export interface SpecIssue {
  /** Path of the field: `task.ports[1].target`. Empty for the spec as a whole. */
  readonly field: string;
  /** The rule, in words: `must be at most 63 characters`. */
  readonly rule: string;
}

/** A spec breaks one rule or several. Nothing was changed. */
export class InvalidSpecError extends SkepError {
  override readonly name = 'InvalidSpecError';
  readonly issues: readonly SpecIssue[];

  constructor(issues: readonly SpecIssue[]) {
    const told = issues.map((issue) => (issue.field === '' ? issue.rule : `${issue.field}: ${issue.rule}`));
    super('INVALID_SPEC', told.join('; '));
    this.issues = issues;
  }
}

/** No object of that kind has this id or name. */
export class NotFoundError extends SkepError {
  override readonly name = 'NotFoundError';
  readonly kind: string;
  readonly id: string;

  constructor(kind: string, id: string) {
    super('NOT_FOUND', `${kind} ${id} not found`);
    this.kind = kind;
    this.id = id;
  }
}

/** Several objects of that kind go by this name, and it can't be told which is meant: name one by its id. */
export class AmbiguousError extends SkepError {
  override readonly name = 'AmbiguousError';
  readonly kind: string;
  /** What they were asked for by. */
  readonly id: string;
  /** Their ids. */
  readonly matches: readonly string[];

  constructor(kind: string, id: string, matches: readonly string[]) {
    super('AMBIGUOUS', `${kind} ${id} is ambiguous (${matches.length} matches found)`);
    this.kind = kind;
    this.id = id;
    this.matches = matches;
  }
}

/** Another object of that kind has this name (compared without case). */
export class NameConflictError extends SkepError {
  override readonly name = 'NameConflictError';
  readonly kind: string;
  readonly conflicting: string;

  constructor(kind: string, name: string) {
    super('NAME_CONFLICT', `name conflicts with an existing object: ${kind} ${name} already exists`);
    this.kind = kind;
    this.conflicting = name;
  }
}

/** The object changed since the version that the caller read. Read it again, merge, and retry. */
export class VersionConflictError extends SkepError {
  override readonly name = 'VersionConflictError';
  readonly kind: string;
  readonly id: string;
  readonly expected: number;
  readonly actual: number;
  /** The field and the rule that it breaks: `version`. */
  readonly issues: readonly SpecIssue[];

  constructor(kind: string, id: string, expected: number, actual: number) {
    super(
      'VERSION_CONFLICT',
      `update out of sequence: ${kind} ${id} is at version ${actual}, not ${expected}`,
    );
    this.kind = kind;
    this.id = id;
    this.expected = expected;
    this.actual = actual;
    this.issues = [{ field: 'version', rule: `must be that of the ${kind} as it is now, ${actual}` }];
  }
}

/** What was planned would not come of it any more: the cluster has changed. Plan again. Nothing was changed. */
export class IndexConflictError extends SkepError {
  override readonly name = 'IndexConflictError';
  /** Index of the plan. */
  readonly expected: number;
  /** Index of the last change that matters. */
  readonly actual: number;

  constructor(expected: number, actual: number) {
    super(
      'INDEX_CONFLICT',
      `the plan is of index ${expected}, and what it stands on may have changed up to index ${actual}`,
    );
    this.expected = expected;
    this.actual = actual;
  }
}

/** The object can't be removed while others refer to it. */
export class InUseError extends SkepError {
  override readonly name = 'InUseError';
  readonly users: readonly string[];

  constructor(kind: string, name: string, users: readonly string[]) {
    super('IN_USE', `${kind} '${name}' is in use by: ${users.join(', ')}`);
    this.users = users;
  }
}

/** The command makes no sense in the present state, for the reason told. */
export class PreconditionError extends SkepError {
  override readonly name = 'PreconditionError';
  /** The fields that it is about, each with the rule that it breaks. Empty: it is about no field. */
  readonly issues: readonly SpecIssue[];

  constructor(message: string, issues: readonly SpecIssue[] = []) {
    super('PRECONDITION_FAILED', message);
    this.issues = issues;
  }
}

/**
 * What was waited for will not come by itself: the update is paused or was rolled back, the job failed. Nothing is undone
 * by that; `findings` tell what would help.
 */
export class GoalFailedError extends SkepError {
  override readonly name = 'GoalFailedError';
  /** What was waited for: `service web updated`. */
  readonly goal: string;
  /** Why it does not come, and what would resolve it. */
  readonly findings: readonly Finding[];

  constructor(goal: string, message: string, findings: readonly Finding[]) {
    super('GOAL_FAILED', `${goal}: ${message}`);
    this.goal = goal;
    this.findings = findings;
  }
}

/** The command was certainly not carried out: no leader, full disk, too much in flight. */
export class UnavailableError extends SkepError {
  override readonly name = 'UnavailableError';
  /** The log's own reason. */
  readonly reason: string;
  /** With `not-leader`: the log's name for the member that leads, if one is known. */
  readonly leader?: string;

  constructor(
    reason: string,
    message: string,
    options: { readonly cause?: unknown; readonly retryable?: boolean; readonly leader?: string } = {},
  ) {
    const { leader, ...rest } = options;
    super('UNAVAILABLE', message, { retryable: true, ...rest });
    this.reason = reason;
    if (leader !== undefined) this.leader = leader;
  }
}

/** The command may or may not have been carried out. Retry under the same command id, which makes that safe. */
export class OutcomeUnknownError extends SkepError {
  override readonly name = 'OutcomeUnknownError';
  readonly commandId: string;

  constructor(commandId: string, message: string) {
    super('OUTCOME_UNKNOWN', message, { retryable: true });
    this.commandId = commandId;
  }
}

/** What was waited for did not come in time. */
export class TimeoutError extends SkepError {
  override readonly name = 'TimeoutError';
  /** What stood in the way, in words, one a line. */
  readonly reasons: readonly string[];
  /** The same as data, with what would resolve it. Empty where that is not known. */
  readonly findings: readonly Finding[];

  constructor(message: string, reasons: readonly string[] = [], findings: readonly Finding[] = []) {
    super('TIMEOUT', reasons.length === 0 ? message : `${message}: ${reasons.join('; ')}`, {
      retryable: true,
    });
    this.reasons = reasons;
    this.findings = findings;
  }
}

/** The caller's signal aborted the wait; `cause` is the signal's reason. */
export class AbortedError extends SkepError {
  override readonly name = 'AbortedError';

  constructor(reason: unknown) {
    super('ABORTED', 'aborted by the caller', { cause: reason });
  }
}

/** The cluster, or the part of it that was asked, is closed. */
export class ClosedError extends SkepError {
  override readonly name = 'ClosedError';

  constructor(what: string) {
    super('CLOSED', `${what} is closed`);
  }
}

/** The moment that was asked for is not in the cluster's history (any more). */
export class HistoryPrunedError extends SkepError {
  override readonly name = 'HistoryPrunedError';
  /** The oldest moment, behind the one that was asked for, that history still has. */
  readonly oldest: { readonly index: number; readonly at: number };

  constructor(asked: string, oldest: { readonly index: number; readonly at: number }) {
    const since = `index ${oldest.index} of ${new Date(oldest.at).toISOString()}`;
    super('HISTORY_PRUNED', `${asked} is not in the history, which goes back to ${since}`);
    this.oldest = { index: oldest.index, at: oldest.at };
  }
}

/**
 * A runtime driver could not do what it was asked.
 *
 * `temporary` errors are tried again with back-off; others end the task: rejected before it was started, failed after.
 */
export class DriverError extends SkepError {
  override readonly name = 'DriverError';
  readonly temporary: boolean;
  /**
   * What it was about. `image`: the image could not be fetched. Registries shut out whoever asks too often, so such a
   * task waits longer before the next attempt.
   */
  readonly about?: 'image';

  constructor(
    message: string,
    options?: { cause?: unknown; temporary?: boolean; about?: 'image' | undefined },
  ) {
    super('DRIVER', message, { cause: options?.cause, retryable: options?.temporary ?? false });
    this.temporary = options?.temporary ?? false;
    if (options?.about !== undefined) this.about = options.about;
  }
}
