/** One session of this node's agent, held open by a stream to the managers for as long as both live. */

import { setMaxListeners } from 'node:events';
import {
  type AssignmentsMessage,
  type EndpointsMessage,
  type Session,
  SessionError,
  type SessionId,
  type SessionMessage,
  type SessionRequest,
} from '@skep/core/member';
import type { ManagerLink } from '../rpc/manager-link.ts';
import { toWireError } from '../rpc/wire-error.ts';
import { whole } from './assignment-parts.ts';
import { answerOne } from './call-answers.ts';
import { Mailbox } from './mailbox.ts';
import { type FromAgent, followAssignments, followEndpoints, openSession, type ToAgent } from './methods.ts';
import { sessionErrorOf } from './session-error.ts';

interface Beat {
  readonly resolve: (answer: { readonly heartbeatMs: number }) => void;
  readonly reject: (error: SessionError) => void;
}

/** A session, as the agent's side holds it. */
export class RemoteSession implements Session {
  readonly id: SessionId;
  readonly messages: AsyncIterable<SessionMessage>;
  readonly assignments: AsyncIterable<AssignmentsMessage>;
  readonly endpoints: AsyncIterable<EndpointsMessage>;
  readonly #link: ManagerLink;
  readonly #calls: SessionRequest['calls'];
  readonly #toManagers: Mailbox<FromAgent>;
  readonly #node = new Mailbox<SessionMessage>();
  readonly #life: AbortController;
  readonly #beats: Beat[] = [];
  readonly #over: Promise<void>;

  private constructor(link: ManagerLink, opening: Opening) {
    this.#link = link;
    this.id = opening.id;
    this.#calls = opening.calls;
    this.#toManagers = opening.toManagers;
    this.#life = opening.life;
    this.messages = this.#untilLeft(this.#node);
    this.assignments = this.#assignments();
    this.endpoints = { [Symbol.asyncIterator]: () => this.#endpoints() };
    this.#over = this.#read(opening.answers);
  }

  /** @throws SessionError */
  static async open(link: ManagerLink, request: SessionRequest, signal: AbortSignal): Promise<RemoteSession> {
    const { description, address, calls, known, leaving } = request;
    const life = new AbortController();
    // Every call that the managers make listens to it.
    setMaxListeners(0, life.signal);
    const giveUp = () => life.abort(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    const toManagers = new Mailbox<FromAgent>();
    void toManagers.put({
      kind: 'open',
      description,
      address,
      ...(known ? { known } : {}),
      ...(leaving ? { leaving } : {}),
    });
    try {
      const stream = await link.duplex(openSession, toManagers, { signal: life.signal });
      const answers = stream[Symbol.asyncIterator]();
      const first = await answers.next();
      if (first.done || first.value.kind !== 'opened') {
        throw new SessionError('unavailable', 'the managers did not say that the session is open');
      }
      return new RemoteSession(link, { id: first.value.session, calls, toManagers, life, answers });
    } catch (error) {
      toManagers.end();
      life.abort(error);
      throw sessionErrorOf(error);
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** @throws SessionError when the session is over. */
  heartbeat(): Promise<{ readonly heartbeatMs: number }> {
    return new Promise((resolve, reject) => {
      if (this.#life.signal.aborted) {
        reject(sessionErrorOf(this.#life.signal.reason));
        return;
      }
      this.#beats.push({ resolve, reject });
      void this.#toManagers.put({ kind: 'heartbeat' });
    });
  }

  /** Ends it: the managers hear that the agent leaves. Resolves once they have, or are out of reach. */
  async close(): Promise<void> {
    this.#toManagers.end();
    await this.#over;
  }

  /** Ends it at once: nobody answers. */
  abandon(error: SessionError): void {
    this.#life.abort(error);
  }

  async #read(answers: AsyncIterator<ToAgent>): Promise<void> {
    let reason: unknown = new SessionError('session-invalid', 'the managers ended the session');
    try {
      for (let next = await answers.next(); !next.done; next = await answers.next()) this.#take(next.value);
    } catch (error) {
      reason = this.#life.signal.aborted ? this.#life.signal.reason : error;
    }
    const error = sessionErrorOf(reason);
    this.#life.abort(error);
    this.#toManagers.end();
    this.#node.end(error);
    for (const { reject } of this.#beats.splice(0)) reject(error);
  }

  #take(message: ToAgent): void {
    switch (message.kind) {
      case 'heartbeat':
        this.#beats.shift()?.resolve({ heartbeatMs: message.heartbeatMs });
        return;
      case 'node':
        // Not waited for: a heartbeat's answer must not stand behind it, and there is one only for each change.
        void this.#node.put(message.message);
        return;
      case 'call':
        void answerOne(this.#link, this.#calls, {
          ...{ session: this.id, call: message.call, ask: message.ask, signal: this.#life.signal },
          onUnanswered: (error) => {
            void this.#toManagers.put({ kind: 'unanswered', call: message.call, error: toWireError(error) });
          },
        });
        return;
      case 'opened':
        return;
    }
  }

  /** An agent that reads no further is done with the session, also while it waits for the next message. */
  #untilLeft<T>(items: Mailbox<T>): AsyncIterable<T> {
    const leave = async () => {
      this.#toManagers.end();
      items.end();
      return { done: true, value: undefined } as const;
    };
    return {
      [Symbol.asyncIterator]() {
        const reading = items[Symbol.asyncIterator]();
        return { next: () => reading.next(), return: leave };
      },
    };
  }

  async *#assignments(): AsyncGenerator<AssignmentsMessage, void, undefined> {
    const { signal } = this.#life;
    try {
      yield* whole(await this.#link.serverStream(followAssignments, { session: this.id }, { signal }));
    } catch (error) {
      throw sessionErrorOf(signal.aborted ? signal.reason : error);
    }
  }

  async *#endpoints(): AsyncGenerator<EndpointsMessage, void, undefined> {
    const { signal } = this.#life;
    try {
      yield* await this.#link.serverStream(followEndpoints, { session: this.id }, { signal });
    } catch (error) {
      throw sessionErrorOf(signal.aborted ? signal.reason : error);
    }
  }
}

interface Opening {
  readonly id: SessionId;
  readonly calls: SessionRequest['calls'];
  readonly toManagers: Mailbox<FromAgent>;
  readonly life: AbortController;
  readonly answers: AsyncIterator<ToAgent>;
}
