/**
 * Which node is better for one more task of a service: the one where the service failed less of late, then the one
 * with fewer active tasks of the service, then the one with fewer active tasks at all, then the one that joined
 * first, so that the choice never depends on the order in which nodes were looked at. Resources are not packed.
 */

/** Failures of a service within {@link FAILURE_WINDOW_MS} from which on a node counts as faulty for it. */
export const FAULTY_FROM = 5;
/** How long a failure counts; milliseconds. */
export const FAILURE_WINDOW_MS = 5 * 60_000;

// One number orders nodes: 8 bits of failures, 22 of the service's tasks, 22 of all tasks; 52 bits, exact in a double.
const FIELD = 2 ** 22;
const FIELD_MAX = FIELD - 1;
const FAILURES_MAX = 255;

/** What one more task of the service adds to a node's key. */
export const KEY_STEP = FIELD + 1;

/** The key of a node: lower is better. */
export function nodeKey(failures: number, serviceTasks: number, allTasks: number): number {
  // Below the limit a node's failures don't count at all, as if it had none.
  const faults = failures >= FAULTY_FROM ? Math.min(failures, FAILURES_MAX) : 0;
  return (faults * FIELD + Math.min(serviceTasks, FIELD_MAX)) * FIELD + Math.min(allTasks, FIELD_MAX);
}

/** Keys and rows by slot: what nodes are ordered by. */
export interface NodeOrder {
  /** {@link nodeKey} by slot. */
  readonly keys: Float64Array;
  /** Row numbers by slot, for equals. */
  readonly rows: Float64Array;
}

/** True when the node in slot `a` comes before the one in slot `b`. Two nodes are never equal. */
export function isBefore({ keys, rows }: NodeOrder, a: number, b: number): boolean {
  const difference = (keys[a] as number) - (keys[b] as number);
  return difference < 0 || (difference === 0 && (rows[a] as number) < (rows[b] as number));
}

/**
 * Nodes that are fit, best first: a binary heap of slots. Filled, then put in order once, then kept in order. It
 * may be told how many nodes it needs at most: then it keeps the best ones, and most others cost one comparison.
 */
export class NodeHeap {
  readonly #order: NodeOrder;
  readonly #slots: number[] = [];
  readonly #limit: number;
  // While it is filled and full: worst first, to see at once whether another node is better than that one.
  #worstFirst = false;

  /** @param limit - most nodes that are kept. Placing k tasks never needs more than the k best. */
  constructor(order: NodeOrder, limit: number) {
    this.#order = order;
    this.#limit = limit;
  }

  /** The best node's slot, or -1. */
  get top(): number {
    return this.#slots.length === 0 ? -1 : (this.#slots[0] as number);
  }

  /** Adds a node without putting it in its place: {@link arrange} does, once for all. */
  add(slot: number): void {
    const slots = this.#slots;
    if (slots.length < this.#limit) {
      slots.push(slot);
      return;
    }
    if (!this.#worstFirst) this.#arrange(true);
    if (!isBefore(this.#order, slot, slots[0] as number)) return;
    slots[0] = slot;
    this.#sink(0, true);
  }

  /** Puts the nodes in order, once all are in. */
  arrange(): void {
    this.#arrange(false);
  }

  /** The best node was given a task, and its key grew: finds its new place, or takes it out. */
  placed(stillFit: boolean): void {
    if (!stillFit) {
      const last = this.#slots.pop();
      if (last === undefined || this.#slots.length === 0) return;
      this.#slots[0] = last;
    }
    this.#sink(0, false);
  }

  #arrange(worstFirst: boolean): void {
    this.#worstFirst = worstFirst;
    for (let at = (this.#slots.length >> 1) - 1; at >= 0; at--) this.#sink(at, worstFirst);
  }

  #sink(from: number, worstFirst: boolean): void {
    const slots = this.#slots;
    const { keys, rows } = this.#order;
    const { length } = slots;
    const sign = worstFirst ? -1 : 1;
    const slot = slots[from] as number;
    const key = keys[slot] as number;
    const row = rows[slot] as number;
    let at = from;
    for (let child = 2 * at + 1; child < length; child = 2 * at + 1) {
      let candidate = slots[child] as number;
      let candidateKey = keys[candidate] as number;
      if (child + 1 < length) {
        const other = slots[child + 1] as number;
        const otherKey = keys[other] as number;
        const difference = otherKey - candidateKey || (rows[other] as number) - (rows[candidate] as number);
        if (difference * sign < 0) {
          child += 1;
          candidate = other;
          candidateKey = otherKey;
        }
      }
      const difference = candidateKey - key || (rows[candidate] as number) - row;
      if (difference * sign > 0) break;
      slots[at] = candidate;
      at = child;
    }
    slots[at] = slot;
  }
}
