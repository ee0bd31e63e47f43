/** What a loop answers when it has things to look at again. */

import type { ClusterEvent } from '../../events/event.ts';
import type { Decision } from '../control-loop.ts';
import { earliest } from './wake-queue.ts';

/** The decision, with the earliest of these times to look again at, if there is one. */
export function decision(
  events: readonly ClusterEvent[],
  more: boolean,
  ...times: readonly (number | undefined)[]
): Decision {
  const wakeAt = earliest(...times);
  return { events, more, ...(wakeAt === undefined ? {} : { wakeAt }) };
}
