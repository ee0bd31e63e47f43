/**
 * The leader's side of the agents' sessions: what comes over the wire goes to the core's dispatcher, as the node that
 * the caller's certificate says.
 */

import { type Cluster, type Logger, type NodeId, PreconditionError } from '@skep/core';
import {
  type DispatcherPort,
  type EndpointsMessage,
  type Session,
  SessionError,
  type SessionId,
} from '@skep/core/member';
import { NodeError } from '../errors.ts';
import type { NodeCall, RpcServer } from '../rpc/server.ts';
import { fromWireError } from '../rpc/wire-error.ts';
import { AgentCalls } from './agent-calls.ts';
import { serveForwardedAsks } from './agent-forwarding.ts';
import { partsOf } from './assignment-parts.ts';
import { Mailbox } from './mailbox.ts';
import {
  type AssignmentsPart,
  answerCall,
  confirmEndpoints,
  type FromAgent,
  type FromAnswerer,
  followAssignments,
  followEndpoints,
  leave,
  openSession,
  reportStatuses,
  type ToAgent,
} from './methods.ts';

/** What it works with. */
export interface DispatcherServiceParts {
  readonly cluster: Cluster;
  readonly logger: Logger;
}

interface Open {
  readonly session: Session;
  readonly calls: AgentCalls;
}

/** Answers agents, for as long as this member leads. */
export class DispatcherService {
  readonly #dispatcher: DispatcherPort;
  readonly #logger: Logger;
  readonly #open = new Map<NodeId, Open>();

  constructor({ cluster, logger }: DispatcherServiceParts) {
    this.#dispatcher = cluster.dispatcher;
    this.#logger = logger;
  }

  serve(server: RpcServer): void {
    server.serve(openSession, (requests, call) => this.#session(requests, call));
    server.serve(followAssignments, ({ session }, call) => this.#assignments(session, call));
    server.serve(followEndpoints, ({ session }, call) => this.#endpoints(session, call));
    server.serve(confirmEndpoints, async ({ session, index }, { caller }) => {
      await this.#dispatcher.confirmEndpoints(caller.identity.nodeId, session, index);
    });
    server.serve(leave, async ({ session }, { caller }) => {
      await this.#dispatcher.leave(caller.identity.nodeId, session);
    });
    server.serve(reportStatuses, async ({ session, reports }, { caller }) => {
      await this.#dispatcher.reportStatus(caller.identity.nodeId, session, reports);
    });
    server.serve(answerCall, (answers, call) => this.#answered(answers, call));
    serveForwardedAsks(server, (nodeId) => {
      const open = this.#open.get(nodeId);
      if (open === undefined) throw new PreconditionError(`node ${nodeId} is not connected now`);
      return open.calls;
    });
  }

  async *#session(
    requests: AsyncIterable<FromAgent>,
    { caller, signal }: NodeCall,
  ): AsyncGenerator<ToAgent, void, undefined> {
    const { nodeId } = caller.identity;
    const said = requests[Symbol.asyncIterator]();
    const first = await said.next();
    if (first.done || first.value.kind !== 'open') {
      throw new NodeError('MALFORMED', 'a session begins with a description of the node');
    }
    const { description, address, known, leaving } = first.value;
    const toAgent = new Mailbox<ToAgent>();
    signal.addEventListener('abort', () => toAgent.end(signal.reason), { once: true });
    const calls = new AgentCalls(toAgent);
    const session = await this.#dispatcher.openSession(
      {
        ...{ nodeId, description, address, calls },
        ...(known ? { known } : {}),
        ...(leaving ? { leaving } : {}),
      },
      signal,
    );
    const open: Open = { session, calls };
    this.#open.set(nodeId, open);
    this.#logger.debug({ node: nodeId, via: caller.via }, 'a node has a session');
    try {
      yield { kind: 'opened', session: session.id };
      void this.#hear(said, nodeId, open, toAgent);
      void this.#tell(nodeId, session, toAgent);
      yield* toAgent;
    } finally {
      if (this.#open.get(nodeId) === open) this.#open.delete(nodeId);
      calls.end();
      toAgent.end();
      await this.#dispatcher.closeSession(nodeId, session.id).catch(() => {});
    }
  }

  /** Answers heartbeats until the agent has no more to say. Never rejects. */
  async #hear(
    said: AsyncIterator<FromAgent>,
    nodeId: NodeId,
    { session: { id }, calls }: Open,
    toAgent: Mailbox<ToAgent>,
  ): Promise<void> {
    try {
      for (let next = await said.next(); !next.done; next = await said.next()) {
        const message = next.value;
        if (message.kind === 'open') throw new NodeError('MALFORMED', 'the session is open already');
        if (message.kind === 'unanswered') {
          calls.failed(message.call, fromWireError(message.error));
          continue;
        }
        const { heartbeatMs } = await this.#dispatcher.heartbeat(nodeId, id);
        await toAgent.put({ kind: 'heartbeat', heartbeatMs });
      }
      toAgent.end();
    } catch (error) {
      toAgent.end(error);
    }
  }

  /** Tells of the node until the session is over, and then why. Never rejects. */
  async #tell(nodeId: NodeId, session: Session, toAgent: Mailbox<ToAgent>): Promise<void> {
    try {
      for await (const message of session.messages) await toAgent.put({ kind: 'node', message });
      // The dispatcher has ended it, and says why to whoever asks.
      await this.#dispatcher.heartbeat(nodeId, session.id);
      toAgent.end();
    } catch (error) {
      toAgent.end(error);
    }
  }

  async *#assignments(id: SessionId, { caller }: NodeCall): AsyncGenerator<AssignmentsPart, void, undefined> {
    const { session } = this.#of(caller.identity.nodeId, id);
    for await (const message of session.assignments) yield* partsOf(message);
  }

  async *#endpoints(id: SessionId, { caller }: NodeCall): AsyncGenerator<EndpointsMessage, void, undefined> {
    yield* this.#of(caller.identity.nodeId, id).session.endpoints;
  }

  async *#answered(
    answers: AsyncIterable<FromAnswerer>,
    { caller, signal }: NodeCall,
  ): AsyncGenerator<unknown, void, undefined> {
    const said = answers[Symbol.asyncIterator]();
    const first = await said.next();
    if (first.done || first.value.kind !== 'begin') {
      throw new NodeError('MALFORMED', 'an answer begins with the call that it is of');
    }
    const { session, call } = first.value;
    yield* this.#of(caller.identity.nodeId, session).calls.answered(call, said, signal);
  }

  #of(nodeId: NodeId, id: SessionId): Open {
    const open = this.#open.get(nodeId);
    if (open !== undefined && open.session.id === id) return open;
    throw new SessionError('session-invalid', `node ${nodeId} has no such session`);
  }
}
