/** `cluster.nodes`: the machines, and what users may ask of them. */

import { findNode } from '../manager/api/find.ts';
import { removeNode, updateNode } from '../manager/api/node-commands.ts';
import type { NodeId } from '../model/ids.ts';
import type { Node, NodeState } from '../model/objects.ts';
import { type NodeSpec, nodeSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import type { WaitOptions } from '../runtime/abort.ts';
import { type Control, commandsOn, type VersionedCommandOptions } from './control.ts';

const NODE = commandsOn('node');

/** Which nodes to list. All that is given must hold. */
export interface NodeFilter {
  readonly hostname?: string;
  readonly role?: NodeSpec['role'];
  readonly availability?: NodeSpec['availability'];
  readonly state?: NodeState;
  /** Labels that the node must have, with these values. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What of a node users may change. What is absent stays as it is; `labels` replaces all labels. */
export interface NodeUpdate {
  readonly availability?: NodeSpec['availability'];
  readonly labels?: Readonly<Record<string, string>>;
}

/** The nodes of a cluster. */
export class Nodes {
  readonly #control: Control;

  constructor(control: Control) {
    this.#control = control;
  }

  /** Nodes that pass the filter, in the order in which they joined. */
  list(filter: NodeFilter = {}): readonly Node[] {
    const wanted = Object.entries(filter.labels ?? {});
    return [...this.#control.state.nodes()].filter(({ spec, description, status }) => {
      if (filter.hostname !== undefined && description.hostname !== filter.hostname) return false;
      if (filter.role !== undefined && spec.role !== filter.role) return false;
      if (filter.availability !== undefined && spec.availability !== filter.availability) return false;
      if (filter.state !== undefined && status.state !== filter.state) return false;
      return wanted.every(([name, value]) => spec.labels[name] === value);
    });
  }

  /** The node with this id, or the only one with this hostname. @throws NotFoundError */
  inspect(ref: string): Node {
    return findNode(this.#control.state, ref);
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
}
