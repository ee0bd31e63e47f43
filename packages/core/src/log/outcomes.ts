/** How every log words the outcomes that are not commitments. */

import type { AppendOutcome, RejectionReason } from './event-log.ts';

type Outcome<Kind extends AppendOutcome['kind']> = Extract<AppendOutcome, { kind: Kind }>;

/** The outcome of an append that is certainly not in the log. */
export function rejected(reason: RejectionReason, message: string): Outcome<'rejected'> {
  return { kind: 'rejected', reason, message };
}

/** The outcome of an append that may be in the log or not. */
export function unknown(reason: Outcome<'unknown'>['reason'], message: string): Outcome<'unknown'> {
  return { kind: 'unknown', reason, message };
}
