/** The ways between the processes of a simulated cluster: of agents to the leader, and of commands to it. */

import type { Cluster, NodeId } from '@skep/core';
import { isSkepError, OutcomeUnknownError, UnavailableError } from '@skep/core';
import type { EventLog } from '@skep/core/log';
import {
  type CommandForwarder,
  type CommandRequest,
  type CommandResponse,
  type DispatcherPort,
  type Session,
  SessionError,
  type SessionRequest,
  type StatusReport,
  type WorkerCalls,
} from '@skep/core/member';
import { type Calls, ConnectionError, type Endpoint } from './calls.ts';

type SessionId = Session['id'];

/** A manager as others reach it. */
export interface ManagerDoor {
  readonly name: string;
  /** Its present life, while it has one. */
  readonly endpoint: Endpoint | undefined;
  /** What serves there, once it is open. */
  readonly cluster: Cluster | undefined;
}

/** Changes or watches what passes between managers and agents: how a test plants a bug, or looks on. */
export type DispatcherWrapper = (port: DispatcherPort, worker: string) => DispatcherPort;

/** The same for a manager's log, and for its way to the leader. */
export type LogWrapper = (log: EventLog, manager: string) => EventLog;
export type ForwarderWrapper = (forwarder: CommandForwarder, manager: string) => CommandForwarder;

/** Sends commands from a manager that follows to the one that leads. */
export function commandRoute(
  calls: Calls,
  from: Endpoint,
  leader: () => ManagerDoor | undefined,
): CommandForwarder {
  return {
    async forward(request: CommandRequest, signal: AbortSignal): Promise<CommandResponse> {
      const door = leader();
      if (door === undefined || door.endpoint === from) {
        throw new UnavailableError('not-leader', 'no other manager is known to lead');
      }
      try {
        return await calls.call(
          from,
          door.name,
          () => door.endpoint,
          () => servedBy(door).carryOut(request),
          signal,
        );
      } catch (error) {
        if (!(error instanceof ConnectionError) && !isClosing(error)) throw error;
        const { message } = error as Error;
        if (error instanceof ConnectionError && error.code === 'refused') {
          throw new UnavailableError('not-leader', message);
        }
        throw new OutcomeUnknownError(request.options.commandId, message);
      }
    },
  };
}

/** The managers, as the agent of one worker sees them: it asks one after the other until one leads. */
export class AgentRoute implements DispatcherPort {
  readonly #calls: Calls;
  readonly #from: Endpoint;
  readonly #managers: () => readonly ManagerDoor[];
  readonly #wrap: (port: DispatcherPort) => DispatcherPort;
  #at: number;
  /** Where the sessions are. */
  readonly #homes = new Map<SessionId, { readonly door: ManagerDoor; readonly endpoint: Endpoint }>();

  constructor(parts: {
    readonly calls: Calls;
    readonly from: Endpoint;
    /** Those there are now. */
    readonly managers: () => readonly ManagerDoor[];
    readonly firstAsked: number;
    readonly wrap: (port: DispatcherPort) => DispatcherPort;
  }) {
    this.#calls = parts.calls;
    this.#from = parts.from;
    this.#managers = parts.managers;
    this.#at = parts.firstAsked;
    this.#wrap = parts.wrap;
  }

  async openSession(request: SessionRequest, signal: AbortSignal): Promise<Session> {
    let refusal: unknown;
    const managers = this.#managers();
    for (let tries = 0; tries < managers.length; tries++) {
      const door = managers[this.#at % managers.length];
      if (door === undefined) break;
      try {
        return await this.#openAt(door, request, signal);
      } catch (error) {
        if (signal.aborted || !isElsewhere(error)) throw asSessionError(error);
        refusal = error;
        this.#at += 1;
      }
    }
    throw asSessionError(refusal);
  }

  heartbeat(nodeId: NodeId, session: SessionId): Promise<{ readonly heartbeatMs: number }> {
    return this.#ask(session, (port) => port.heartbeat(nodeId, session));
  }

  reportStatus(nodeId: NodeId, session: SessionId, reports: readonly StatusReport[]): Promise<void> {
    return this.#ask(session, (port) => port.reportStatus(nodeId, session, reports));
  }

  confirmEndpoints(nodeId: NodeId, session: SessionId, index: number): Promise<void> {
    return this.#ask(session, (port) => port.confirmEndpoints(nodeId, session, index));
  }

  leave(nodeId: NodeId, session: SessionId): Promise<void> {
    return this.#ask(session, (port) => port.leave(nodeId, session));
  }

  async closeSession(nodeId: NodeId, session: SessionId): Promise<void> {
    await this.#ask(session, (port) => port.closeSession(nodeId, session));
    this.#homes.delete(session);
  }

  async #openAt(door: ManagerDoor, request: SessionRequest, signal: AbortSignal): Promise<Session> {
    const { endpoint } = door;
    let serving: Endpoint | undefined;
    const session = await this.#calls.call(
      this.#from,
      door.name,
      () => {
        serving = door.endpoint;
        return serving;
      },
      () => {
        const back = this.#callsBack(serving ?? this.#from, request.calls);
        return this.#port(door).openSession({ ...request, calls: back }, new AbortController().signal);
      },
      signal,
    );
    const home = serving ?? endpoint ?? this.#from;
    this.#homes.clear();
    this.#homes.set(session.id, { door, endpoint: home });
    return {
      id: session.id,
      messages: this.#calls.stream(this.#from, home, session.messages),
      assignments: this.#calls.stream(this.#from, home, session.assignments),
      endpoints: this.#calls.stream(this.#from, home, session.endpoints),
    };
  }

  async #ask<T>(session: SessionId, serve: (port: DispatcherPort) => Promise<T>): Promise<T> {
    const home = this.#homes.get(session);
    if (home === undefined) throw new SessionError('session-invalid', 'there is no such session here');
    const { door, endpoint } = home;
    try {
      return await this.#calls.call(
        this.#from,
        door.name,
        () => endpoint,
        () => serve(this.#port(door)),
      );
    } catch (error) {
      throw asSessionError(error);
    }
  }

  #port(door: ManagerDoor): DispatcherPort {
    return this.#wrap(servedBy(door).dispatcher);
  }

  /** The agent, as a manager reaches it. */
  #callsBack(manager: Endpoint, calls: WorkerCalls): WorkerCalls {
    const agent = this.#from;
    return {
      exec: (id, command, signal) =>
        this.#calls.call(
          manager,
          agent.name,
          () => agent,
          () => calls.exec(id, command, signal),
          signal,
        ),
      stats: (id, signal) =>
        this.#calls.call(
          manager,
          agent.name,
          () => agent,
          () => calls.stats(id, signal),
          signal,
        ),
      logs: (id, options) =>
        this.#calls.stream(manager, agent, {
          [Symbol.asyncIterator]: () => calls.logs(id, options)[Symbol.asyncIterator](),
        }),
      execInteractive: (id, command, options) =>
        this.#calls.stream(manager, agent, {
          [Symbol.asyncIterator]: () => calls.execInteractive(id, command, options)[Symbol.asyncIterator](),
        }),
    };
  }
}

function servedBy(door: ManagerDoor): Cluster {
  if (door.cluster === undefined) throw new UnavailableError('not-leader', `${door.name} is not open yet`);
  return door.cluster;
}

/** Another manager may do. */
function isElsewhere(error: unknown): boolean {
  return (
    error instanceof ConnectionError ||
    error instanceof UnavailableError ||
    isClosing(error) ||
    (error instanceof SessionError && error.code === 'unavailable')
  );
}

function isClosing(error: unknown): boolean {
  return isSkepError(error) && error.code === 'CLOSED';
}

function asSessionError(error: unknown): unknown {
  if (error instanceof SessionError || !isElsewhere(error)) return error;
  return new SessionError('unavailable', (error as Error).message);
}
