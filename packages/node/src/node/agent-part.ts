/** What runs tasks on a node, whatever its role: core's agent, whose managers are reached over the link. */

import type { ClusterId, NodeId } from '@skep/core';
import type { RuntimeDriver } from '@skep/core/driver';
import { Agent, type DataPlane } from '@skep/core/member';
import { nodeProbeNetwork } from '@skep/core/node';
import { RemoteDispatcher } from '../dispatch/remote-dispatcher.ts';
import { parseAddress } from '../rpc/address.ts';
import type { ManagerLink } from '../rpc/manager-link.ts';
import type { StateDirectory } from '../state-directory/state-directory.ts';
import type { NodeHost } from './options.ts';

/** What a node's agent is made of. */
export interface AgentPartOptions {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  readonly hostname: string;
  /** Where the node is reached, `host:port`. Ports of its tasks are at the same host. */
  readonly advertise: string;
  readonly driver: RuntimeDriver;
  readonly directory: StateDirectory;
  readonly link: ManagerLink;
  readonly host: NodeHost;
  /** Told of who may receive traffic. Undefined: nobody passes traffic on here. */
  readonly dataPlane: DataPlane | undefined;
}

/**
 * The longest wait between two attempts to open a session, in ms: a link that was cut for three seconds leaves half a
 * second until the node counts as down.
 */
const RECONNECT_MS_MAX = 500;

/** The agent, not started yet. */
export function agentOf(options: AgentPartOptions): Agent {
  const { clusterId, nodeId, hostname, advertise, driver, directory, link, host, dataPlane } = options;
  return new Agent({
    ...{ clusterId, nodeId, hostname, driver, ...host },
    address: parseAddress(advertise).host,
    stateDir: directory.agentPath,
    dispatcher: new RemoteDispatcher(link, host.clock),
    probeNetwork: nodeProbeNetwork,
    ...(dataPlane && { dataPlane }),
    limits: { reconnectMaxMs: RECONNECT_MS_MAX },
  });
}
