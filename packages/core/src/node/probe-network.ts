/** The network of health probes, on Node's sockets. */

import type { ProbeNetwork } from '../worker/health/probe.ts';
import { requestStatus } from './http-probe.ts';
import { connectTcp } from './tcp-probe.ts';

/** Opens connections for probes, one for each, and closes them at once. */
export const nodeProbeNetwork: Required<ProbeNetwork> = { connect: connectTcp, request: requestStatus };
