/**
 * A node as its embedding program has it. What concerns the whole cluster can be asked of any manager; who leads does
 * it.
 */

import type { Cluster, ClusterId, NodeId } from '@skep/core';
import type { Agent } from '@skep/core/member';
import { NodeError } from '../errors.ts';
import { demoteNode, removeNode, stepDown } from '../membership/methods.ts';
import { beginRootRotation } from '../membership/root-rotation.ts';
import type { ManagerLink } from '../rpc/manager-link.ts';
import { NODE_VALIDITY_MS_MIN } from '../security/certificate-authority.ts';
import { type NodeRole, nodeOfMember } from '../security/identity.ts';
import { newTokenSecret } from '../security/join-token.ts';
import type { OwnAuthority } from '../security/own-authority.ts';
import { joinTokenFor } from '../security/trust-record.ts';
import { formatUnlockKey, newUnlockKey, parseUnlockKey } from '../security/unlock-key.ts';
import { HAND_OVER_MS } from './leaving.ts';
import type { ManagerPart } from './manager-part.ts';
import type { TasksAtClose } from './options.ts';
import type { NodeCondition, RunningNode } from './running-node.ts';

const SECOND_MS = 1_000;

/** The tokens that admit nodes. */
export interface JoinTokens {
  readonly manager: string;
  readonly worker: string;
}

/** A manager that takes part in consensus. */
export interface KnownManager {
  readonly nodeId: NodeId;
  /** Where it is reached, `host:port`. */
  readonly address: string;
  readonly leads: boolean;
}

/** A running node. Made by `init`, `join` and `start`. */
export class SkepNode implements AsyncDisposable {
  readonly #node: RunningNode;

  constructor(node: RunningNode) {
    this.#node = node;
  }

  get nodeId(): NodeId {
    return this.#node.nodeId;
  }

  get clusterId(): ClusterId {
    return this.#node.clusterId;
  }

  get hostname(): string {
    return this.#node.hostname;
  }

  /** What it is just now. */
  get role(): NodeRole {
    return this.#node.role;
  }

  get condition(): NodeCondition {
    return this.#node.condition;
  }

  /** Where it is reached as a manager, `host:port`. */
  get advertise(): string {
    return this.#node.advertise;
  }

  /** The cluster: on any manager all of it can be read, watched and changed. @throws NodeError `WRONG_ROLE` on a worker */
  get cluster(): Cluster {
    return this.manager.cluster;
  }

  /** What the node is as a manager. @throws NodeError `WRONG_ROLE` if it is none. */
  get manager(): ManagerPart {
    return this.#node.manager;
  }

  /** The managers that take part in consensus, as this one knows them. @throws NodeError `WRONG_ROLE` on a worker */
  get managers(): readonly KnownManager[] {
    const { configuration, leader } = this.manager.context.raft.status;
    return configuration.voters.map((member) => ({
      nodeId: nodeOfMember(member),
      address: configuration.addresses[member] ?? '',
      leads: member === leader,
    }));
  }

  /** Where managers are reached, whatever this node is, as far as it has heard. */
  get managerAddresses(): readonly string[] {
    return this.#node.link.managers;
  }

  /** Certificate of the root that nodes trust, PEM. @throws NodeError `WRONG_ROLE` on a worker */
  get trustRoot(): string {
    return this.manager.trust.record.root.certificate;
  }

  /** For how long nodes' certificates are valid from their next renewal on, in ms. */
  get certificateValidityMs(): number {
    return this.manager.trust.record.nodeValidityMs;
  }

  /** The way to the managers, whatever this node is. */
  get link(): ManagerLink {
    return this.#node.link;
  }

  /** The tokens to join with. */
  joinTokens(): JoinTokens {
    const { record } = this.manager.trust;
    return { manager: joinTokenFor(record, 'manager'), worker: joinTokenFor(record, 'worker') };
  }

  /** Makes the token of a role worthless, and another one. */
  async rotateJoinToken(role: NodeRole): Promise<string> {
    const secret = newTokenSecret(this.#node.host.random);
    const record = await this.manager.trust.update((before) => ({
      ...before,
      tokens: { ...before.tokens, [role]: secret },
    }));
    return joinTokenFor(record, role);
  }

  /**
   * Begins to replace the CA's root and key, without a pause; ends by itself once every node has gone over. Join tokens
   * are others then.
   *
   * @param options.ca - the root to go over to. Default: a new one.
   * @throws NodeError `CA_REFUSED`
   */
  rotateRoot({ ca }: { readonly ca?: OwnAuthority } = {}): Promise<void> {
    return beginRootRotation(this.manager.trust, this.clusterId, this.#node.host.clock.now(), ca);
  }

  /** Whether a rotation of the root is under way. */
  get isRotatingRoot(): boolean {
    return this.manager.trust.record.rotation !== undefined;
  }

  /** Has every node renew its certificate now. */
  async renewCertificates(): Promise<void> {
    // Certificates say to the second when they were made.
    const renewBefore = Math.ceil(this.#node.host.clock.now() / SECOND_MS) * SECOND_MS;
    await this.manager.trust.update((record) => ({ ...record, renewBefore }));
  }

  /** Sets for how long nodes' certificates are valid from their next renewal on, in ms; at least an hour. */
  async setCertificateValidity(nodeValidityMs: number): Promise<void> {
    if (!(nodeValidityMs >= NODE_VALIDITY_MS_MIN)) {
      throw new NodeError(
        'INVALID_OPTION',
        `certificates must be valid for ${NODE_VALIDITY_MS_MIN} ms or more`,
      );
    }
    await this.manager.trust.update((record) => ({ ...record, nodeValidityMs }));
  }

  /**
   * Turns autolock on: managers that start again need the unlock key from then on. On already: the key is rotated.
   *
   * @returns the unlock key, `SWMKEY-1-…`. Keep it: without it, and without a manager that runs, all is lost.
   */
  async lock(): Promise<string> {
    const unlockKey = newUnlockKey(this.#node.host.random);
    await this.manager.trust.update((record) => ({ ...record, unlockKey }));
    return formatUnlockKey(unlockKey);
  }

  /** Turns autolock off. */
  async unlock(): Promise<void> {
    await this.manager.trust.update(({ unlockKey: _, ...record }) => record);
  }

  /** The present unlock key; undefined while autolock is off. */
  get unlockKey(): string | undefined {
    const { unlockKey } = this.manager.trust.record;
    return unlockKey === undefined ? undefined : formatUnlockKey(unlockKey);
  }

  /**
   * Writes a backup of the cluster while it works: all of its state, the CA and the join tokens included, sealed under a
   * key in the format of unlock keys. `init` makes a cluster of it again.
   *
   * @returns the key, a new one if none is given.
   */
  async backUp(path: string, key?: string): Promise<string> {
    const bytes = key === undefined ? newUnlockKey(this.#node.host.random) : parseUnlockKey(key);
    await this.manager.backUp(path, bytes);
    return formatUnlockKey(bytes);
  }

  /** Makes a worker a manager. Resolves once it is wanted; the node follows within moments. */
  async promote(node: string): Promise<void> {
    await this.cluster.nodes.promote(node);
  }

  /** Makes a manager a worker. @throws NodeError `LAST_MANAGER`, `QUORUM_LOSS`; NotFoundError */
  async demote(node: string): Promise<void> {
    const { id } = this.cluster.nodes.inspect(node);
    const { link } = this.#node;
    const patience = { patienceMs: HAND_OVER_MS };
    // Of itself it may ask twice: having been heard, it is no manager any more who could ask again.
    if (id === this.nodeId) await link.unary(stepDown, undefined, { ...patience, isRepeatable: true });
    else await link.unary(demoteNode, { node: id }, { ...patience, isRepeatable: true });
  }

  /** Removes a node that is down, or any with `force`. @throws as {@link demote}; PreconditionError */
  async remove(node: string, options: { readonly force?: boolean } = {}): Promise<void> {
    void this.manager;
    const request = { node, force: options.force ?? false };
    await this.#node.link.unary(removeNode, request, { patienceMs: HAND_OVER_MS });
  }

  /** Renews this node's own certificate now. @throws NodeError */
  renewCertificate(): Promise<void> {
    return this.#node.renewCertificate();
  }

  /**
   * Leaves the cluster for good and forgets it. Its tasks stop first, each with its grace, and run elsewhere; then the
   * directory is as it was before.
   *
   * @param options.force - forget it even if the managers refuse or can't be reached.
   * @throws NodeError `LAST_MANAGER`, `QUORUM_LOSS`, `UNREACHABLE`; the node stays then.
   */
  leave(options: { readonly force?: boolean } = {}): Promise<void> {
    return this.#node.leave(options);
  }

  /** Calls back when the node has become something else. Returns the way to stop. */
  onRole(listener: (role: NodeRole) => void): () => void {
    return this.#node.onRole(listener);
  }

  /** Calls back once the cluster has no such node any more. Returns the way to stop. */
  onRemoved(listener: () => void): () => void {
    return this.#node.onRemoved(listener);
  }

  /** What runs tasks here, and how it stands with the managers; undefined for a node without a driver. */
  get agent(): Agent | undefined {
    return this.#node.agent;
  }

  /**
   * Stops the node's tasks, each with its own grace, and has the managers know. The node is a member as before, but runs
   * no tasks until it is closed and started again. Never rejects. Where several nodes of a cluster are to end at about
   * the same time, all of them should do this before the first is closed, as {@link closeAll} does in one process:
   * managers that are closed take note of nothing.
   *
   * @param options.drainDelay - whether tasks that had traffic wait for their drain delay. Default true; not where the
   *   whole cluster ends, and traffic has nowhere else to go.
   */
  stopTasks(options: { readonly drainDelay?: boolean } = {}): Promise<void> {
    return this.#node.stopTasks(options);
  }

  /**
   * Ends the node. What it keeps stays, and `start` takes it up again. Safe to call twice.
   *
   * @param options.tasks - `leave` (default): they run on, and are taken up again with the node; `stop`: they are
   *   stopped first, each with its own grace.
   */
  close(options: { readonly tasks?: TasksAtClose } = {}): Promise<void> {
    return this.#node.close(options.tasks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
