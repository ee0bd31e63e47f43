/** `cluster.nodes`: the machines, and what users may ask of them. */

import { PreconditionError } from '../errors.ts';
import { findNode } from '../manager/api/find.ts';
import { changeRole, joinNode, removeNode, updateNode } from '../manager/api/node-commands.ts';
import type { NodeId } from '../model/ids.ts';
import { type Node, type NodeState, unknownDescription } from '../model/objects.ts';
import { type NodeSpec, type NodeSpecInput, nodeSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import type { WaitOptions } from '../runtime/abort.ts';
import { type CommandOptions, type Control, commandsOn, type VersionedCommandOptions } from './control.ts';
import { NodeReader } from './readers.ts';

const NODE = commandsOn('node');

/** What of a node users may change. What is absent stays as it is; `labels` replaces all labels. */
export interface NodeUpdate {
  readonly availability?: NodeSpec['availability'];
  readonly labels?: Readonly<Record<string, string>>;
}

/** A machine that becomes a node. */
export interface NodeJoin extends NodeSpecInput {
  /** Default: a random one. */
  readonly id?: NodeId;
  readonly hostname: string;
  /** Address under which its ports are reached. */
  readonly address: string;
  /** Name of its runtime driver, if known. */
  readonly driver?: string;
}

/** The nodes of a cluster. */
export class Nodes extends NodeReader {
  readonly #control: Control;

  constructor(control: Control) {
    super(() => control.state);
    this.#control = control;
  }

  /**
   * Changes availability or labels. Draining moves its tasks to other nodes.
   *
   * @throws NotFoundError, InvalidSpecError, VersionConflictError, UnavailableError, OutcomeUnknownError
   */
  update(ref: string, update: NodeUpdate, options: VersionedCommandOptions = {}): Promise<NodeId> {
    return this.#control.command(
      `update node ${ref}`,
      options,
      (head) => {
        const node = findNode(head, ref);
        return updateNode(node, parseSpec(nodeSpecSchema, { ...node.spec, ...update }), options.version);
      },
      NODE.update,
      (head, answer) => (answer?.id as NodeId | undefined) ?? findNode(head, ref).id,
    );
  }

  /**
   * Makes a machine a member, before it has said anything. It is ready once its agent has a session.
   *
   * @throws PreconditionError if there is a node of that id; InvalidSpecError, UnavailableError, OutcomeUnknownError
   */
  join(request: NodeJoin, options: CommandOptions = {}): Promise<NodeId> {
    const { id, hostname, address, driver = '', ...spec } = request;
    return this.#control.command(
      `join node ${hostname}`,
      options,
      (head, context) => {
        if (id !== undefined && head.node(id)) throw new PreconditionError(`there is a node ${id} already`);
        const description = unknownDescription(hostname, driver);
        const joining = { spec: parseSpec(nodeSpecSchema, spec), description, address };
        const joined = joinNode({ ...joining, ...(id === undefined ? {} : { id }) }, context);
        return { ...joined, answer: { id: joined.result, action: 'created', what: 'node' } };
      },
      NODE.create,
      (head, answer) => (answer?.id as NodeId | undefined) ?? findNode(head, hostname).id,
    );
  }

  /**
   * Wants the node to be a manager. What that takes beyond the wish is up to who runs the managers.
   *
   * @throws NotFoundError, VersionConflictError, UnavailableError, OutcomeUnknownError
   */
  promote(ref: string, options: VersionedCommandOptions = {}): Promise<NodeId> {
    return this.#changeRole(ref, 'manager', options);
  }

  /** Wants the node to be a worker. @throws as {@link promote}; PreconditionError if it is the last manager. */
  demote(ref: string, options: VersionedCommandOptions = {}): Promise<NodeId> {
    return this.#changeRole(ref, 'worker', options);
  }

  /**
   * Forgets a node that is down, or any with `force`. Its tasks are replaced elsewhere.
   *
   * @throws NotFoundError, PreconditionError, VersionConflictError, UnavailableError, OutcomeUnknownError
   */
  remove(ref: string, options: VersionedCommandOptions & { readonly force?: boolean } = {}): Promise<NodeId> {
    return this.#control.command(
      `remove node ${ref}`,
      options,
      (head, context) => removeNode(head, findNode(head, ref), context, options),
      NODE.remove,
      (_, answer) => (answer?.id ?? ref) as NodeId,
    );
  }

  /** Waits until the node is in this state. @throws NotFoundError, TimeoutError, AbortedError, ClosedError */
  waitFor(ref: string, state: NodeState, options: WaitOptions = {}): Promise<Node> {
    return this.#control.until(`node ${ref} ${state}`, options, (now) => {
      const node = findNode(now, ref);
      return node.status.state === state ? node : undefined;
    });
  }

  #changeRole(ref: string, role: NodeSpec['role'], options: VersionedCommandOptions): Promise<NodeId> {
    return this.#control.command(
      `make node ${ref} a ${role}`,
      options,
      (head) => changeRole(head, findNode(head, ref), role, options.version),
      NODE.update,
      (head, answer) => (answer?.id as NodeId | undefined) ?? findNode(head, ref).id,
    );
  }
}
