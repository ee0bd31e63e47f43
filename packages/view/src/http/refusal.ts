/** What a request is answered with that can't be answered otherwise. */

import { HistoryPrunedError, InvalidSpecError, isSkepError, type SpecIssue } from '@skep/core';

/** A request that is refused, with its HTTP status. */
export class RefusedRequest extends Error {
  override readonly name = 'RefusedRequest';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** An answer's body when something went wrong. */
export interface RefusalBody {
  readonly code: string;
  readonly message: string;
  /** The fields and the rules that they break. */
  readonly issues?: readonly SpecIssue[];
  /** Of a moment that was forgotten: the oldest one that was not. */
  readonly oldest?: { readonly index: number; readonly at: number };
}

const STATUSES: Readonly<Record<string, number>> = {
  INVALID_SPEC: 400,
  NOT_FOUND: 404,
  AMBIGUOUS: 409,
  NAME_CONFLICT: 409,
  VERSION_CONFLICT: 409,
  INDEX_CONFLICT: 409,
  PRECONDITION_FAILED: 409,
  HISTORY_PRUNED: 410,
  UNAVAILABLE: 503,
  OUTCOME_UNKNOWN: 503,
  CLOSED: 503,
  TIMEOUT: 504,
};

/** How an error is told over HTTP. What is no error of the cluster's API is told as such, without its words. */
export function refusalOf(error: unknown): { readonly status: number; readonly body: RefusalBody } {
  if (error instanceof RefusedRequest) {
    return { status: error.status, body: { code: 'REFUSED', message: error.message } };
  }
  if (!isSkepError(error)) {
    return { status: 500, body: { code: 'INTERNAL', message: 'the view can not answer that' } };
  }
  return {
    status: STATUSES[error.code] ?? 500,
    body: {
      ...{ code: error.code, message: error.message },
      ...(error instanceof InvalidSpecError ? { issues: error.issues } : {}),
      ...(error instanceof HistoryPrunedError ? { oldest: error.oldest } : {}),
    },
  };
}
