/**
 * The dispatcher: the leader's side of every agent. It holds the sessions, knows by heartbeats which nodes live, tells
 * each node what to run from committed state, and brings what nodes report into the log.
 *
 * One dispatcher lives for one leadership. All it remembers are sessions, which agents open anew with the next one;
 * what is true of nodes and tasks stands in the state alone.
 */

import type { ClusterEvent } from '../../events/event.ts';
import { type NodeId, newId, type SessionId } from '../../model/ids.ts';
import type { NodeState } from '../../model/objects.ts';
import type { ClusterSpec } from '../../model/other-specs.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import {
  type DispatcherPort,
  type Session,
  SessionError,
  type SessionRequest,
  type StatusReport,
  type WorkerCalls,
} from '../../worker/dispatcher-port.ts';
import type { LeaderStore } from '../leader-store.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { NodeSession } from './node-session.ts';
import { RegistrationLimit } from './registration-limit.ts';
import { cleanStatus } from './status-check.ts';
import { StatusQueue } from './status-queue.ts';

/** A new leader gives nodes so many times the usual silence to come back before they are down. */
const NEW_LEADER_GRACE = 2;

/** What a dispatcher works with. */
interface DispatcherParts {
  readonly store: LeaderStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const ACTOR = { kind: 'loop', name: 'dispatcher' } as const;

/** Serves the agents of all nodes during one leadership. */
export class Dispatcher implements DispatcherPort {
  readonly #store: LeaderStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #sessions = new Map<NodeId, NodeSession>();
  readonly #deadlines: DeadlineQueue<NodeId>;
  readonly #registrations = new RegistrationLimit();
  readonly #statuses: StatusQueue;
  #state: 'new' | 'serving' | 'stopped' = 'new';
  #stopListening: () => void = () => {};

  constructor({ store, clock, random, logger }: DispatcherParts) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#logger = logger;
    this.#deadlines = new DeadlineQueue(clock, (nodeIds) => this.#markDown(nodeIds));
    this.#statuses = new StatusQueue(store, logger);
  }

  /**
   * Begins to serve. Nodes that were ready are unknown until they come back, and keep their tasks until their grace
   * is over. Called once.
   */
  start(): void {
    this.#state = 'serving';
    this.#stopListening = this.#store.onCommitted((changes, state) => this.#observe(changes, state));
    const graceMs = NEW_LEADER_GRACE * this.#settings().silentDownMs;
    for (const node of this.#store.head.nodes())
      if (node.status.state !== 'down') this.#deadlines.set(node.id, graceMs);
    this.#transact((head) => {
      const ready = [...head.nodes()].filter((node) => node.status.state === 'ready').map((node) => node.id);
      return nodeStatus('unknown', 'a new leader has not heard from it yet', ready);
    });
  }

  /** Ends all sessions and serves no more: the leadership is over. Safe to call twice, and before {@link start}. */
  close(): void {
    this.#state = 'stopped';
    this.#stopListening();
    this.#deadlines.clear();
    for (const session of this.#sessions.values()) session.end(unavailable());
    this.#sessions.clear();
  }

  /** What may be asked of a node's agent; undefined while the node has no session. */
  worker(nodeId: NodeId): WorkerCalls | undefined {
    return this.#sessions.get(nodeId)?.calls;
  }

  async openSession(request: SessionRequest, signal: AbortSignal): Promise<Session> {
    signal.throwIfAborted();
    const { nodeId } = request;
    this.#requireServing();
    if (!this.#store.head.node(nodeId)) throw nodeRemoved(nodeId);
    if (!this.#registrations.admit(nodeId, this.#clock.monotonic())) {
      throw new SessionError('unavailable', `node ${nodeId} opens sessions too often`);
    }
    this.#sessions.get(nodeId)?.end(new SessionError('session-invalid', 'a newer session took its place'));
    const { calls } = request;
    const id = newId<SessionId>(this.#random);
    const session = new NodeSession({ id, nodeId, calls }, () => this.#store.committed);
    this.#sessions.set(nodeId, session);
    this.#heard(nodeId);
    try {
      await this.#store.transact(ACTOR, (head) => ({
        events: registration(request, head),
        result: undefined,
      }));
    } catch (error) {
      this.#logger.warn({ node: nodeId, error }, 'node was not registered');
      this.#close(session, error instanceof SessionError ? error : unavailable());
      throw session.ended ?? unavailable();
    }
    if (signal.aborted) this.#close(session, new SessionError('session-invalid', 'its opening was given up'));
    signal.throwIfAborted();
    if (session.ended) throw session.ended;
    return session.port;
  }

  async heartbeat(nodeId: NodeId, id: SessionId): Promise<{ readonly heartbeatMs: number }> {
    this.#session(nodeId, id);
    this.#heard(nodeId);
    return { heartbeatMs: this.#settings().heartbeatMs };
  }

  async reportStatus(nodeId: NodeId, id: SessionId, reports: readonly StatusReport[]): Promise<void> {
    const session = this.#session(nodeId, id);
    const clean: StatusReport[] = [];
    for (const report of reports) {
      const status = cleanStatus(report.status);
      if (status) clean.push({ id: report.id, status });
      else this.#logger.warn({ node: nodeId, task: report.id }, 'a node reported what is no status: ignored');
    }
    try {
      await this.#statuses.add(nodeId, clean);
    } catch (error) {
      this.#logger.debug({ node: nodeId, error }, 'statuses were not committed');
      throw session.ended ?? unavailable();
    }
  }

  async closeSession(nodeId: NodeId, id: SessionId): Promise<void> {
    const session = this.#session(nodeId, id);
    this.#close(session, new SessionError('session-invalid', 'the session was closed'));
  }

  #close(session: NodeSession, error: SessionError): void {
    session.end(error);
    if (this.#sessions.get(session.nodeId) !== session) return;
    this.#sessions.delete(session.nodeId);
    this.#deadlines.delete(session.nodeId);
    if (this.#state === 'serving') this.#deadlines.set(session.nodeId, this.#settings().closedDownMs);
  }

  #session(nodeId: NodeId, id: SessionId): NodeSession {
    this.#requireServing();
    const session = this.#sessions.get(nodeId);
    if (session?.id === id && !session.ended) return session;
    if (!this.#store.committed.node(nodeId)) throw nodeRemoved(nodeId);
    throw new SessionError('session-invalid', `node ${nodeId} has no such session`);
  }

  #requireServing(): void {
    if (this.#state !== 'serving') throw unavailable();
  }

  #heard(nodeId: NodeId): void {
    this.#deadlines.set(nodeId, this.#settings().silentDownMs);
  }

  #settings(): ClusterSpec['dispatcher'] {
    const { cluster } = this.#store.head;
    if (!cluster) throw new SessionError('unavailable', 'there is no cluster yet');
    return cluster.spec.dispatcher;
  }

  #markDown(nodeIds: readonly NodeId[]): void {
    const silent: NodeId[] = [];
    const closed: NodeId[] = [];
    for (const nodeId of nodeIds) {
      const session = this.#sessions.get(nodeId);
      (session ? silent : closed).push(nodeId);
      session?.end(new SessionError('session-invalid', 'no heartbeat came in time'));
      this.#sessions.delete(nodeId);
    }
    this.#transact((head) => {
      const gone = (nodeId: NodeId) => (head.node(nodeId)?.status.state ?? 'down') !== 'down';
      return [
        ...nodeStatus('down', 'no heartbeat came in time', silent.filter(gone)),
        ...nodeStatus('down', 'has no session', closed.filter(gone)),
      ];
    });
  }

  #transact(decide: (head: ClusterState) => readonly ClusterEvent[]): void {
    const done = this.#store.transact(ACTOR, (head) => ({ events: decide(head), result: undefined }));
    done.catch((error: unknown) => {
      // The leadership ends with it; the next dispatcher looks at every node anew.
      this.#logger.debug({ error }, 'change of node status was not committed');
    });
  }

  #observe({ changes }: ChangeSet, state: ClusterState): void {
    const marked = new Set<NodeSession>();
    for (const { kind, before, after } of changes) {
      if (kind === 'task') {
        const nodeId = (after ?? before)?.nodeId;
        const session = nodeId === undefined ? undefined : this.#sessions.get(nodeId);
        const id = (after ?? before)?.id;
        if (!session || id === undefined) continue;
        session.markTask(id);
        marked.add(session);
      } else if (kind === 'node') {
        if (!after) {
          if (before) this.#forget(before.id);
          continue;
        }
        if (!before) this.#deadlines.set(after.id, NEW_LEADER_GRACE * this.#settings().silentDownMs);
        const session = this.#sessions.get(after.id);
        if (!session) continue;
        session.markNode();
        marked.add(session);
      } else if (kind === 'cluster') {
        for (const session of this.#sessions.values()) {
          session.markNode();
          marked.add(session);
        }
      }
    }
    for (const session of marked) if (state.node(session.nodeId)) this.#wake(session);
  }

  #wake(session: NodeSession): void {
    try {
      session.wake();
    } catch (error) {
      // A fault of ours. It must not reach the log, which is telling us of a commit; a new session starts afresh.
      this.#logger.error({ node: session.nodeId, error }, 'could not tell a node what changed');
      this.#close(session, new SessionError('session-invalid', 'the session broke'));
    }
  }

  #forget(nodeId: NodeId): void {
    this.#sessions.get(nodeId)?.end(nodeRemoved(nodeId));
    this.#sessions.delete(nodeId);
    this.#deadlines.delete(nodeId);
    this.#registrations.forget(nodeId);
  }
}

/** What a node's registration changes, if anything. */
function registration({ nodeId, description, address }: SessionRequest, head: ClusterState): ClusterEvent[] {
  const node = head.node(nodeId);
  if (!node) throw nodeRemoved(nodeId);
  const events: ClusterEvent[] = [];
  if (node.status.address !== address || !plainEqual(node.description, description)) {
    events.push({ type: 'node.described', id: nodeId, description, address });
  }
  if (node.status.state !== 'ready') events.push(...nodeStatus('ready', 'has a session', [nodeId]));
  return events;
}

function nodeStatus(state: NodeState, message: string, ids: readonly NodeId[]): ClusterEvent[] {
  return ids.length === 0 ? [] : [{ type: 'node.status', state, message, ids }];
}

const unavailable = () => new SessionError('unavailable', 'no leader serves here just now');
const nodeRemoved = (nodeId: NodeId) =>
  new SessionError('node-removed', `node ${nodeId} is not of this cluster`);
