/** How long a task goes on after it has left the endpoint feeds, so that what was sent to it before is seen through. */

import type { Task } from './objects.ts';
import type { ServiceSpec } from './service-spec.ts';

/** Default of a service that has ports, milliseconds. One without any has nothing to wait for. */
export const DRAIN_DELAY_MS = 2_000;

/** The delay for a task, milliseconds. @param spec - what is known of its service: nothing, if that is long gone. */
export function drainDelayOf(
  task: Pick<Task, 'ports'>,
  spec: Pick<ServiceSpec, 'drainDelayMs'> | undefined,
): number {
  return spec?.drainDelayMs ?? (task.ports.length > 0 ? DRAIN_DELAY_MS : 0);
}
