/**
 * What has been found out about nodes and holds until they change: which of them meet which requirements, and which
 * branch of which spread preference each is in. Made when first asked for, repaired node by node, never as a whole.
 */

import { CandidateOrder } from './candidate-order.ts';
import { NodeMarks } from './node-marks.ts';
import type { NodeTable } from './node-table.ts';
import type { Requirements, StaticRequirements } from './requirements.ts';
import { SpreadLayout } from './spread-tree.ts';

/** A layout is made anew when so many times more branches than nodes have come to be. */
const BRANCHES_PER_NODE_MAX = 8;

/** Entries of all candidate orders together, about: 20 bytes each. At least a few orders are kept whatever it says. */
const ORDERED_MAX = 1_000_000;
const ORDERS_MIN = 8;

/** Candidates in order, and what they were judged by: notes that were dropped and made anew must not be relied on. */
interface Ordered {
  readonly order: CandidateOrder;
  readonly judgements: NodeMarks | undefined;
  readonly layout: SpreadLayout | undefined;
}

/** The notes about all nodes. */
export class NodeNotes {
  readonly #judgements = new Map<string, NodeMarks>();
  readonly #layouts = new Map<string, SpreadLayout>();
  readonly #orders = new Map<string, Ordered>();
  readonly #sizes: () => { readonly nodes: number; readonly services: number };

  /** @param sizes - how many nodes and services there are now, which bounds what is kept. */
  constructor(sizes: () => { readonly nodes: number; readonly services: number }) {
    this.#sizes = sizes;
  }

  /** The verdicts of static requirements, by node; undefined when nothing is asked. */
  judgementsOf(requirements: StaticRequirements): NodeMarks | undefined {
    if (requirements.key === '') return undefined;
    const known = this.#judgements.get(requirements.key);
    if (known) return known;
    const marks = new NodeMarks(requirements.judge, 'small');
    this.#judgements.set(requirements.key, marks);
    dropOldest(this.#judgements, this.#keptMax);
    return marks;
  }

  /** The branches that nodes make under spread preferences; undefined without any. */
  layoutOf({ spread, spreadKey }: Requirements): SpreadLayout | undefined {
    if (spread.length === 0) return undefined;
    const known = this.#layouts.get(spreadKey);
    if (known && known.parents.length <= BRANCHES_PER_NODE_MAX * (this.#sizes().nodes + 64)) return known;
    const layout = new SpreadLayout(spread);
    this.#layouts.set(spreadKey, layout);
    dropOldest(this.#layouts, this.#keptMax);
    return layout;
  }

  /** The nodes that may take such tasks, in the order of their load. It is to be repaired before it is used. */
  candidatesOf(requirements: Requirements, nodes: NodeTable): CandidateOrder {
    const judgements = this.judgementsOf(requirements.static);
    const layout = this.layoutOf(requirements);
    const key = `${requirements.static.key} ${requirements.spreadKey}`;
    const known = this.#orders.get(key);
    if (known && known.judgements === judgements && known.layout === layout) return known.order;
    const order = new CandidateOrder(nodes, { judgements, leaves: layout?.leaves });
    this.#orders.delete(key);
    this.#orders.set(key, { order, judgements, layout });
    dropOldest(this.#orders, Math.max(ORDERS_MIN, Math.floor(ORDERED_MAX / nodes.capacity)));
    return order;
  }

  /** A node has changed or gone. */
  forget(slot: number): void {
    for (const marks of this.#judgements.values()) marks.forget(slot);
    for (const layout of this.#layouts.values()) layout.leaves.forget(slot);
  }

  /** Notes are kept for so many kinds of tasks: those that services have now and had lately. */
  get #keptMax(): number {
    return 2 * this.#sizes().services + 64;
  }
}

/** Drops what was put in first until `size` entries are left. */
export function dropOldest(entries: Map<string, unknown>, size: number): void {
  for (const key of entries.keys()) {
    if (entries.size <= size) return;
    entries.delete(key);
  }
}
