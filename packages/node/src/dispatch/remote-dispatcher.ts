/** The managers' dispatcher as this node's agent sees it: over the link to any of them, whoever leads. */

import type { Clock, NodeId } from '@skep/core';
import {
  type DispatcherPort,
  type Session,
  SessionError,
  type SessionId,
  type SessionRequest,
  type StatusReport,
} from '@skep/core/member';
import type { ManagerLink } from '../rpc/manager-link.ts';
import { confirmEndpoints, leave, reportStatuses } from './methods.ts';
import { RemoteSession } from './remote-session.ts';
import { sessionErrorOf } from './session-error.ts';

/**
 * A heartbeat that is not answered within so long means that the way is cut, in ms. With the heartbeat before it, it
 * leaves time to come back by another way before the managers give the node up.
 */
const BEAT_MS = 2_500;

/** The way of one agent. It has one session at a time. */
export class RemoteDispatcher implements DispatcherPort {
  readonly #link: ManagerLink;
  readonly #clock: Clock;
  #session: RemoteSession | undefined;

  constructor(link: ManagerLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  async openSession(request: SessionRequest, signal: AbortSignal): Promise<Session> {
    const session = await RemoteSession.open(this.#link, request, signal);
    this.#session?.abandon(new SessionError('session-invalid', 'a newer session took its place'));
    this.#session = session;
    return session;
  }

  async heartbeat(_: NodeId, id: SessionId): Promise<{ readonly heartbeatMs: number }> {
    const session = this.#of(id);
    const cancel = this.#clock.setTimer(BEAT_MS, () => {
      session.abandon(new SessionError('unavailable', `a heartbeat was not answered within ${BEAT_MS} ms`));
    });
    try {
      return await session.heartbeat();
    } finally {
      cancel();
    }
  }

  async reportStatus(_: NodeId, id: SessionId, reports: readonly StatusReport[]): Promise<void> {
    this.#of(id);
    try {
      await this.#link.unary(reportStatuses, { session: id, reports: [...reports] });
    } catch (error) {
      throw sessionErrorOf(error);
    }
  }

  async confirmEndpoints(_: NodeId, id: SessionId, index: number): Promise<void> {
    this.#of(id);
    try {
      await this.#link.unary(confirmEndpoints, { session: id, index });
    } catch (error) {
      throw sessionErrorOf(error);
    }
  }

  async leave(_: NodeId, id: SessionId): Promise<void> {
    this.#of(id);
    try {
      await this.#link.unary(leave, { session: id });
    } catch (error) {
      throw sessionErrorOf(error);
    }
  }

  async closeSession(_: NodeId, id: SessionId): Promise<void> {
    await this.#of(id).close();
  }

  #of(id: SessionId): RemoteSession {
    const session = this.#session;
    if (session === undefined || session.id !== id) {
      throw new SessionError('session-invalid', 'there is no such session');
    }
    return session;
  }
}
