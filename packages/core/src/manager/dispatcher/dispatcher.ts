/**
 * The dispatcher: the leader's side of every agent. It holds the sessions, knows by heartbeats which nodes live, tells
 * each node what to run from committed state, and brings what nodes report into the log.
 *
 * One dispatcher lives for one leadership. All it remembers are sessions, which agents open anew with the next one;
 * what is true of nodes and tasks stands in the state alone.
 */

import type { ClusterEvent } from '../../events/event.ts';
import { type NodeId, newId, type SessionId } from '../../model/ids.ts';
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
import { Departures } from './departures.ts';
import { DISPATCHER } from './dispatcher-actor.ts';
import { NodeLiveness, nodeStatus } from './node-liveness.ts';
import { NodeSession } from './node-session.ts';
import { RegistrationLimit } from './registration-limit.ts';
import { hasReplacedTasks, ReturningNodes } from './returning-nodes.ts';
import { cleanStatus } from './status-check.ts';
import { StatusQueue } from './status-queue.ts';
import { TrafficJournal } from './traffic-journal.ts';

/** What a dispatcher works with. */
interface DispatcherParts {
  readonly store: LeaderStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Serves the agents of all nodes during one leadership. */
export class Dispatcher implements DispatcherPort {
  readonly #store: LeaderStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #sessions = new Map<NodeId, NodeSession>();
  readonly #liveness: NodeLiveness;
  readonly #returning: ReturningNodes;
  readonly #registrations = new RegistrationLimit();
  readonly #statuses: StatusQueue;
  readonly #departures: Departures;
  readonly #journal = new TrafficJournal();
  /** Sessions of nodes that have an endpoint feed. */
  readonly #feeds = new Set<NodeSession>();
  #state: 'new' | 'serving' | 'stopped' = 'new';
  #stopListening: () => void = () => {};

  constructor({ store, clock, random, logger }: DispatcherParts) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#logger = logger;
    this.#liveness = new NodeLiveness({
      store,
      clock,
      logger,
      settings: () => this.#settings(),
      onDown: (nodeIds) => this.#endSilent(nodeIds),
    });
    this.#returning = new ReturningNodes(clock, (nodeId) => this.#markReady(nodeId));
    this.#statuses = new StatusQueue(store, logger);
    this.#departures = new Departures({ store, clock, logger });
  }

  /**
   * Begins to serve. Nodes that were ready are unknown until they come back, and keep their tasks until their grace
   * is over. Called once.
   */
  start(): void {
    this.#state = 'serving';
    this.#stopListening = this.#store.onCommitted((changes, state) => this.#observe(changes, state));
    this.#departures.start();
    this.#liveness.start();
  }

  /** Ends all sessions and serves no more: the leadership is over. Safe to call twice, and before {@link start}. */
  close(): void {
    this.#state = 'stopped';
    this.#stopListening();
    this.#liveness.close();
    this.#returning.clear();
    this.#departures.close();
    for (const session of this.#sessions.values()) session.end(unavailable());
    this.#sessions.clear();
    this.#feeds.clear();
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
    const { calls, known } = request;
    const id = newId<SessionId>(this.#random);
    const session = new NodeSession(
      { id, nodeId, calls, known, hasFeed: request.description.endpointFeed === true },
      {
        committed: () => this.#store.committed,
        holds: (task) => this.#departures.holds(task),
        journal: this.#journal,
      },
    );
    this.#sessions.set(nodeId, session);
    if (request.description.endpointFeed) this.#feeds.add(session);
    this.#liveness.heard(nodeId);
    try {
      await this.#store.transact(DISPATCHER, (head) => ({
        events: registration(request, head),
        result: undefined,
      }));
    } catch (error) {
      this.#logger.warn({ node: nodeId, error }, 'node was not registered');
      this.#close(session, error instanceof SessionError ? error : unavailable());
      throw session.ended ?? unavailable();
    }
    if (!session.ended && this.#store.head.node(nodeId)?.status.state === 'unknown')
      this.#returning.add(nodeId);
    if (signal.aborted) this.#close(session, new SessionError('session-invalid', 'its opening was given up'));
    signal.throwIfAborted();
    if (session.ended) throw session.ended;
    return session.port;
  }

  async heartbeat(nodeId: NodeId, id: SessionId): Promise<{ readonly heartbeatMs: number }> {
    this.#session(nodeId, id);
    this.#liveness.heard(nodeId);
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

  async confirmEndpoints(nodeId: NodeId, id: SessionId, index: number): Promise<void> {
    this.#session(nodeId, id);
    this.#departures.confirm(nodeId, index);
  }

  async leave(nodeId: NodeId, id: SessionId): Promise<void> {
    const session = this.#session(nodeId, id);
    try {
      await this.#store.transact(DISPATCHER, (head) => ({
        events: head.node(nodeId)?.status.state === 'leaving' ? [] : leaving(nodeId),
        result: undefined,
      }));
    } catch (error) {
      this.#logger.debug({ node: nodeId, error }, 'that a node leaves was not committed');
      throw session.ended ?? unavailable();
    }
    await this.#departures.confirmed(this.#store.committed.index);
  }

  async closeSession(nodeId: NodeId, id: SessionId): Promise<void> {
    const session = this.#session(nodeId, id);
    this.#close(session, new SessionError('session-invalid', 'the session was closed'));
  }

  #close(session: NodeSession, error: SessionError): void {
    session.end(error);
    if (this.#sessions.get(session.nodeId) !== session) return;
    this.#sessions.delete(session.nodeId);
    this.#returning.delete(session.nodeId);
    if (this.#state === 'serving') this.#liveness.closed(session.nodeId);
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

  #settings(): ClusterSpec['dispatcher'] {
    const { cluster } = this.#store.head;
    if (!cluster) throw new SessionError('unavailable', 'there is no cluster yet');
    return cluster.spec.dispatcher;
  }

  /** Ends the sessions of nodes that are given up; tells which had one. */
  #endSilent(nodeIds: readonly NodeId[]): Set<NodeId> {
    const silent = new Set<NodeId>();
    for (const nodeId of nodeIds) {
      const session = this.#sessions.get(nodeId);
      if (session) silent.add(nodeId);
      session?.end(new SessionError('session-invalid', 'no heartbeat came in time'));
      this.#sessions.delete(nodeId);
      this.#returning.delete(nodeId);
    }
    return silent;
  }

  #markReady(nodeId: NodeId): void {
    const done = this.#store.transact(DISPATCHER, (head) => ({
      events:
        head.node(nodeId)?.status.state === 'unknown'
          ? nodeStatus('ready', 'has stopped what was replaced', [nodeId])
          : [],
      result: undefined,
    }));
    done.catch((error: unknown) => this.#logger.debug({ node: nodeId, error }, 'node was not made ready'));
  }

  #observe(set: ChangeSet, state: ClusterState): void {
    const marked = new Set<NodeSession>();
    for (const { kind, before, after } of set.changes) {
      if (kind === 'node') this.#departures.observe(before, after);
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
        if (!before) this.#liveness.joined(after.id);
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
    for (const session of marked) {
      if (!state.node(session.nodeId)) continue;
      this.#wake(session);
      this.#returning.look(session.nodeId, state);
    }
    if (this.#feeds.size > 0 && this.#journal.observe(set, state)) this.#wakeFeeds();
  }

  #wakeFeeds(): void {
    for (const session of this.#feeds) {
      if (session.ended) this.#feeds.delete(session);
      else session.wakeEndpoints();
    }
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
    this.#liveness.forget(nodeId);
    this.#returning.delete(nodeId);
    this.#registrations.forget(nodeId);
  }
}

/** What a node's registration changes, if anything. */
function registration(request: SessionRequest, head: ClusterState): ClusterEvent[] {
  const { nodeId, description, address } = request;
  const node = head.node(nodeId);
  if (!node) throw nodeRemoved(nodeId);
  const events: ClusterEvent[] = [];
  if (node.status.address !== address || !plainEqual(node.description, description)) {
    events.push({ type: 'node.described', id: nodeId, description, address });
  }
  if (request.leaving) return node.status.state === 'leaving' ? events : [...events, ...leaving(nodeId)];
  if (node.status.state === 'ready') return events;
  const stops = node.status.state === 'down' && hasReplacedTasks(head, nodeId);
  return stops
    ? [...events, ...nodeStatus('unknown', 'is back, and stops what was replaced meanwhile', [nodeId])]
    : [...events, ...nodeStatus('ready', 'has a session', [nodeId])];
}

const leaving = (nodeId: NodeId) => nodeStatus('leaving', 'stops its tasks and goes', [nodeId]);
const unavailable = () => new SessionError('unavailable', 'no leader serves here just now');
const nodeRemoved = (nodeId: NodeId) =>
  new SessionError('node-removed', `node ${nodeId} is not of this cluster`);
