/** What can happen next in a search, as small plain values. */

import type { MemberId } from '../core/types.ts';

/** One thing that happens to a member, or to the message at the front of a link between two. */
export type SearchEvent =
  | {
      readonly kind:
        | 'campaign'
        | 'grow-disloyal'
        | 'heartbeat'
        | 'propose'
        | 'read'
        | 'change'
        | 'stall'
        | 'write'
        | 'crash'
        | 'restart';
      readonly at: MemberId;
    }
  | {
      readonly kind: 'deliver' | 'lose' | 'repeat' | 'overtake';
      readonly from: MemberId;
      readonly to: MemberId;
    };

/** An event in words. */
export function eventText(event: SearchEvent): string {
  if ('at' in event) return `${event.at}: ${event.kind}`;
  return `${event.from} -> ${event.to}: ${event.kind}`;
}
