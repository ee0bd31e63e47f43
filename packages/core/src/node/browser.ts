/**
 * What stands for `@skep/core/node` where there are no sockets: bundlers for browsers take it by the `browser`
 * condition.
 *
 * @packageDocumentation
 */

import { PreconditionError } from '../errors.ts';
import { fetchStatus } from '../worker/health/fetch-status.ts';
import type { ProbeNetwork } from '../worker/health/probe.ts';

/** Asks HTTP probes by `fetch`, and refuses TCP ones: a browser has no sockets to probe with. */
export const nodeProbeNetwork: Required<ProbeNetwork> = {
  connect: () =>
    Promise.reject(new PreconditionError('a browser has no sockets: give the cluster probes of its own')),
  request: (address, port, path, signal) => fetchStatus(globalThis.fetch, address, port, path, signal),
};
