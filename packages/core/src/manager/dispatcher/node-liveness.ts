/**
 * Which nodes live. It stands between the dispatcher, which hears of heartbeats and sessions, and the nodes' states in
 * the log. A node that is silent is first suspect: it gets nothing new. Silent for longer, it is down; and its tasks are
 * replaced then, unless so many are lost at once that they go little by little.
 *
 * All that it remembers are deadlines. A new leader begins them anew, with some grace.
 */

import type { ClusterEvent } from '../../events/event.ts';
import type { NodeId } from '../../model/ids.ts';
import type { Node, NodeState } from '../../model/objects.ts';
import type { ClusterSpec } from '../../model/other-specs.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { CancelTimer, Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { LeaderStore } from '../leader-store.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { DISPATCHER } from './dispatcher-actor.ts';
import { EVICTION_RATE, EvictionLimit } from './eviction-limit.ts';

/** A new leader gives nodes so many times the usual silence to come back before they are down. */
const NEW_LEADER_GRACE = 2;
/** A node that missed so many heartbeats is suspect, unless the cluster's settings say otherwise. */
const SUSPECT_HEARTBEATS = 2.5;

/** Settings of a cluster's dispatcher. */
type Settings = ClusterSpec['dispatcher'];

/** What it works with. */
interface NodeLivenessParts {
  readonly store: LeaderStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: () => Settings;
  /** These are given up. Ends their sessions and tells which of them had one. */
  readonly onDown: (ids: readonly NodeId[]) => ReadonlySet<NodeId>;
}

/** Watches over nodes during one leadership. */
export class NodeLiveness {
  readonly #parts: NodeLivenessParts;
  readonly #deadlines: DeadlineQueue<NodeId>;
  /** Nodes that are down when their deadline comes; the others are suspect first. */
  readonly #lastChance = new Set<NodeId>();
  readonly #evictions = new EvictionLimit();
  #cancelEvictions: CancelTimer = () => {};

  constructor(parts: NodeLivenessParts) {
    this.#parts = parts;
    this.#deadlines = new DeadlineQueue(parts.clock, (ids) => this.#due(ids));
  }

  /** A leadership begins: nodes that were ready are unknown until they come back. Called once. */
  start(): void {
    const { store } = this.#parts;
    for (const node of store.head.nodes()) {
      if (node.status.state !== 'down') this.joined(node.id);
      else if (node.status.tasksKept) this.#evictions.add(node.id);
    }
    this.#transact((head) => {
      const present = [...head.nodes()].filter(
        ({ status: { state } }) => state === 'ready' || state === 'suspect',
      );
      return nodeStatus(
        'unknown',
        'a new leader has not heard from it yet',
        present.map(({ id }) => id),
      );
    });
    this.#evict();
  }

  /** Forgets everything: the leadership is over. */
  close(): void {
    this.#deadlines.clear();
    this.#lastChance.clear();
    this.#evictions.clear();
    this.#cancelEvictions();
  }

  /** A node is new here, or the leader is: it may take its time to open a session. */
  joined(id: NodeId): void {
    this.#lastChance.add(id);
    this.#deadlines.set(id, NEW_LEADER_GRACE * this.#parts.settings().silentDownMs);
  }

  /** The node gave a sign of life. */
  heard(id: NodeId): void {
    this.#deadlines.set(id, suspectMs(this.#parts.settings()));
    this.#evictions.delete(id);
    if (!this.#lastChance.delete(id)) return;
    this.#transact((head) => {
      return head.node(id)?.status.state === 'suspect'
        ? nodeStatus('ready', 'is heard from again', [id])
        : [];
    });
  }

  /** The node's session is over, and another may follow. */
  closed(id: NodeId): void {
    this.#lastChance.add(id);
    this.#deadlines.delete(id);
    this.#deadlines.set(id, this.#parts.settings().closedDownMs);
  }

  /** The node is removed. */
  forget(id: NodeId): void {
    this.#deadlines.delete(id);
    this.#lastChance.delete(id);
    this.#evictions.delete(id);
  }

  #due(ids: readonly NodeId[]): void {
    const down = ids.filter((id) => this.#lastChance.has(id));
    const late = ids.filter((id) => !this.#lastChance.has(id));
    if (late.length > 0) this.#suspect(late);
    if (down.length > 0) this.#down(down);
  }

  #suspect(ids: readonly NodeId[]): void {
    const settings = this.#parts.settings();
    for (const id of ids) {
      this.#lastChance.add(id);
      this.#deadlines.set(id, settings.silentDownMs - suspectMs(settings));
    }
    this.#transact((head) => {
      const ready = ids.filter((id) => head.node(id)?.status.state === 'ready');
      return nodeStatus('suspect', 'heartbeats are missing', ready);
    });
  }

  #down(ids: readonly NodeId[]): void {
    for (const id of ids) {
      this.#lastChance.delete(id);
      this.#evictions.add(id);
    }
    const hadSession = this.#parts.onDown(ids);
    const evicted = new Set(this.#takeEvictions());
    this.#transact((head) => {
      const gone = ids.filter((id) => (head.node(id)?.status.state ?? 'down') !== 'down');
      return [true, false].flatMap((silent) => {
        const message = silent ? 'no heartbeat came in time' : 'has no session';
        const those = gone.filter((id) => hadSession.has(id) === silent);
        return [
          ...nodeStatus(
            'down',
            message,
            those.filter((id) => evicted.has(id)),
          ),
          ...tasksKept(
            `${message}; its tasks wait, since many nodes are lost`,
            those.filter((id) => !evicted.has(id)),
          ),
        ];
      });
    });
    this.#release([...evicted].filter((id) => !ids.includes(id)));
  }

  /** Lets the tasks go of as many lost nodes as may go now. */
  #evict(): void {
    this.#release(this.#takeEvictions());
  }

  #release(ids: readonly NodeId[]): void {
    if (ids.length === 0) return;
    this.#transact((head) => {
      const kept = ids.filter((id) => head.node(id)?.status.tasksKept);
      return nodeStatus('down', 'is lost', kept);
    });
  }

  #takeEvictions(): NodeId[] {
    const { clock, settings, store } = this.#parts;
    const rate = settings().eviction ?? EVICTION_RATE;
    const ids = this.#evictions.take(rate, clock.monotonic(), (id) => liveTasks(store.head, id));
    this.#cancelEvictions();
    const next = this.#evictions.nextIn(rate);
    this.#cancelEvictions = next === undefined ? () => {} : clock.setTimer(next, () => this.#evict());
    return ids;
  }

  #transact(decide: (head: ClusterState) => readonly ClusterEvent[]): void {
    const { store, logger } = this.#parts;
    const done = store.transact(DISPATCHER, (head) => ({ events: decide(head), result: undefined }));
    done.catch((error: unknown) => {
      // The leadership ends with it; the next dispatcher looks at every node anew.
      logger.debug({ error }, 'change of node status was not committed');
    });
  }
}

/** After how much silence a node is suspect, milliseconds. */
function suspectMs({ suspectMs: wanted, heartbeatMs, silentDownMs }: Settings): number {
  return Math.min(wanted ?? SUSPECT_HEARTBEATS * heartbeatMs, silentDownMs);
}

/** The event that gives nodes a state; none for no nodes. */
export function nodeStatus(state: NodeState, message: string, ids: readonly NodeId[]): ClusterEvent[] {
  return ids.length === 0 ? [] : [{ type: 'node.status', state, message, ids }];
}

function tasksKept(message: string, ids: readonly NodeId[]): ClusterEvent[] {
  return ids.length === 0 ? [] : [{ type: 'node.status', state: 'down', message, ids, tasksKept: true }];
}

/** How many tasks would have to be replaced. */
function liveTasks(state: ClusterState, id: Node['id']): number {
  let count = 0;
  for (const { desiredState, status } of state.tasksOfNode(id)) {
    if (isMeantToRun(desiredState) && !isTerminal(status.state)) count += 1;
  }
  return count;
}
