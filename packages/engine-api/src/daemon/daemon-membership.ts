/**
 * A node that may be in no swarm: it is made, joins, leaves and is unlocked by what the API asks. What it is lies in its
 * data root, so that a restart goes on.
 */

import { networkInterfaces } from 'node:os';
import type { Logger, NodeId } from '@skep/core';
import type { RuntimeDriver } from '@skep/core/driver';
import {
  forget,
  init,
  isNodeError,
  join,
  type NodeOptions,
  type SkepNode,
  type StartOptions,
  start,
} from '@skep/node';
import type { InitRequest, JoinRequest, Membership, Standing } from '../membership/membership.ts';
import { standingOf } from '../membership/node-membership.ts';
import { alreadyInSwarm } from '../membership/swarm-refusals.ts';
import { Refusal } from '../server/refusal.ts';

/** What a daemon's node is made with. */
export interface DaemonMembershipOptions {
  /** The node's directory. */
  readonly dir: string;
  readonly hostname: string;
  /** Name of what runs tasks here. */
  readonly driver: string;
  /** Makes it: a driver serves one node, and a node that leaves and comes back is another one. */
  readonly openDriver: () => Promise<RuntimeDriver>;
  /** Where it listens and is reached as a manager, for clients that do not say. Default: `0.0.0.0:2377`. */
  readonly address?: string;
  readonly logger: Logger;
}

/** What clients send who do not say where to listen. */
const LISTEN_ANYWHERE = '0.0.0.0:2377';

type State =
  | { readonly kind: 'inactive' | 'locked' | 'pending' }
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'node'; readonly node: SkepNode };

/** The node behind a daemon's API. */
export class DaemonMembership implements Membership {
  readonly #options: DaemonMembershipOptions;
  #state: State = { kind: 'inactive' };

  private constructor(options: DaemonMembershipOptions) {
    this.#options = options;
  }

  /** Takes up the node that the directory holds, if any. Never fails for what that node is. */
  static async open(options: DaemonMembershipOptions): Promise<DaemonMembership> {
    const membership = new DaemonMembership(options);
    await membership.#start({});
    return membership;
  }

  get hostname(): string {
    return this.#options.hostname;
  }

  get driver(): string {
    return this.#options.driver;
  }

  get standing(): Standing {
    return this.#state.kind === 'node' ? standingOf(this.#state.node) : this.#state;
  }

  async init(request: InitRequest): Promise<NodeId> {
    if (request.forceNewCluster) return this.#forceNewCluster();
    const node = await this.#become(async () =>
      init({ ...(await this.#nodeOptions(request)), ...availabilityPart(request) }),
    );
    await this.#configure(node, request);
    return node.nodeId;
  }

  async join(request: JoinRequest): Promise<void> {
    const { token, remotes } = request;
    await this.#become(async () =>
      join({ ...(await this.#nodeOptions(request)), token, remote: remotes, ...availabilityPart(request) }),
    );
  }

  async leave({ force }: { readonly force: boolean }): Promise<void> {
    const state = this.#state;
    if (state.kind === 'node') await state.node.leave({ force });
    else if (state.kind === 'locked' || state.kind === 'error') await forget(this.#options.dir);
    this.#state = { kind: 'inactive' };
  }

  async unlock(key: string): Promise<void> {
    await this.#start({ unlockKey: key });
    if (this.#state.kind === 'locked') {
      throw new Refusal(401, 'swarm could not be unlocked: invalid key provided');
    }
  }

  /** Ends the node. What it is stays, and its tasks run on unless they are to be stopped. */
  async close(options: { readonly tasks: 'stop' | 'leave' }): Promise<void> {
    if (this.#state.kind === 'node') await this.#state.node.close(options);
  }

  async #forceNewCluster(): Promise<NodeId> {
    const state = this.#state;
    if (state.kind !== 'node') {
      throw new Refusal(503, 'This node is not part of a swarm');
    }
    await state.node.close();
    await this.#start({ forceNewCluster: true });
    return state.node.nodeId;
  }

  /** What an engine is told with the making of a swarm. */
  async #configure(node: SkepNode, request: InitRequest): Promise<void> {
    const { labels, taskHistoryLimit, heartbeatMs, certificateValidityMs, autolock } = request;
    const { dispatcher } = node.cluster.info.spec;
    await node.cluster.update({
      labels: { ...labels },
      ...(taskHistoryLimit !== undefined && { taskHistoryLimit }),
      ...(heartbeatMs !== undefined && {
        dispatcher: {
          ...dispatcher,
          heartbeatMs,
          silentDownMs: Math.max(dispatcher.silentDownMs, 3 * heartbeatMs),
        },
      }),
    });
    if (certificateValidityMs !== undefined) await node.setCertificateValidity(certificateValidityMs);
    if (autolock) await node.lock();
  }

  /** One change at a time: whoever asks meanwhile is told that the node is in a swarm already. */
  async #become(making: () => Promise<SkepNode>): Promise<SkepNode> {
    if (this.#state.kind !== 'inactive') throw alreadyInSwarm();
    this.#state = { kind: 'pending' };
    try {
      const node = await making();
      this.#take(node);
      return node;
    } catch (error) {
      this.#state = { kind: 'inactive' };
      throw error;
    }
  }

  async #start(how: Pick<StartOptions, 'unlockKey' | 'forceNewCluster'>): Promise<void> {
    const { dir, hostname, logger, openDriver } = this.#options;
    this.#state = { kind: 'pending' };
    try {
      this.#take(await start({ dir, hostname, logger, driver: await openDriver(), ...how }));
    } catch (error) {
      this.#state = this.#standsAfter(error);
    }
  }

  #standsAfter(error: unknown): State {
    const code = isNodeError(error) ? error.code : undefined;
    if (code === 'NOT_A_NODE') return { kind: 'inactive' };
    if (code === 'LOCKED' || code === 'UNLOCK_KEY_REFUSED') return { kind: 'locked' };
    this.#options.logger.error({ err: error }, 'could not take up the node that the data root holds');
    return { kind: 'error', message: error instanceof Error ? error.message : String(error) };
  }

  #take(node: SkepNode): void {
    this.#state = { kind: 'node', node };
    node.onRemoved(() => void this.#removed(node));
  }

  /** The others have removed it: it is in no swarm any more. */
  async #removed(node: SkepNode): Promise<void> {
    try {
      await node.leave({ force: true });
    } catch (error) {
      this.#options.logger.error({ err: error }, 'could not clear up what was left of the swarm');
    }
    if (this.#state.kind === 'node' && this.#state.node === node) this.#state = { kind: 'inactive' };
  }

  async #nodeOptions({ listen, advertise }: Pick<InitRequest, 'listen' | 'advertise'>): Promise<NodeOptions> {
    const { dir, hostname, logger, openDriver, address } = this.#options;
    const listening = listen === undefined || listen === LISTEN_ANYWHERE ? address : addressOf(listen);
    const told = advertise === undefined ? address : addressOf(advertise);
    return {
      ...{ dir, hostname, logger },
      driver: await openDriver(),
      ...(listening !== undefined && { listen: listening }),
      ...(told !== undefined && { advertise: told }),
    };
  }
}

function availabilityPart({ availability }: Pick<JoinRequest, 'availability'>) {
  return availability === undefined ? {} : { availability };
}

/** Where an address may stand, so may the name of an interface: `eth0`, `eth0:2377`. */
function addressOf(text: string): string {
  const [name = '', port] = text.split(':', 2);
  const addresses = networkInterfaces()[name];
  if (addresses === undefined) return text;
  const own = addresses.find(({ family }) => family === 'IPv4') ?? addresses[0];
  if (own === undefined) throw new Refusal(400, `interface ${name} has no address`);
  return port === undefined ? own.address : `${own.address}:${port}`;
}
