/**
 * Places of nodes in networks. A node is in a network for as long as it has a task there; with an ingress network, every
 * node is in that.
 */

import type { AttachedNode } from '../../events/event.ts';
import type { NetworkId, NodeId } from '../../model/ids.ts';
import type { NetworkAttachment, Node, Task } from '../../model/objects.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { AddressBook } from './address-book.ts';
import { isIn } from './network-lookup.ts';

/** The places of all nodes: counts of their tasks, folded from the changes, and the nodes that are to be looked at. */
export class NodePlaces {
  readonly #book: AddressBook;
  /** How many tasks each node has in each network. */
  readonly #tasks = new Map<NodeId, Map<NetworkId, number>>();
  readonly #marked = new Set<NodeId>();
  /** Nodes that a network had no place for. */
  readonly #waiting = new Set<NodeId>();
  /** Where nodes were before, so that one that comes back to a network may have its old address. */
  readonly #before = new Map<NodeId, readonly NetworkAttachment[]>();

  constructor(book: AddressBook) {
    this.#book = book;
  }

  clear(): void {
    this.#tasks.clear();
    this.#marked.clear();
    this.#waiting.clear();
    this.#before.clear();
  }

  /** Whether any node is to be looked at. */
  get isMarked(): boolean {
    return this.#marked.size > 0;
  }

  mark(id: NodeId): void {
    this.#marked.add(id);
  }

  /** Addresses were freed. */
  retry(): void {
    for (const id of this.#waiting) this.#marked.add(id);
    this.#waiting.clear();
  }

  noteTask(before: Task | undefined, after: Task | undefined): void {
    if (before?.attachments === after?.attachments && before?.nodeId === after?.nodeId) return;
    this.#count(before, -1);
    this.#count(after, 1);
  }

  noteNode(before: Node | undefined, after: Node | undefined): void {
    this.#book.move(before?.attachments, after?.attachments);
    const id = (after ?? before)?.id;
    if (id === undefined) return;
    if (!before) this.#marked.add(id);
    if (after) return;
    this.#marked.delete(id);
    this.#waiting.delete(id);
    this.#before.delete(id);
  }

  /** What is to change of the places of marked nodes. */
  decide(state: ClusterState, ingress: NetworkId | undefined): readonly AttachedNode[] {
    const rows: AttachedNode[] = [];
    for (const nodeId of this.#marked) {
      this.#marked.delete(nodeId);
      const node = state.node(nodeId);
      if (!node) continue;
      const present = node.attachments ?? [];
      const wanted = this.#wanted(nodeId, ingress);
      if (isIn(present, wanted)) continue;
      const kept = present.filter(({ networkId }) => wanted.includes(networkId));
      const added: NetworkAttachment[] = [];
      for (const networkId of wanted) {
        if (kept.some((each) => each.networkId === networkId)) continue;
        const places = this.#book.allocate([networkId], this.#before.get(nodeId));
        if ('attachments' in places) added.push(...places.attachments);
        else this.#waiting.add(nodeId);
      }
      const left = present.filter((each) => !kept.includes(each));
      if (left.length > 0) this.#before.set(nodeId, left);
      if (added.length + left.length > 0) rows.push({ nodeId, attachments: [...kept, ...added] });
    }
    return rows;
  }

  #wanted(id: NodeId, ingress: NetworkId | undefined): readonly NetworkId[] {
    const ids = new Set(this.#tasks.get(id)?.keys());
    if (ingress !== undefined) ids.add(ingress);
    return [...ids];
  }

  #count(task: Task | undefined, by: 1 | -1): void {
    if (task?.nodeId === undefined) return;
    for (const { networkId } of task.attachments ?? []) {
      const counts = this.#tasks.get(task.nodeId) ?? new Map<NetworkId, number>();
      const count = (counts.get(networkId) ?? 0) + by;
      if (count > 0) counts.set(networkId, count);
      else counts.delete(networkId);
      if (counts.size > 0) this.#tasks.set(task.nodeId, counts);
      else this.#tasks.delete(task.nodeId);
      if (count === 0 || (count === 1 && by === 1)) this.#marked.add(task.nodeId);
    }
  }
}
