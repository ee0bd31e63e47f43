/**
 * Managers come, move, and go: Raft's configuration is made to follow what nodes announce and what users want. All of
 * it runs at the leader, one change after the other.
 */

import { type Node, type NodeId, PreconditionError } from '@skep/core';
import { isVoter, membersOf } from '@skep/raft';
import { NodeError } from '../errors.ts';
import { dial } from '../rpc/dial.ts';
import type { RpcServer } from '../rpc/server.ts';
import { nodeOfMember } from '../security/identity.ts';
import type { ManagerContext } from './manager-context.ts';
import type { MemberChanges } from './member-changes.ts';
import {
  type Announced,
  announceMember,
  demoteNode,
  leaveCluster,
  removeNode,
  stepDown,
  takesPart,
} from './methods.ts';

/** A manager that does not answer within so long counts as gone, in ms. */
const ANSWER_MS = 2_000;

/** Who takes part in Raft, and how that changes. */
export class Members {
  readonly #context: ManagerContext;
  readonly #changes: MemberChanges;

  constructor(context: ManagerContext, changes: MemberChanges) {
    this.#context = context;
    this.#changes = changes;
  }

  /** Answers what concerns members. */
  serve(server: RpcServer): void {
    server.serve(announceMember, ({ memberId, address }, { caller }) =>
      this.announce(caller.identity.nodeId, memberId, address),
    );
    server.serve(demoteNode, async ({ node }) => {
      await this.demote(this.#node(node));
    });
    server.serve(stepDown, async (_, { caller }) => {
      await this.demote(this.#node(caller.identity.nodeId));
    });
    server.serve(takesPart, async (_, { caller }) => ({
      takesPart: this.#othersOf(caller.identity.nodeId, undefined).length > 0,
    }));
    server.serve(removeNode, async ({ node, force }) => {
      await this.remove(this.#node(node), force);
    });
    server.serve(leaveCluster, async (_, { caller }) => {
      await this.#leave(this.#node(caller.identity.nodeId));
    });
  }

  /** Takes a manager in, or notes that it has moved. @throws NodeError `ADVERTISED_UNREACHABLE`, `WRONG_NODE` */
  async announce(nodeId: NodeId, memberId: string, address: string): Promise<Announced> {
    if (nodeOfMember(memberId) !== nodeId) {
      throw new NodeError('WRONG_NODE', `${memberId} is no membership of node ${nodeId}`);
    }
    const { configuration } = this.#context.raft.status;
    if (configuration.removed.includes(memberId)) return { outcome: 'removed' };
    if (isVoter(configuration, memberId) && configuration.addresses[memberId] === address) {
      return { outcome: 'member' };
    }
    await this.#dialBack(nodeId, address);
    for (const member of this.#othersOf(nodeId, memberId)) await this.#changes.remove(member);
    await this.#changes.add(memberId, address);
    return { outcome: 'member' };
  }

  /** Makes a manager a worker: first by the list of nodes, then in Raft. @throws NodeError `LAST_MANAGER`, `QUORUM_LOSS` */
  async demote(node: Node): Promise<void> {
    if (node.spec.role === 'worker') return;
    await this.#checkDispensable(node.id);
    try {
      await this.#context.cluster.nodes.demote(node.id);
    } catch (error) {
      if (error instanceof PreconditionError) throw lastManager();
      throw error;
    }
    await this.#withdraw(node.id);
  }

  /** Removes a node, a manager only with `force`, which demotes it before. */
  async remove(node: Node, force: boolean): Promise<void> {
    if (node.spec.role === 'manager') {
      if (!force) throw new PreconditionError(`node ${node.id} is a manager: demote it first, or use force`);
      await this.demote(node);
      this.#handedOver(node.id);
    }
    await this.#context.cluster.nodes.remove(node.id, { force });
  }

  async #leave(node: Node): Promise<void> {
    if (node.spec.role === 'manager') {
      await this.demote(node);
      this.#handedOver(node.id);
    }
    await this.#context.cluster.nodes.remove(node.id, { force: true });
  }

  /** A leader that was demoted hands over; what is left to do is asked of who leads next. @throws NodeError `NOT_LEADER` */
  #handedOver(node: NodeId): void {
    if (node !== this.#context.nodeId) return;
    throw new NodeError('NOT_LEADER', `node ${node} led, and hands over`);
  }

  /** Ends a node's memberships in Raft. The leader's own is ended by who leads next. */
  async #withdraw(nodeId: NodeId): Promise<void> {
    if (nodeId === this.#context.nodeId) return;
    for (const member of this.#othersOf(nodeId, undefined)) await this.#changes.remove(member);
  }

  #othersOf(nodeId: NodeId, memberId: string | undefined): string[] {
    const members = membersOf(this.#context.raft.status.configuration);
    return members.filter((member) => member !== memberId && nodeOfMember(member) === nodeId);
  }

  #node(ref: string): Node {
    const node = this.#context.cluster.nodes.get(ref as NodeId);
    return node ?? this.#context.cluster.nodes.inspect(ref);
  }

  /** A manager that the others can't reach would hold up every decision. */
  async #dialBack(nodeId: NodeId, address: string): Promise<void> {
    if (nodeId === this.#context.nodeId) return;
    try {
      await this.#reach(nodeId, address);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `the managers can't reach node ${nodeId} at ${address}: ${reason}`;
      throw new NodeError('ADVERTISED_UNREACHABLE', message, error);
    }
  }

  async #reach(nodeId: NodeId, address: string): Promise<void> {
    const { credentials, clusterId, clock } = this.#context;
    const socket = await dial({
      address,
      context: () => credentials.context,
      expected: { kind: 'manager', clusterId, nodeId },
      clock,
      timeoutMs: ANSWER_MS,
    });
    socket.destroy();
  }

  /** @throws NodeError if the managers that would be left are none, or too few of them can be reached. */
  async #checkDispensable(nodeId: NodeId): Promise<void> {
    const { raft, cluster } = this.#context;
    const { voters, addresses } = raft.status.configuration;
    const left = voters.filter((member) => nodeOfMember(member) !== nodeId);
    const managers = cluster.nodes.list({ role: 'manager' });
    if (left.length === 0 || managers.every(({ id }) => id === nodeId)) throw lastManager();
    const reached = await Promise.all(
      left.map(async (member) => {
        const other = nodeOfMember(member);
        if (other === this.#context.nodeId) return true;
        const address = addresses[member];
        if (address === undefined) return false;
        return this.#reach(other, address).then(
          () => true,
          () => false,
        );
      }),
    );
    const living = reached.filter((is) => is).length;
    if (living * 2 <= left.length) {
      const message = `of the ${left.length} managers that would be left only ${living} can be reached`;
      throw new NodeError('QUORUM_LOSS', `node ${nodeId} has to stay a manager: ${message}`);
    }
  }
}

function lastManager(): NodeError {
  return new NodeError('LAST_MANAGER', 'the last manager of the cluster can not be demoted or leave');
}
