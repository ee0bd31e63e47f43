/** The dispatcher of whoever leads in this process, as agents see it: they need not know when the leader changes. */

import type { Dispatcher } from '../manager/dispatcher/dispatcher.ts';
import type { Manager } from '../manager/manager.ts';
import type { NodeId, SessionId } from '../model/ids.ts';
import {
  type DispatcherPort,
  type Session,
  SessionError,
  type SessionRequest,
  type StatusReport,
} from '../worker/dispatcher-port.ts';

/** Passes an agent's calls to the present leader, or answers that there is none. */
export class LeaderDispatcher implements DispatcherPort {
  readonly #manager: Manager;

  constructor(manager: Manager) {
    this.#manager = manager;
  }

  async openSession(request: SessionRequest, signal: AbortSignal): Promise<Session> {
    return this.#leader().openSession(request, signal);
  }

  async heartbeat(nodeId: NodeId, session: SessionId): Promise<{ readonly heartbeatMs: number }> {
    return this.#leader().heartbeat(nodeId, session);
  }

  async reportStatus(nodeId: NodeId, session: SessionId, reports: readonly StatusReport[]): Promise<void> {
    return this.#leader().reportStatus(nodeId, session, reports);
  }

  async confirmEndpoints(nodeId: NodeId, session: SessionId, index: number): Promise<void> {
    return this.#leader().confirmEndpoints(nodeId, session, index);
  }

  async leave(nodeId: NodeId, session: SessionId): Promise<void> {
    return this.#leader().leave(nodeId, session);
  }

  async closeSession(nodeId: NodeId, session: SessionId): Promise<void> {
    return this.#leader().closeSession(nodeId, session);
  }

  #leader(): Dispatcher {
    const { leading } = this.#manager;
    if (!leading) throw new SessionError('unavailable', 'no manager leads just now');
    return leading.dispatcher;
  }
}
