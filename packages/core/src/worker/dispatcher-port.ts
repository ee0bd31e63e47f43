/**
 * What an agent asks of the managers, and what the managers may ask of an agent, as a port: in one process it is a
 * function call, between machines an RPC. Nothing of the state or of the log shows through it.
 */

import type {
  ExecOptions,
  ExecOutput,
  ExecResult,
  LogChunk,
  LogOptions,
  TaskFile,
  TaskStats,
} from '../driver/runtime-driver.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { NetworkId, NodeId, ServiceId, SessionId, TaskId } from '../model/ids.ts';
import type { Node, NodeDescription, Task, TaskStatus } from '../model/objects.ts';
import type { TrafficClient, TrafficNetwork, TrafficNode, TrafficService } from '../model/traffic.ts';

/** A task as an agent gets it: what to run and where to take it. */
export interface AssignedTask {
  readonly task: Task;
  readonly serviceName: string;
  /** For templates. Absent when the service has none. */
  readonly serviceLabels?: Readonly<Record<string, string>>;
  /** Between being told to stop and the stop signal, for what was sent to it before; milliseconds. Absent: 0. */
  readonly drainDelayMs?: number;
  /** It is to stop, and not yet: somebody may still send it traffic. It is told again when nobody does. */
  readonly held?: true;
}

/**
 * What this node should run. Sent in order; the first of a session is complete, unless the agent said what it knows:
 * then it is what that lacks.
 */
export type AssignmentsMessage =
  | {
      /** All of it: what is not listed should not be here. */
      readonly kind: 'complete';
      readonly tasks: readonly AssignedTask[];
      readonly files: readonly AssignedFile[];
    }
  | {
      /** Only what changed since the message before, or since the session before. */
      readonly kind: 'incremental';
      readonly update: readonly AssignedTask[];
      readonly remove: readonly TaskId[];
      readonly updateFiles: readonly AssignedFile[];
      readonly removeFiles: readonly string[];
    };

/** A secret or config that some task here refers to. */
export interface AssignedFile {
  /** `secret/NAME/REVISION` or `config/NAME/REVISION`. */
  readonly key: string;
  /** Another one where the content is another; tells nothing of it. */
  readonly version: string;
  readonly file: Omit<TaskFile, 'target' | 'mode'>;
  /** The text is a template, to be filled in for each task. */
  readonly template?: boolean;
}

/**
 * What an agent was told in earlier sessions and holds still. Named thing by thing rather than by an index of the log:
 * so any manager can tell what it lacks, also one that was restored from a backup, and an agent's own reports, which
 * move the index on, cost nothing.
 */
export interface KnownAssignments {
  readonly tasks: readonly KnownTask[];
  readonly files: readonly KnownFile[];
}

/** All that may change about an assigned task. */
export type KnownTask = Pick<Task, 'id' | 'desiredState'> & Pick<AssignedTask, 'held'>;

export type KnownFile = Pick<AssignedFile, 'key' | 'version'>;

/** A task that may receive traffic, and the service that it is of. */
export interface ServiceEndpoint extends Endpoint {
  readonly serviceId: ServiceId;
  /** `web.1.<id>`. */
  readonly name: string;
}

/** What is told anew, in place of what was told of it, and what is no more. */
export interface Told<T, Id> {
  readonly set: readonly T[];
  /** Also such as were never told. */
  readonly removed: readonly Id[];
}

/**
 * Who may receive traffic, and what else passing it on takes. Sent in order, to nodes that ask for it; the first of a
 * session is always complete.
 */
export type EndpointsMessage = {
  /** The state that it tells of. Confirmed once it is taken in. */
  readonly index: number;
} & (
  | {
      /** All of them: what is not listed receives nothing. */
      readonly kind: 'complete';
      readonly endpoints: readonly ServiceEndpoint[];
      readonly services: readonly TrafficService[];
      readonly networks: readonly TrafficNetwork[];
      /** Those that are in networks. */
      readonly nodes: readonly TrafficNode[];
      /** Tasks of the node that is told. */
      readonly clients: readonly TrafficClient[];
    }
  | {
      /** Only what changed since the message before. */
      readonly kind: 'incremental';
      /** New ones, and ones that are told anew, in place of what was told of them. */
      readonly joined: readonly ServiceEndpoint[];
      /** Also such as were never told. */
      readonly left: readonly TaskId[];
      readonly services?: Told<TrafficService, ServiceId>;
      readonly networks?: Told<TrafficNetwork, NetworkId>;
      readonly nodes?: Told<TrafficNode, NodeId>;
      readonly clients?: Told<TrafficClient, TaskId>;
    }
);

/** What the managers tell an agent for as long as its session lasts. */
export interface SessionMessage {
  /** The node as the managers see it. */
  readonly node: Node;
  /** How often to send heartbeats. */
  readonly heartbeatMs: number;
}

/** One task's newest status. */
export interface StatusReport {
  readonly id: TaskId;
  readonly status: TaskStatus;
}

/** What managers may ask of an agent during its session. */
export interface WorkerCalls {
  logs(id: TaskId, options: LogOptions): AsyncIterable<LogChunk>;
  exec(id: TaskId, command: readonly string[], signal: AbortSignal): Promise<ExecResult>;
  execInteractive(id: TaskId, command: readonly string[], options: ExecOptions): AsyncIterable<ExecOutput>;
  stats(id: TaskId, signal: AbortSignal): Promise<TaskStats>;
}

/** What an agent says of itself to open a session. */
export interface SessionRequest {
  readonly nodeId: NodeId;
  readonly description: NodeDescription;
  /** Address under which ports of this node are reached. */
  readonly address: string;
  readonly calls: WorkerCalls;
  /** What the agent need not be told again. Absent: nothing, as after its start. */
  readonly known?: KnownAssignments;
  /** The agent is about to go: it stops its tasks and takes no more. */
  readonly leaving?: true;
}

/** A session that the managers opened. */
export interface Session {
  readonly id: SessionId;
  /** First the node as it is, then each change. Ends when the session ends. */
  readonly messages: AsyncIterable<SessionMessage>;
  /**
   * What this node should run. Ends when the session ends. What changes while nobody reads is told once, as it is
   * then; whoever begins to read anew in one session ends the reader before and gets a complete set first.
   */
  readonly assignments: AsyncIterable<AssignmentsMessage>;
  /**
   * Who may receive traffic, for a node whose description says that it has an endpoint feed. Read as `assignments`;
   * each message is confirmed by {@link DispatcherPort.confirmEndpoints} once nothing goes to those that left.
   */
  readonly endpoints: AsyncIterable<EndpointsMessage>;
}

/** Why a session is no more, as a stable code. */
export type SessionErrorCode =
  /** No such session, or another one of the same node took its place. Open a new one. */
  | 'session-invalid'
  /** The node was removed from the cluster. */
  | 'node-removed'
  /** No leader just now, or too many registrations. Try again. */
  | 'unavailable';

/** What a dispatcher answers when it can't serve. */
export class SessionError extends Error {
  override readonly name = 'SessionError';
  readonly code: SessionErrorCode;

  constructor(code: SessionErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The managers' side, as an agent sees it. Every call may throw {@link SessionError}. */
export interface DispatcherPort {
  /** Opens a session; resolves once the node is ready in committed state. An older session of the node ends. */
  openSession(request: SessionRequest, signal: AbortSignal): Promise<Session>;
  /** Says that the agent lives. Answers when to say so next. */
  heartbeat(nodeId: NodeId, session: SessionId): Promise<{ readonly heartbeatMs: number }>;
  /** Reports statuses. Resolves once they are committed; a report that was not is sent again. */
  reportStatus(nodeId: NodeId, session: SessionId, reports: readonly StatusReport[]): Promise<void>;
  /** Says that the node sends nothing any more to tasks that were no endpoints at this index. */
  confirmEndpoints(nodeId: NodeId, session: SessionId, index: number): Promise<void>;
  /**
   * Says that the agent is about to stop its tasks and go. Resolves once they have left every endpoint feed, and those
   * who follow one have confirmed or were waited for long enough: then the tasks may be stopped.
   */
  leave(nodeId: NodeId, session: SessionId): Promise<void>;
  /** The agent leaves on purpose. */
  closeSession(nodeId: NodeId, session: SessionId): Promise<void>;
}
