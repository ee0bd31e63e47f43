/**
 * What passes traffic on at a node (a routing mesh, a proxy), as a port. A node without one has nothing to confirm, so
 * nobody waits for it.
 */

import type { NodeDescription } from '../model/objects.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { BackOff } from './back-off.ts';
import { errorText } from './bounded.ts';
import { consume } from './consume.ts';
import type { EndpointsMessage } from './dispatcher-port.ts';
import type { WorkerLimits } from './limits.ts';

/** Passes traffic on to endpoints. */
export interface DataPlane {
  /** Public key that others encrypt for, where it has one; base64. Told with the node's description. */
  readonly trafficKey?: string;
  /**
   * Takes in who may receive traffic. Resolves once nothing new is sent to those that left; what is under way to them
   * may go on. Called in order, one after the other.
   *
   * @throws anything: then all endpoints are told anew, after a while
   */
  apply(message: EndpointsMessage, signal: AbortSignal): Promise<void>;
}

/** What a node's description says of its data plane. */
export function feedOf(
  dataPlane: DataPlane | undefined,
): Pick<NodeDescription, 'endpointFeed' | 'trafficKey'> {
  if (!dataPlane) return {};
  const { trafficKey } = dataPlane;
  return { endpointFeed: true, ...(trafficKey !== undefined && { trafficKey }) };
}

/** What following the endpoints needs. */
export interface EndpointFollowing {
  readonly endpoints: AsyncIterable<EndpointsMessage>;
  readonly dataPlane: DataPlane;
  /** Says that everything up to this index was taken in. */
  readonly confirm: (index: number) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: Pick<WorkerLimits, 'retryMs' | 'retryMaxMs'>;
  readonly signal: AbortSignal;
}

/** Brings each message into the data plane and confirms it. Resolves when the feed ends. @throws the signal's reason */
export async function followEndpoints(following: EndpointFollowing): Promise<void> {
  const { endpoints, dataPlane, confirm, clock, logger, limits, signal } = following;
  const backOff = new BackOff({ firstMs: limits.retryMs, maxMs: limits.retryMaxMs });
  for (;;) {
    try {
      // Whoever reads anew is told everything first.
      await consume(endpoints, signal, async (message) => {
        await dataPlane.apply(message, signal);
        await confirm(message.index);
        backOff.reset();
      });
      return;
    } catch (error) {
      signal.throwIfAborted();
      logger.warn({ error: errorText(error) }, 'endpoints were not taken in, trying again');
      await sleep(clock, backOff.next(), signal);
    }
  }
}
