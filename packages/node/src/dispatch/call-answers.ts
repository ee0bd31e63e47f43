/** The agent's answers to what managers ask of it, each over a stream that the agent opens. */

import type { SessionId, WorkerCalls } from '@skep/core/member';
import type { ManagerLink } from '../rpc/manager-link.ts';
import { toWireError } from '../rpc/wire-error.ts';
import { answerCall, type FromAnswerer } from './methods.ts';
import type { WorkerAsk } from './worker-ask.ts';

/** A call that the managers made. */
export interface AskedCall {
  readonly session: SessionId;
  readonly call: number;
  readonly ask: WorkerAsk;
  /** Aborted when the session is over. */
  readonly signal: AbortSignal;
}

/** Answers one call. Never rejects: the managers hear what went wrong, or nobody can. */
export async function answerOne(link: ManagerLink, calls: WorkerCalls, asked: AskedCall): Promise<void> {
  const end = new AbortController();
  const onOver = () => end.abort(asked.signal.reason);
  asked.signal.addEventListener('abort', onOver, { once: true });
  if (asked.signal.aborted) onOver();
  try {
    const answers = answersTo(calls, asked, end.signal);
    const inputs = await link.duplex(answerCall, answers, { signal: end.signal });
    // It ends when the managers have had enough.
    for await (const _ of inputs);
  } catch {
    // The asker has gone, or the way to it.
  } finally {
    asked.signal.removeEventListener('abort', onOver);
    end.abort(new Error('the call is over'));
  }
}

async function* answersTo(
  calls: WorkerCalls,
  { session, call, ask }: AskedCall,
  signal: AbortSignal,
): AsyncGenerator<FromAnswerer, void, undefined> {
  yield { kind: 'begin', session, call };
  try {
    for await (const value of carriedOut(calls, ask, signal)) yield { kind: 'value', value };
  } catch (error) {
    yield { kind: 'error', error: toWireError(error) };
  }
}

async function* carriedOut(calls: WorkerCalls, ask: WorkerAsk, signal: AbortSignal): AsyncGenerator<unknown> {
  switch (ask.kind) {
    case 'logs':
      yield* calls.logs(ask.task, { ...definedOf(ask.range), signal });
      return;
    case 'exec':
      yield await calls.exec(ask.task, ask.command, signal);
      return;
    case 'stats':
      yield await calls.stats(ask.task, signal);
      return;
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function definedOf<T extends object>(given: T): Defined<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Defined<T>;
}
