/**
 * The life of a node: a manager or a worker, whichever the cluster wants it to be just now. It follows its role by
 * itself, keeps its certificate valid, and goes on trying while the managers are away.
 */

import type { Clock, ClusterId, NodeId } from '@skep/core';
import type { RuntimeDriver } from '@skep/core/driver';
import type { Agent } from '@skep/core/member';
import { isNodeError, NodeError } from '../errors.ts';
import { renewFor } from '../membership/certificate-service.ts';
import { leaveCluster, type News, renewCertificate, reportCertificate } from '../membership/methods.ts';
import { Upkeep } from '../membership/upkeep.ts';
import { ManagerLink } from '../rpc/manager-link.ts';
import type { Credentials } from '../security/credentials.ts';
import { memberIdOf, type NodeRole } from '../security/identity.ts';
import type { NodeFile, StateDirectory } from '../state-directory/state-directory.ts';
import { agentOf } from './agent-part.ts';
import { allSteps } from './closing.ts';
import { KeyKeeper } from './key-keeper.ts';
import { type Leaving, leaveForGood, untilOutOfRaft } from './leaving.ts';
import { type ManagerOrigin, ManagerPart, MembershipEnded } from './manager-part.ts';
import { NoDriver } from './no-driver.ts';
import type { NodeHistoryOptions, NodeHost, OpenDataPlane, TasksAtClose } from './options.ts';
import { type NodeTraffic, openTraffic } from './traffic.ts';
import { WorkerPart } from './worker-part.ts';

/** What a node is made of once its identity is known. */
export interface RunningNodeParts {
  readonly directory: StateDirectory;
  readonly credentials: Credentials;
  readonly file: NodeFile;
  readonly managers: readonly string[];
  readonly unlockKey: Uint8Array | undefined;
  readonly driver: RuntimeDriver | undefined;
  readonly dataPlane: OpenDataPlane | undefined;
  readonly history: NodeHistoryOptions | false | undefined;
  readonly host: NodeHost;
}

/** What a node is at. `removed`: the cluster has no such node any more. */
export type NodeCondition = 'starting' | 'running' | 'removed' | 'closed';

/** Before a change of role that failed is tried again, in ms. */
const ROLE_AGAIN_MS = 1_000;
/** A node that could not join tells the managers so within this time, in ms. */
const ABANDON_MS = 2_000;

/** A node as it lives: what it is made of changes with its role. */
export class RunningNode implements Leaving {
  readonly #parts: RunningNodeParts;
  readonly #link: ManagerLink;
  readonly #upkeep: Upkeep;
  readonly #keys: KeyKeeper;
  readonly #life = new AbortController();
  readonly #listeners = new Set<(role: NodeRole) => void>();
  readonly #removedListeners = new Set<() => void>();
  #file: NodeFile;
  #traffic: NodeTraffic | undefined;
  #manager: ManagerPart | undefined;
  #worker: WorkerPart | undefined;
  #agent: Agent | undefined;
  #condition: NodeCondition = 'starting';
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: RunningNodeParts) {
    const { directory, credentials, managers, unlockKey, host } = parts;
    this.#parts = parts;
    this.#file = parts.file;
    this.#link = new ManagerLink({ clusterId: credentials.clusterId, credentials, managers, ...host });
    this.#keys = new KeyKeeper({ directory, unlockKey, ...host });
    this.#upkeep = new Upkeep({
      ...{ credentials, directory, ...host },
      unlockKey: () => this.#keys.unlockKey,
      requests: {
        renew: (request) => this.#renewed(request),
        report: (chain) => this.#reported(chain),
      },
      onRole: () => this.#goOver(),
      onManagers: (addresses) => this.#link.setManagers(addresses),
    });
  }

  /** What it runs on. */
  get host(): NodeHost {
    return this.#parts.host;
  }

  get clock(): Clock {
    return this.#parts.host.clock;
  }

  get nodeId(): NodeId {
    return this.#parts.file.nodeId;
  }

  get clusterId(): ClusterId {
    return this.#parts.file.clusterId;
  }

  get hostname(): string {
    return this.#file.hostname;
  }

  /** What it is just now. */
  get role(): NodeRole {
    return this.#manager === undefined ? 'worker' : 'manager';
  }

  get condition(): NodeCondition {
    return this.#condition;
  }

  /** Where it is reached as a manager, `host:port`. */
  get advertise(): string {
    return this.#file.advertise;
  }

  /** What the node is as a manager. @throws NodeError `WRONG_ROLE` if it is none. */
  get manager(): ManagerPart {
    if (this.#condition === 'closed') throw new NodeError('CLOSED', 'the node is closed');
    if (this.#manager === undefined) throw new NodeError('WRONG_ROLE', 'this node is no manager: ask one');
    return this.#manager;
  }

  /** The way to the managers, whatever this node is. */
  get link(): ManagerLink {
    return this.#link;
  }

  /** Starts as what the certificate says; as a manager, with the state that `origin` says. */
  async open(
    options: { readonly origin?: ManagerOrigin; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const { signal } = options;
    const onAbort = () => this.#life.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await this.#startAs(this.#parts.credentials.identity.role, options.origin ?? { kind: 'others' });
      this.#condition = 'running';
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** What runs tasks here, whatever the node's role is; undefined without a driver. */
  get agent(): Agent | undefined {
    return this.#parts.driver === undefined ? undefined : this.#agent;
  }

  /**
   * Is a node from here on: what it is stands on the disk, its agent runs, and it follows the news. The list has to
   * hold it.
   *
   * @throws DriverError if the driver can't be opened.
   */
  async establish(): Promise<void> {
    await this.#startAgent();
    await this.#keep(this.#file);
    await this.#manager?.tellAddress();
    this.#follow();
  }

  /** Takes back what was begun: the cluster is told, if it can be, and nothing stays on the disk. */
  async abandon(): Promise<void> {
    await this.#link.unary(leaveCluster, undefined, { timeoutMs: ABANDON_MS }).catch(() => {});
    await this.#close('stop', () => this.#parts.directory.removeNode());
  }

  /** Renews this node's own certificate now. @throws NodeError */
  renewCertificate(): Promise<void> {
    return this.#upkeep.renew();
  }

  /**
   * Leaves the cluster for good and forgets it: its tasks are stopped first, and the directory is as it was before.
   *
   * @param options.force - forget it even if the managers refuse or can't be reached.
   * @throws NodeError `LAST_MANAGER`, `QUORUM_LOSS`, `UNREACHABLE`; the node stays then.
   */
  async leave(options: { readonly force?: boolean } = {}): Promise<void> {
    try {
      await leaveForGood(this);
    } catch (error) {
      const isGone = isNodeError(error) && error.code === 'NODE_REMOVED';
      if (!isGone && !options.force) throw error;
    }
    await this.drain();
    await this.#agent?.worker.removeAll();
    await this.#close('stop', () => this.#parts.directory.removeNode());
  }

  /** Calls back when the node has become something else. Returns the way to stop. */
  onRole(listener: (role: NodeRole) => void): () => void {
    const own = (role: NodeRole) => listener(role);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Stops its tasks, has the managers know, and runs none from then on. Never rejects; safe to call twice. */
  async stopTasks(options: { readonly drainDelay?: boolean } = {}): Promise<void> {
    await this.#agent?.close({ ...options, drain: true });
  }

  /** Stops its tasks, has the managers know, and runs none from then on; what they left stays. Never rejects. */
  async drain(): Promise<void> {
    await this.#agent?.drain();
  }

  /** Calls back once the node was removed. Returns the way to stop. */
  onRemoved(listener: () => void): () => void {
    const own = () => listener();
    this.#removedListeners.add(own);
    return () => this.#removedListeners.delete(own);
  }

  /** Ends the node. What it keeps stays, and so do its tasks unless they are to be stopped. Safe to call twice. */
  close(tasks: TasksAtClose = 'leave'): Promise<void> {
    return this.#close(tasks, async () => {});
  }

  async #startAgent(): Promise<void> {
    const { driver = new NoDriver(), dataPlane, directory, host } = this.#parts;
    this.#traffic = await openTraffic(dataPlane, this, host.logger);
    const { clusterId, nodeId, hostname, advertise } = this;
    this.#agent = agentOf({
      ...{ clusterId, nodeId, hostname, advertise, driver, host },
      ...{ directory, link: this.#link, dataPlane: this.#traffic?.dataPlane },
    });
    await this.#agent.start();
  }

  async #close(tasks: TasksAtClose, after: () => Promise<void>): Promise<void> {
    if (this.#condition === 'closed') return this.#turn;
    this.#condition = 'closed';
    this.#life.abort(new NodeError('CLOSED', 'the node is closed'));
    this.#turn = this.#turn
      .catch(() => {})
      .then(() =>
        allSteps([
          () => this.#agent?.close({ drain: tasks === 'stop' }),
          () => this.#traffic?.close({ keep: tasks === 'leave' }),
          () => this.#upkeep.close(),
          () => this.#stop(),
          // What it could not see through, the next start does.
          () => this.#keys.settled().catch(() => {}),
          () => this.#link.close(),
          after,
          () => this.#parts.directory.close(),
        ]),
      );
    await this.#turn;
  }

  async #stop(): Promise<void> {
    const parts = [this.#manager, this.#worker];
    this.#manager = undefined;
    this.#worker = undefined;
    await allSteps(parts.map((part) => () => part?.close()));
  }

  async #startAs(role: NodeRole, origin: ManagerOrigin): Promise<void> {
    if (role === 'worker') return this.#startWorker();
    try {
      await this.#startManager(origin);
    } catch (error) {
      if (!(error instanceof MembershipEnded)) throw error;
      // It was demoted and promoted again while it was away: it takes part anew, under another id.
      await this.#parts.directory.removeRaft();
      await this.#keep({ ...this.#file, memberId: undefined });
      await this.#startManager({ kind: 'others' });
    }
  }

  #startWorker(): void {
    this.#worker = new WorkerPart({
      ...{ link: this.#link, ...this.#parts.host },
      onNews: (news) => this.#upkeep.take(news),
      onRemoved: () => this.#removed(),
    });
  }

  async #startManager(origin: ManagerOrigin): Promise<void> {
    const { directory, credentials, host } = this.#parts;
    const memberId = this.#file.memberId ?? memberIdOf(this.nodeId, memberSuffix(host));
    if (this.#file.memberId === undefined) {
      // What is left of a membership before is of no use to this one.
      await directory.removeRaft();
      this.#file = { ...this.#file, memberId };
      if (origin.kind === 'others') await directory.writeNode(this.#file);
    }
    const { listen, advertise } = this.#file;
    const manager = await ManagerPart.start(
      {
        ...{ directory, credentials, memberId, listen, advertise, origin, ...host },
        ...{ keys: this.#keys, link: this.#link, history: this.#parts.history ?? {} },
      },
      this.#life.signal,
    );
    this.#manager = manager;
    this.#file = { ...this.#file, listen: manager.listen, advertise: manager.advertise };
    this.#link.setManagers([manager.advertise, ...this.#link.managers]);
  }

  async #keep(file: NodeFile): Promise<void> {
    this.#file = file;
    await this.#parts.directory.writeNode(file);
  }

  /** Goes over to the role that the certificate says by then, after whatever is going on. */
  #goOver(): void {
    const turn = this.#turn.then(async () => {
      const { role } = this.#parts.credentials.identity;
      const present = role === 'manager' ? this.#manager : this.#worker;
      if (this.#condition !== 'running' || present !== undefined) return;
      this.#parts.host.logger.info({ role }, 'this node gets another role');
      await this.#stop();
      await (role === 'worker' ? this.#becomeWorker() : this.#becomeManager());
      for (const listener of [...this.#listeners]) listener(role);
    });
    this.#turn = turn.catch((error: unknown) => {
      if (this.#condition !== 'running') return;
      const { clock, logger } = this.#parts.host;
      logger.warn({ err: error }, 'could not take on the role; trying again');
      const cancel = clock.setTimer(ROLE_AGAIN_MS, () => this.#goOver());
      this.#life.signal.addEventListener('abort', cancel, { once: true });
    });
  }

  async #becomeWorker(): Promise<void> {
    await this.#parts.directory.removeRaft();
    await this.#keep({ ...this.#file, memberId: undefined });
    await this.#keys.forget();
    this.#startWorker();
  }

  async #becomeManager(): Promise<void> {
    try {
      await this.#startAs('manager', { kind: 'others' });
    } catch (error) {
      // Until it works out, it has to hear that it is to be a worker again.
      this.#startWorker();
      throw error;
    }
    this.#follow();
  }

  #follow(): void {
    const manager = this.#manager;
    if (manager === undefined) return;
    manager.keepRoles();
    manager.keepLocked(() => this.#upkeep.renew());
    void this.#followLocally(manager);
  }

  /** A manager hears the news from its own state; or, once it was taken out of Raft, from the others. */
  async #followLocally(manager: ManagerPart): Promise<void> {
    const { raft, memberId } = manager.context;
    const demoted = { link: this.#link, clock: this.clock, signal: this.#life.signal };
    const stop = raft.onStatus(({ configuration }) => {
      if (configuration.removed.includes(memberId)) void this.#upkeep.renew().catch(() => {});
    });
    try {
      for await (const news of manager.news.follow(this.nodeId, this.#life.signal)) {
        // Its vote may be needed until the others have taken it out, and a worker has none.
        if (news.role === 'worker') await untilOutOfRaft({ raft, memberId, ...demoted });
        if (this.#manager !== manager) return;
        await this.#upkeep.take(news satisfies News);
      }
    } catch (error) {
      if (this.#life.signal.aborted || this.#manager !== manager) return;
      if (isNodeError(error) && error.code === 'NODE_REMOVED') this.#removed();
      else this.#parts.host.logger.error({ err: error }, 'this manager does not hear the news any more');
    } finally {
      stop();
    }
  }

  #removed(): void {
    if (this.#condition !== 'running') return;
    this.#condition = 'removed';
    this.#parts.host.logger.warn({ node: this.nodeId }, 'this node was removed from the cluster');
    for (const listener of [...this.#removedListeners]) listener();
  }

  async #renewed(request: string) {
    const manager = this.#manager;
    if (manager?.cluster.leading) return renewFor(manager.context, this.nodeId, request);
    return this.#link.unary(renewCertificate, { request });
  }

  async #reported(chain: string): Promise<void> {
    const manager = this.#manager;
    if (manager?.cluster.leading) manager.rotation.report(this.nodeId, chain);
    else await this.#link.unary(reportCertificate, { chain });
  }
}

function memberSuffix({ random }: NodeHost): string {
  return Buffer.from(random.bytes(6)).toString('hex');
}
