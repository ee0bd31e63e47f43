/** Which steps from one configuration to the next are safe, told anew and not by the core's own rules. */

import type { Configuration, MemberId } from '../core/types.ts';

/** One voter more or less, into a joint configuration, or out of it: only then do the quorums of both meet. */
export function isSafeStep(from: Configuration, to: Configuration): boolean {
  const gone = from.voters.filter((id) => !to.voters.includes(id)).length;
  const come = to.voters.filter((id) => !from.voters.includes(id)).length;
  if (from.outgoing.length > 0) return to.outgoing.length === 0 && gone + come === 0;
  return to.outgoing.length === 0 ? gone + come <= 1 : isSameSet(to.outgoing, from.voters);
}

function isSameSet(one: readonly MemberId[], other: readonly MemberId[]): boolean {
  return one.length === other.length && one.every((id) => other.includes(id));
}
