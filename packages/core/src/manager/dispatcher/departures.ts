/**
 * Tasks that have left the endpoint feeds and wait until nobody sends them traffic any more: every node that has a feed
 * confirms how far it has taken it in. A node that is down confirms nothing and is not waited for, and one that takes
 * too long holds up nobody. Without such nodes nothing ever waits.
 *
 * All that it remembers are confirmations, which nodes give anew to the next leader.
 */

import type { NodeId, TaskId } from '../../model/ids.ts';
import type { Node, Task } from '../../model/objects.ts';
import type { CancelTimer, Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { ROWS_PER_TRANSACTION } from '../control-loop.ts';
import type { LeaderStore } from '../leader-store.ts';
import { DISPATCHER } from './dispatcher-actor.ts';

/** How long confirmations are waited for, unless the cluster's settings say otherwise; milliseconds. */
export const CONFIRM_MS = 3_000;

/** Most nodes that are named for not having confirmed. */
const NAMED_MAX = 10;

/** Waits until all nodes of `nodes` have confirmed `index`. */
interface Departure {
  readonly index: number;
  readonly nodes: readonly NodeId[];
  /** All before this one have confirmed, or are gone. Whoever has confirmed stays so, so it never goes back. */
  next: number;
  readonly onDone: (unconfirmed: readonly NodeId[]) => void;
  cancelTimer: CancelTimer;
}

/** Follows what nodes have confirmed during one leadership. */
export class Departures {
  readonly #store: LeaderStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #confirmed = new Map<NodeId, number>();
  /** Nodes with an endpoint feed that are not down. A new list for each change, so that departures may share it. */
  #feeds: readonly NodeId[] = [];
  readonly #departures = new Set<Departure>();
  /** Tasks that are waited for, or about to be. */
  readonly #held = new Set<TaskId>();
  #gathering: TaskId[] = [];
  #isOver = false;

  constructor(parts: { readonly store: LeaderStore; readonly clock: Clock; readonly logger: Logger }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  /** A leadership begins. Called once. */
  start(): void {
    this.#feeds = [...this.#store.committed.nodes()].filter(hasFeed).map(({ id }) => id);
  }

  /** The leadership is over: nobody is told any more. */
  close(): void {
    this.#isOver = true;
    for (const departure of this.#departures) departure.cancelTimer();
    this.#departures.clear();
  }

  /** True while somebody may still send traffic to a task that is to stop. Looks at it from then on. */
  holds(task: Task): boolean {
    const { leaving } = task;
    if (!leaving || leaving.releasedAt !== undefined || this.#feeds.length === 0) return false;
    this.#hold(task.id);
    return true;
  }

  /** A node sends nothing any more to what had left at this index. */
  confirm(nodeId: NodeId, index: number): void {
    if (!Number.isSafeInteger(index) || index <= (this.#confirmed.get(nodeId) ?? -1)) return;
    this.#confirmed.set(nodeId, index);
    this.#advance((departure) => departure.nodes[departure.next] === nodeId);
  }

  /** Resolves when what had left at this index gets no traffic any more, as far as can be known. */
  confirmed(index: number): Promise<void> {
    return new Promise((resolve) => this.#wait(index, () => resolve()));
  }

  /** A node's row changed. */
  observe(before: Node | undefined, after: Node | undefined): void {
    const was = before !== undefined && hasFeed(before);
    const is = after !== undefined && hasFeed(after);
    const id = (after ?? before)?.id;
    if (id === undefined || was === is) return;
    this.#feeds = is ? [...this.#feeds, id] : this.#feeds.filter((each) => each !== id);
    if (is) return;
    this.#confirmed.delete(id);
    this.#advance((departure) => departure.nodes[departure.next] === id);
  }

  #hold(id: TaskId): void {
    if (this.#held.has(id)) return;
    this.#held.add(id);
    this.#gathering.push(id);
    // In a microtask, so that what left together waits together.
    if (this.#gathering.length === 1) void Promise.resolve().then(() => this.#waitForGathered());
  }

  #waitForGathered(): void {
    const ids = this.#gathering;
    this.#gathering = [];
    let index = 0;
    for (const id of ids) index = Math.max(index, this.#store.committed.task(id)?.leaving?.index ?? 0);
    this.#wait(index, (unconfirmed) => this.#release(ids, unconfirmed));
  }

  #wait(index: number, onDone: Departure['onDone']): void {
    if (this.#isOver) return;
    const departure: Departure = { index, nodes: this.#feeds, next: 0, onDone, cancelTimer: () => {} };
    this.#departures.add(departure);
    const confirmMs = this.#store.head.cluster?.spec.dispatcher.confirmMs ?? CONFIRM_MS;
    departure.cancelTimer = this.#clock.setTimer(confirmMs, () => this.#giveUp(departure));
    this.#advance((each) => each === departure);
  }

  #advance(concerns: (departure: Departure) => boolean): void {
    for (const departure of this.#departures) {
      if (!concerns(departure)) continue;
      while (departure.next < departure.nodes.length && this.#hasConfirmed(departure)) departure.next += 1;
      if (departure.next === departure.nodes.length) this.#end(departure, []);
    }
  }

  #hasConfirmed({ nodes, next, index }: Departure): boolean {
    const id = nodes[next];
    if (id === undefined || (this.#confirmed.get(id) ?? -1) >= index) return true;
    const node = this.#store.committed.node(id);
    return node === undefined || !hasFeed(node);
  }

  #giveUp(departure: Departure): void {
    const unconfirmed: NodeId[] = [];
    for (; departure.next < departure.nodes.length && unconfirmed.length < NAMED_MAX; departure.next++) {
      const id = departure.nodes[departure.next];
      if (id !== undefined && !this.#hasConfirmed(departure)) unconfirmed.push(id);
    }
    this.#logger.warn(
      { nodes: unconfirmed },
      'nodes did not confirm in time that tasks left their endpoints',
    );
    this.#end(departure, unconfirmed);
  }

  #end(departure: Departure, unconfirmed: readonly NodeId[]): void {
    departure.cancelTimer();
    this.#departures.delete(departure);
    departure.onDone(unconfirmed);
  }

  #release(ids: readonly TaskId[], unconfirmed: readonly NodeId[]): void {
    for (let from = 0; from < ids.length; from += ROWS_PER_TRANSACTION) {
      const some = ids.slice(from, from + ROWS_PER_TRANSACTION);
      const done = this.#store.transact(DISPATCHER, (head) => {
        const leaving = some.filter((id) => {
          const task = head.task(id);
          return task?.leaving !== undefined && task.leaving.releasedAt === undefined;
        });
        const late = unconfirmed.length === 0 ? {} : { unconfirmed };
        return {
          events: leaving.length === 0 ? [] : [{ type: 'task.released', ids: leaving, ...late }],
          result: undefined,
        };
      });
      done
        .catch((error: unknown) => {
          // The leadership ends with it, and the next one asks anew.
          this.#logger.debug({ error }, 'the release of tasks was not committed');
        })
        .finally(() => {
          for (const id of some) this.#held.delete(id);
        });
    }
  }
}

/** It passes traffic on by an endpoint feed, as far as anyone can tell. */
function hasFeed({ description, status }: Node): boolean {
  return description.endpointFeed === true && status.state !== 'down';
}
