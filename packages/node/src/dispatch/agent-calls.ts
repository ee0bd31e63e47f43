/**
 * What the leader asks of one agent. Nothing listens at an agent: it is told over its session that it is asked, and
 * answers over a stream that it opens for that.
 */

import { type TaskId, UnavailableError } from '@skep/core';
import type { ExecOptions, ExecOutput, ExecResult, LogChunk, LogOptions, TaskStats } from '@skep/core/driver';
import type { WorkerCalls } from '@skep/core/member';
import { NodeError } from '../errors.ts';
import { decodedBy } from '../rpc/method.ts';
import { fromWireError } from '../rpc/wire-error.ts';
import { Mailbox } from './mailbox.ts';
import type { FromAnswerer, ToAgent } from './methods.ts';
import { agentOutput, logChunk, type WireInput, type WireOutput, type WorkerAsk } from './worker-ask.ts';

const decodeOutput = decodedBy<WireOutput>(agentOutput);
const decodeChunk = decodedBy<LogChunk>(logChunk);

interface Asked {
  readonly answers: Mailbox<unknown>;
  /** What the asker says; it ends with the asker. */
  readonly inputs: Mailbox<unknown>;
}

/** The calls of one session. */
export class AgentCalls implements WorkerCalls {
  readonly #toAgent: Mailbox<ToAgent>;
  readonly #asked = new Map<number, Asked>();
  #last = 0;
  #isOver = false;

  constructor(toAgent: Mailbox<ToAgent>) {
    this.#toAgent = toAgent;
  }

  async *logs(task: TaskId, { signal, ...range }: LogOptions): AsyncGenerator<LogChunk, void, undefined> {
    const answers = this.#ask({ kind: 'logs', task, range }, new Mailbox(), signal);
    for await (const answer of answers) yield decodeChunk(answer);
  }

  /** The agent says when it has taken a piece of the input, so that only one is ever on its way. */
  async *execInteractive(
    task: TaskId,
    command: readonly string[],
    { tty = false, input, signal }: ExecOptions,
  ): AsyncGenerator<ExecOutput, void, undefined> {
    const inputs = new Mailbox<WireInput>();
    let onTaken = () => {};
    const feed = async () => {
      for await (const piece of input) {
        const taken = new Promise<void>((resolve) => {
          onTaken = resolve;
        });
        await inputs.put(piece);
        await taken;
      }
      await inputs.put({ kind: 'end' });
    };
    feed().catch(() => inputs.end());
    const ask: WorkerAsk = { kind: 'execInteractive', task, command: [...command], tty };
    for await (const answer of this.#ask(ask, inputs, signal)) {
      const output = decodeOutput(answer);
      if (output.kind === 'taken') onTaken();
      else yield output;
    }
  }

  async exec(task: TaskId, command: readonly string[], signal: AbortSignal): Promise<ExecResult> {
    const ask: WorkerAsk = { kind: 'exec', task, command: [...command] };
    return (await this.#once(ask, signal)) as ExecResult;
  }

  async stats(task: TaskId, signal: AbortSignal): Promise<TaskStats> {
    return (await this.#once({ kind: 'stats', task }, signal)) as TaskStats;
  }

  /** Takes the agent's answers to a call; gives what the asker says meanwhile. Ends when the asker has had enough. */
  async *answered(
    call: number,
    said: AsyncIterator<FromAnswerer>,
    signal: AbortSignal,
  ): AsyncGenerator<unknown, void, undefined> {
    const asked = this.#asked.get(call);
    if (asked === undefined) throw new NodeError('CANCELLED', 'nobody waits for this answer any more');
    const onAbort = () => asked.inputs.end();
    signal.addEventListener('abort', onAbort, { once: true });
    void take(said, asked);
    yield* asked.inputs;
  }

  /** The agent can't answer a call. */
  failed(call: number, error: Error): void {
    this.#asked.get(call)?.answers.end(error);
  }

  /** The session is over, and with it every call. */
  end(): void {
    this.#isOver = true;
    const error = gone();
    for (const { answers, inputs } of this.#asked.values()) {
      answers.end(error);
      inputs.end();
    }
    this.#asked.clear();
  }

  async #once(ask: WorkerAsk, signal: AbortSignal): Promise<unknown> {
    for await (const answer of this.#ask(ask, new Mailbox(), signal)) return answer;
    throw new NodeError('MALFORMED', 'an agent answered without an answer');
  }

  async *#ask(
    ask: WorkerAsk,
    inputs: Mailbox<unknown>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<unknown, void, undefined> {
    signal?.throwIfAborted();
    if (this.#isOver) throw gone();
    const call = ++this.#last;
    const asked: Asked = { answers: new Mailbox(), inputs };
    this.#asked.set(call, asked);
    const onAbort = () => asked.answers.end(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    void this.#toAgent.put({ kind: 'call', call, ask });
    try {
      yield* asked.answers;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#asked.delete(call);
      inputs.end();
    }
  }
}

/** Hands on what an agent says. Never rejects. */
async function take(said: AsyncIterator<FromAnswerer>, { answers, inputs }: Asked): Promise<void> {
  try {
    for (let next = await said.next(); !next.done; next = await said.next()) {
      const message = next.value;
      if (message.kind === 'begin') throw new NodeError('MALFORMED', 'an answer has begun already');
      if (message.kind === 'error') throw fromWireError(message.error);
      await answers.put(message.value);
    }
    answers.end();
  } catch (error) {
    answers.end(error);
  } finally {
    inputs.end();
  }
}

function gone(): UnavailableError {
  return new UnavailableError('no-session', 'the node has no session any more');
}
