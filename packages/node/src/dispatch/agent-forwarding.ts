/** From a manager that follows to an agent: the one that leads has the agent's session, and asks it on the other's behalf. */

import { type NodeId, UnavailableError } from '@skep/core';
import type { ExecInput, ExecOutput, ExecResult, LogChunk, TaskStats } from '@skep/core/driver';
import { type AgentForwarder, asId, type WorkerCalls } from '@skep/core/member';
import * as z from 'zod';
import { isNodeError, NodeError, type NodeErrorCode } from '../errors.ts';
import type { RpcChannel } from '../rpc/channel.ts';
import type { LeaderChannel } from '../rpc/leader-route.ts';
import { decodedBy, type Method, undecoded } from '../rpc/method.ts';
import type { RpcServer } from '../rpc/server.ts';
import { Mailbox } from './mailbox.ts';
import { execInput, execOutput, logChunk, type WireInput, type WorkerAsk, workerAsk } from './worker-ask.ts';

const node = z
  .string()
  .min(1)
  .max(256)
  .transform((text) => asId<NodeId>(text));
const askOf = z.object({ node, ask: workerAsk });
type AskOf = z.output<typeof askOf>;

/** A task's output, for a manager. */
const followLogs: Method<'server-stream', AskOf, LogChunk> = {
  name: 'control.logs',
  kind: 'server-stream',
  callers: ['manager'],
  answeredBy: 'leader',
  request: decodedBy(askOf),
  response: decodedBy(logChunk),
};

/** One answer of an agent, for a manager. */
const askAgent: Method<'unary', AskOf, unknown> = {
  name: 'control.ask',
  kind: 'unary',
  callers: ['manager'],
  answeredBy: 'leader',
  request: decodedBy(askOf),
  response: undecoded,
  deadlineMs: 60_000,
};

const toCommand = z.union([askOf.extend({ kind: z.literal('begin') }), execInput]);
/** What a manager says to a command. */
export type ToCommand = z.output<typeof toCommand>;

/** A command beside a task, for a manager. */
export const runCommand: Method<'duplex', ToCommand, ExecOutput> = {
  name: 'control.exec',
  kind: 'duplex',
  callers: ['manager'],
  answeredBy: 'leader',
  request: decodedBy(toCommand),
  response: decodedBy(execOutput),
};

/** Answers managers that follow. @param callsOf Throws PreconditionError for a node without a session. */
export function serveForwardedAsks(server: RpcServer, callsOf: (nodeId: NodeId) => WorkerCalls): void {
  server.serve(followLogs, ({ node: nodeId, ask }, { signal }) => {
    if (ask.kind !== 'logs') throw new NodeError('MALFORMED', 'ask.kind: must be logs');
    return callsOf(nodeId).logs(ask.task, { ...definedOf(ask.range), signal });
  });
  server.serve(askAgent, async ({ node: nodeId, ask }, { signal }) => {
    if (ask.kind === 'stats') return callsOf(nodeId).stats(ask.task, signal);
    if (ask.kind === 'exec') return callsOf(nodeId).exec(ask.task, ask.command, signal);
    throw new NodeError('MALFORMED', 'ask.kind: must be exec or stats');
  });
  server.serve(runCommand, async function* (requests, { signal }) {
    const said = requests[Symbol.asyncIterator]();
    const first = await said.next();
    if (first.done || first.value.kind !== 'begin' || first.value.ask.kind !== 'execInteractive') {
      throw new NodeError('MALFORMED', 'a command begins with what to run');
    }
    const { node: nodeId, ask } = first.value;
    const options = { tty: ask.tty, input: inputsOf(said), signal };
    yield* callsOf(nodeId).execInteractive(ask.task, ask.command, options);
  });
}

async function* inputsOf(said: AsyncIterator<ToCommand>): AsyncGenerator<ExecInput, void, undefined> {
  for (let next = await said.next(); !next.done; next = await said.next()) {
    const { value } = next;
    if (value.kind === 'end') return;
    if (value.kind === 'begin') throw new NodeError('MALFORMED', 'the command has begun already');
    yield value;
  }
}

/** The way of this manager to agents, while another one leads. */
export function agentForwarder(leader: LeaderChannel): AgentForwarder {
  const channel = async (signal?: AbortSignal): Promise<RpcChannel> => {
    try {
      return await leader.channel(signal);
    } catch (error) {
      if (!isNodeError(error)) throw error;
      throw new UnavailableError('not-leader', error.message, { cause: error });
    }
  };
  return (nodeId) => {
    const once = async (ask: WorkerAsk, signal: AbortSignal) => {
      const leading = await channel(signal);
      return leading.unary(askAgent, { node: nodeId, ask }, { signal }).catch((error: unknown) => {
        throw asUnavailable(error);
      });
    };
    return {
      async *logs(task, { signal, ...range }) {
        const request: AskOf = { node: nodeId, ask: { kind: 'logs', task, range } };
        const leading = await channel(signal);
        yield* reached(leading.serverStream(followLogs, request, signal ? { signal } : {}));
      },
      exec: async (task, command, signal) =>
        (await once({ kind: 'exec', task, command: [...command] }, signal)) as ExecResult,
      stats: async (task, signal) => (await once({ kind: 'stats', task }, signal)) as TaskStats,
      async *execInteractive(task, command, { tty = false, input, signal }) {
        const ask: WorkerAsk = { kind: 'execInteractive', task, command: [...command], tty };
        const requests = new Mailbox<ToCommand>();
        void requests.put({ kind: 'begin', node: nodeId, ask });
        const feed = async () => {
          for await (const piece of input) await requests.put(piece);
          await requests.put({ kind: 'end' } satisfies WireInput);
        };
        feed().catch(() => requests.end());
        const leading = await channel(signal);
        yield* reached(leading.duplex(runCommand, requests, { signal }));
      },
    };
  };
}

/** What comes of another manager; that it is out of reach is told in the core's words. */
async function* reached<T>(stream: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* stream;
  } catch (error) {
    throw asUnavailable(error);
  }
}

/** What another manager, or the way to it, may do better a moment later. */
const PASSING: ReadonlySet<NodeErrorCode> = new Set([
  'UNREACHABLE',
  'CONNECTION_LOST',
  'NOT_LEADER',
  'BUSY',
  'CLOSED',
]);

function asUnavailable(error: unknown): unknown {
  if (!isNodeError(error) || !PASSING.has(error.code)) return error;
  return new UnavailableError('out-of-reach', error.message, { cause: error });
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without fields that are there and undefined. */
export function definedOf<T extends object>(given: T): Defined<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Defined<T>;
}
