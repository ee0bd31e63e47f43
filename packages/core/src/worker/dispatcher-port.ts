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
import type { NodeId, SessionId, TaskId } from '../model/ids.ts';
import type { Node, NodeDescription, Task, TaskStatus } from '../model/objects.ts';

/** A task as an agent gets it: what to run and where to take it. */
export interface AssignedTask {
  readonly task: Task;
  readonly serviceName: string;
  /** For templates. Absent when the service has none. */
  readonly serviceLabels?: Readonly<Record<string, string>>;
}

/** What this node should run. Sent in order; the first of a session is always complete. */
export type AssignmentsMessage =
  | {
      /** All of it: what is not listed should not be here. */
      readonly kind: 'complete';
      readonly tasks: readonly AssignedTask[];
      readonly files: readonly AssignedFile[];
    }
  | {
      /** Only what changed since the message before. */
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
  readonly file: Omit<TaskFile, 'target' | 'mode'>;
  /** The text is a template, to be filled in for each task. */
  readonly template?: boolean;
}

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
}

/** A session that the managers opened. */
export interface Session {
  readonly id: SessionId;
  /** First the node as it is, then each change. Ends when the session ends. */
  readonly messages: AsyncIterable<SessionMessage>;
  /**
   * What this node should run. Ends when the session ends. What changes while nobody reads is told once, as it is
   * then; whoever begins to read anew ends the reader before and gets a complete set first.
   */
  readonly assignments: AsyncIterable<AssignmentsMessage>;
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
  /** The agent leaves on purpose. */
  closeSession(nodeId: NodeId, session: SessionId): Promise<void>;
}
