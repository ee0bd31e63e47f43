/** The agent's answers to what managers ask of it, each over a stream that the agent opens. */

import type { ExecInput } from '@skep/core/driver';
import type { SessionId, WorkerCalls } from '@skep/core/member';
import type { ManagerLink } from '../rpc/manager-link.ts';
import { decodedBy } from '../rpc/method.ts';
import { toWireError } from '../rpc/wire-error.ts';
import { definedOf } from './agent-forwarding.ts';
import { Mailbox } from './mailbox.ts';
import { answerCall, type FromAnswerer } from './methods.ts';
import { execInput, type WireInput, type WireOutput, type WorkerAsk } from './worker-ask.ts';

const decodeInput = decodedBy<WireInput>(execInput);

/** A call that the managers made. */
export interface AskedCall {
  readonly session: SessionId;
  readonly call: number;
  readonly ask: WorkerAsk;
  /** Aborted when the session is over. */
  readonly signal: AbortSignal;
  /** The managers have to hear another way that there will be no answer. */
  readonly onUnanswered: (error: unknown) => void;
}

/** Answers one call. Never rejects: the managers hear what went wrong, or nobody can. */
export async function answerOne(link: ManagerLink, calls: WorkerCalls, asked: AskedCall): Promise<void> {
  const end = new AbortController();
  const onOver = () => end.abort(asked.signal.reason);
  asked.signal.addEventListener('abort', onOver, { once: true });
  if (asked.signal.aborted) onOver();
  try {
    const inputs = new Mailbox<WireInput>();
    const answers = answersTo({ calls, inputs, asked, signal: end.signal });
    const said = await link.duplex(answerCall, answers, { signal: end.signal });
    // It ends when the managers have had enough. Never held up by a command that takes nothing: see `taken`.
    for await (const input of said) void inputs.put(decodeInput(input));
  } catch (error) {
    // Either the asker has gone, to whom this makes no difference, or the way to it.
    if (!asked.signal.aborted) asked.onUnanswered(error);
  } finally {
    asked.signal.removeEventListener('abort', onOver);
    end.abort(new Error('the call is over'));
  }
}

interface Answering {
  readonly calls: WorkerCalls;
  readonly inputs: Mailbox<WireInput>;
  readonly asked: AskedCall;
  readonly signal: AbortSignal;
}

async function* answersTo(answering: Answering): AsyncGenerator<FromAnswerer, void, undefined> {
  const { session, call } = answering.asked;
  yield { kind: 'begin', session, call };
  try {
    for await (const value of carriedOut(answering)) yield { kind: 'value', value };
  } catch (error) {
    yield { kind: 'error', error: toWireError(error) };
  }
}

async function* carriedOut({ calls, inputs, asked: { ask }, signal }: Answering): AsyncGenerator<unknown> {
  switch (ask.kind) {
    case 'logs':
      yield* calls.logs(ask.task, { ...definedOf(ask.range), signal });
      return;
    case 'exec':
      yield await calls.exec(ask.task, ask.command, signal);
      return;
    case 'execInteractive':
      yield* interactive(calls, ask, inputs, signal);
      return;
    case 'stats':
      yield await calls.stats(ask.task, signal);
      return;
  }
}

/** What the command gives, and between that a word for each piece of input that it has taken. */
async function* interactive(
  calls: WorkerCalls,
  { task, command, tty }: Extract<WorkerAsk, { kind: 'execInteractive' }>,
  inputs: Mailbox<WireInput>,
  signal: AbortSignal,
): AsyncGenerator<WireOutput, void, undefined> {
  const outputs = new Mailbox<WireOutput>();
  const onAbort = () => {
    outputs.end(signal.reason);
    inputs.end();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const input = untilEnd(inputs, () => void outputs.put({ kind: 'taken' }));
  const run = async () => {
    const given = calls.execInteractive(task, command, { tty, input, signal });
    for await (const output of given) await outputs.put(output);
  };
  run().then(
    () => outputs.end(),
    (error: unknown) => outputs.end(error),
  );
  yield* outputs;
}

/** The input up to its end. Whoever asks for the next piece has taken the one before. */
async function* untilEnd(
  inputs: Mailbox<WireInput>,
  onTaken: () => void,
): AsyncGenerator<ExecInput, void, undefined> {
  for await (const input of inputs) {
    if (input.kind === 'end') return;
    yield input;
    onTaken();
  }
}
