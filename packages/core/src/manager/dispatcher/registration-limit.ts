/** How often one node may open a session, so that an agent in a loop does not fill the log. */

import type { NodeId } from '../../model/ids.ts';

/** Sessions that one node may open in {@link REGISTRATION_WINDOW_MS}, as Swarm has it. */
const REGISTRATIONS_MAX = 3;
/** Milliseconds. */
const REGISTRATION_WINDOW_MS = 8_000;

/** Counts registrations per node. */
export class RegistrationLimit {
  readonly #times = new Map<NodeId, number[]>();

  /** Counts one at this monotonic time, if it is allowed. */
  admit(nodeId: NodeId, now: number): boolean {
    const recent = (this.#times.get(nodeId) ?? []).filter((time) => now - time < REGISTRATION_WINDOW_MS);
    const admitted = recent.length < REGISTRATIONS_MAX;
    if (admitted) recent.push(now);
    this.#times.set(nodeId, recent);
    return admitted;
  }

  forget(nodeId: NodeId): void {
    this.#times.delete(nodeId);
  }
}
