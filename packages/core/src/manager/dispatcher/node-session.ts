/** One session as the managers hold it: what its node has yet to be told, and the streams that tell it. */

import type { NodeId, SessionId, TaskId } from '../../model/ids.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type {
  AssignmentsMessage,
  EndpointsMessage,
  KnownAssignments,
  Session,
  SessionError,
  SessionMessage,
  WorkerCalls,
} from '../../worker/dispatcher-port.ts';
import { completeSet, type Holds, incrementalSet, resumedSet, toldNothing } from './assignments.ts';
import { OwnClients } from './own-clients.ts';
import { PullStream } from './pull-stream.ts';
import { allTraffic, type TrafficJournal } from './traffic-journal.ts';

/** What a session tells from. */
export interface SessionSources {
  /** Gives the newest committed state, which all that is told comes from. */
  readonly committed: () => ClusterState;
  readonly holds: Holds;
  readonly journal: TrafficJournal;
}

/** A session of a node. */
export class NodeSession {
  readonly id: SessionId;
  readonly nodeId: NodeId;
  readonly calls: WorkerCalls;
  readonly #sources: SessionSources;
  readonly #told = toldNothing();
  readonly #dirty = new Set<TaskId>();
  readonly #assignments: PullStream<AssignmentsMessage>;
  readonly #messages: PullStream<SessionMessage>;
  readonly #endpoints: PullStream<EndpointsMessage>;
  /** What the first reader of assignments has from sessions before. */
  #known: KnownAssignments | undefined;
  /** Where it stands in the journal of traffic. */
  #place = 0;
  readonly #clients: OwnClients | undefined;
  #nodeChanged = true;
  #ended: SessionError | undefined;

  constructor(
    session: {
      readonly id: SessionId;
      readonly nodeId: NodeId;
      readonly calls: WorkerCalls;
      readonly known: KnownAssignments | undefined;
      /** Its node has an endpoint feed. */
      readonly hasFeed: boolean;
    },
    sources: SessionSources,
  ) {
    this.id = session.id;
    this.nodeId = session.nodeId;
    this.calls = session.calls;
    this.#known = session.known;
    this.#clients = session.hasFeed ? new OwnClients(session.nodeId) : undefined;
    this.#sources = sources;
    this.#assignments = new PullStream((first) => this.#nextAssignments(first));
    this.#messages = new PullStream((first) => this.#nextMessage(first));
    this.#endpoints = new PullStream((first) => this.#nextEndpoints(first));
  }

  /** Why it is over, once it is. */
  get ended(): SessionError | undefined {
    return this.#ended;
  }

  /** The session as its agent sees it. */
  get port(): Session {
    const { id } = this;
    return { id, messages: this.#messages, assignments: this.#assignments, endpoints: this.#endpoints };
  }

  /** A task of this node changed. Nothing is told before {@link wake}. */
  markTask(id: TaskId): void {
    this.#dirty.add(id);
    this.#clients?.mark(id);
  }

  /** The node's row, or a setting that its agent follows, changed. */
  markNode(): void {
    this.#nodeChanged = true;
  }

  /** Tells what was marked, to whoever is waiting for it. */
  wake(): void {
    this.#assignments.wake();
    this.#messages.wake();
    if (this.#clients) this.#endpoints.wake();
  }

  /** Endpoints changed. */
  wakeEndpoints(): void {
    this.#endpoints.wake();
  }

  /** Ends the session; its streams end and later calls are answered with this error. */
  end(error: SessionError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#assignments.end();
    this.#messages.end();
    this.#endpoints.end();
  }

  #nextAssignments(first: boolean): AssignmentsMessage | undefined {
    const { holds } = this.#sources;
    const state = this.#sources.committed();
    if (first) {
      this.#dirty.clear();
      const known = this.#known;
      this.#known = undefined;
      return known === undefined
        ? completeSet(this.nodeId, state, this.#told, holds)
        : resumedSet(this.nodeId, state, this.#told, known, holds);
    }
    while (this.#dirty.size > 0) {
      const message = incrementalSet(this.nodeId, state, this.#told, this.#dirty, holds);
      if (message) return message;
    }
    return undefined;
  }

  #nextMessage(first: boolean): SessionMessage | undefined {
    if (!first && !this.#nodeChanged) return undefined;
    const state = this.#sources.committed();
    const node = state.node(this.nodeId);
    if (!node || !state.cluster) return undefined;
    this.#nodeChanged = false;
    return { node, heartbeatMs: state.cluster.spec.dispatcher.heartbeatMs };
  }

  #nextEndpoints(first: boolean): EndpointsMessage | undefined {
    const { journal, committed } = this.#sources;
    const state = committed();
    const message = first ? allTraffic(state) : journal.since(this.#place, state);
    this.#place = journal.end;
    if (message?.kind === 'complete') return { ...message, clients: this.#clients?.all(state) ?? [] };
    const clients = this.#clients?.changed(state);
    if (!clients) return message;
    return { kind: 'incremental', index: state.index, joined: [], left: [], ...message, clients };
  }
}
