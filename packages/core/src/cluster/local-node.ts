/** A node that lives in this process: an agent with its driver, joined by function calls. */

import type { RuntimeDriver } from '../driver/runtime-driver.ts';
import { InvalidSpecError, NameConflictError, PreconditionError } from '../errors.ts';
import { findNode } from '../manager/api/find.ts';
import { joinNode } from '../manager/api/node-commands.ts';
import type { NodeId } from '../model/ids.ts';
import { type Node, unknownDescription } from '../model/objects.ts';
import { type NodeSpecInput, nodeSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import { type WaitOptions, withDeadline } from '../runtime/abort.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { Agent } from '../worker/agent.ts';
import type { ProbeNetwork } from '../worker/health/probe.ts';
import type { Control } from './control.ts';
import { LeaderDispatcher } from './leader-dispatcher.ts';

/** Options of a node in this process. */
export interface LocalNodeOptions extends WaitOptions {
  /** What runs its tasks. One driver serves one node. */
  readonly driver: RuntimeDriver;
  /** Its name, which is also how it is known again after a restart. Default `node-1`. */
  readonly hostname?: string;
  /** Labels, role and availability when it joins for the first time. */
  readonly spec?: NodeSpecInput;
  /** Address under which its ports are reached. Default 127.0.0.1. */
  readonly address?: string;
}

/** What the cluster adds to a node's options. */
export interface LocalNodeParts extends LocalNodeOptions {
  /** Directory of the cluster; the node's own lies in it. */
  readonly clusterDir?: string;
  readonly probes?: ProbeNetwork;
}

/** Name of a node that was given none. */
const DEFAULT_HOSTNAME = 'node-1';
const LOOPBACK = '127.0.0.1';

/** A running node of this process. */
export class LocalNode {
  readonly id: NodeId;
  readonly hostname: string;
  readonly #agent: Agent;
  readonly #peers: Map<string, LocalNode>;

  private constructor(id: NodeId, hostname: string, agent: Agent, peers: Map<string, LocalNode>) {
    this.id = id;
    this.hostname = hostname;
    this.#agent = agent;
    this.#peers = peers;
  }

  /**
   * Joins the cluster, or finds the node of this hostname again, and starts its agent. Resolves when it is ready.
   *
   * @param peers - the nodes of this process, by hostname.
   */
  static start(control: Control, peers: Map<string, LocalNode>, parts: LocalNodeParts): Promise<LocalNode> {
    const hostname = parts.hostname ?? DEFAULT_HOSTNAME;
    let problem: () => string | undefined = () => undefined;
    const reasons = () => {
      const told = problem();
      return told === undefined ? [] : [told];
    };
    return withDeadline(
      control.clock,
      parts,
      `node ${hostname}`,
      async (signal) => {
        const node = await LocalNode.#join(control, peers, { ...parts, hostname, signal });
        problem = () => node.#agent.problem;
        try {
          await node.#agent.start();
          await control.until(`node ${hostname} ready`, { signal }, (state) => {
            return state.node(node.id)?.status.state === 'ready' ? true : undefined;
          });
          return node;
        } catch (error) {
          await node.close({ tasks: 'leave' });
          throw error;
        }
      },
      { reasons, lifetime: control.lifetime },
    );
  }

  static async #join(
    control: Control,
    peers: Map<string, LocalNode>,
    parts: LocalNodeParts & { readonly hostname: string; readonly signal: AbortSignal },
  ): Promise<LocalNode> {
    const { hostname, signal, driver, address = LOOPBACK } = parts;
    if (hostname === '') throw new InvalidSpecError([{ field: 'hostname', rule: 'must not be empty' }]);
    const peer = peers.get(hostname);
    // A node that was taken out of the cluster by force has an agent that knows, and no life left.
    if (peer && peer.#agent.state === 'removed') await peer.close();
    else if (peer) throw new NameConflictError('node', hostname);
    const spec = parseSpec(nodeSpecSchema, parts.spec ?? {});
    const description = unknownDescription(hostname, driver.name);
    const id = await control.command(
      `join node ${hostname}`,
      { signal },
      (head, context) => {
        const known = knownNode(head, hostname);
        return known ? { events: [], result: known.id } : joinNode({ spec, description, address }, context);
      },
      undefined,
      (head) => findNode(head, hostname).id,
    );
    const { cluster } = control.state;
    if (!cluster) throw new PreconditionError('the cluster is not formed yet');
    const agent = new Agent({
      clusterId: cluster.id,
      nodeId: id,
      hostname,
      address,
      driver,
      dispatcher: new LeaderDispatcher(control.manager),
      clock: control.clock,
      random: control.random,
      logger: control.logger,
      ...(parts.clusterDir === undefined ? {} : { stateDir: `${parts.clusterDir}/nodes/${id}` }),
      probeNetwork: parts.probes ?? hostProbeNetwork,
    });
    const node = new LocalNode(id, hostname, agent, peers);
    peers.set(hostname, node);
    return node;
  }

  /** Takes the node out of this process. Its tasks are stopped, or left running for whoever takes it up again. */
  async close(options: { readonly tasks?: 'stop' | 'leave' } = {}): Promise<void> {
    await this.#agent.close({ drain: options.tasks !== 'leave' });
    if (this.#peers.get(this.hostname) === this) this.#peers.delete(this.hostname);
  }
}

function knownNode(state: ClusterState, hostname: string): Node | undefined {
  for (const node of state.nodes()) {
    if (node.description.hostname === hostname) return node;
  }
  return undefined;
}

/** The host's sockets, loaded with the first probe. A browser has none: there a TCP probe is told so. */
const hostProbeNetwork: ProbeNetwork = {
  async connect(address, port, signal) {
    const { nodeProbeNetwork } = await import('@skep/core/node');
    await nodeProbeNetwork.connect(address, port, signal);
  },
  async request(address, port, path, signal) {
    const { nodeProbeNetwork } = await import('@skep/core/node');
    return nodeProbeNetwork.request(address, port, path, signal);
  },
};
