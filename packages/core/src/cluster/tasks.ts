/** `cluster.tasks`: what runs, where, and what it says. */

import type { LogChunk, LogOptions, TaskStats } from '../driver/runtime-driver.ts';
import { ClosedError, InvalidSpecError, PreconditionError } from '../errors.ts';
import type { Task } from '../model/objects.ts';
import { type WaitOptions, waitForAbort, withDeadline } from '../runtime/abort.ts';
import type { WorkerCalls } from '../worker/dispatcher-port.ts';
import { type AgentForwarder, agentOf } from './agent-route.ts';
import type { Control } from './control.ts';
import { ExecInputQueue, ExecSession } from './exec-session.ts';
import { TaskReader } from './readers.ts';

/** The tasks of a cluster. */
export class Tasks extends TaskReader {
  readonly #control: Control;
  readonly #forwarder: AgentForwarder | undefined;

  constructor(control: Control, forwarder?: AgentForwarder) {
    super(() => control.state);
    this.#control = control;
    this.#forwarder = forwarder;
  }

  /**
   * What a task printed, from the node that has it.
   *
   * @throws NotFoundError; PreconditionError if the task has no node yet, or its node has no session now; TimeoutError
   *   when the output has not ended by then.
   */
  async *logs(id: string, options: LogOptions & WaitOptions = {}): AsyncIterable<LogChunk> {
    const task = this.inspect(id);
    if (task.nodeId === undefined)
      throw new PreconditionError(`task ${id} has no node yet, so it has no output`);
    const { clock, lifetime } = this.#control;
    const { timeout, signal, ...wanted } = options;
    const ending = new AbortController();
    const limits = {
      ...(timeout === undefined ? {} : { timeout }),
      ...(signal === undefined ? {} : { signal }),
    };
    // Held for as long as the output is read, so that one deadline covers all of its pieces.
    const deadline = withDeadline(
      clock,
      limits,
      `the end of the output of task ${id}`,
      () => waitForAbort(ending.signal),
      {
        lifetime,
      },
    );
    const untilThen = endedBy(deadline);
    try {
      const worker = await untilThen(this.#agentOf(task, ending.signal));
      const chunks = worker.logs(task.id, { ...wanted, signal: ending.signal })[Symbol.asyncIterator]();
      for (;;) {
        const next = await untilThen(chunks.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      ending.abort(new ClosedError('the reading of the output'));
    }
  }

  /**
   * Runs a command beside a task, in its environment, and gives its output, its input and its exit code. Any member
   * can be asked; whoever may call this may do on that node what the task may do. The node's driver must be able to:
   * its description says `exec`.
   *
   * @throws NotFoundError, InvalidSpecError, PreconditionError; DriverError while its output is read.
   */
  async exec(id: string, command: readonly string[], options: TaskExecOptions = {}): Promise<ExecSession> {
    const task = this.inspect(id);
    if (command.length === 0 || command[0] === '') {
      throw new InvalidSpecError([{ field: 'command', rule: 'must name a program' }]);
    }
    const { tty = false, stdin, signal } = options;
    const end = new AbortController();
    const { lifetime } = this.#control;
    const onAbort = () => end.abort(signal?.reason ?? new ClosedError('the command'));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    const stop = lifetime.onEnd((reason) => end.abort(reason));
    const input = new ExecInputQueue();
    const finish = () => {
      signal?.removeEventListener('abort', onAbort);
      stop();
      input.close();
      end.abort(new ClosedError('the command'));
    };
    const agent = await this.#agentOf(task, end.signal).catch((error: unknown) => {
      finish();
      throw error;
    });
    const outputs = agent.execInteractive(task.id, command, { tty, input, signal: end.signal });
    const session = new ExecSession({ outputs, input, end: finish });
    if (stdin !== undefined) void feed(session, stdin);
    return session;
  }

  /**
   * What a task uses just now. Its node's driver must be able to tell: its description says `stats`.
   *
   * @throws NotFoundError, PreconditionError, DriverError
   */
  async stats(id: string, options: WaitOptions = {}): Promise<TaskStats> {
    const task = this.inspect(id);
    const { clock, lifetime } = this.#control;
    return withDeadline(
      clock,
      options,
      `what task ${id} uses`,
      async (signal) => (await this.#agentOf(task, signal)).stats(task.id, signal),
      { lifetime },
    );
  }

  async #agentOf({ id, nodeId }: Task, signal: AbortSignal): Promise<WorkerCalls> {
    if (nodeId === undefined) throw new PreconditionError(`task ${id} has no node yet`);
    return agentOf(this.#control, this.#forwarder, nodeId, signal);
  }
}

/** Options of {@link Tasks.exec}. */
export interface TaskExecOptions {
  /** Give the command a terminal, where the driver has them. Default false. */
  readonly tty?: boolean;
  /** What to put in; then the input ends. Without it, the session's own `write` does. */
  readonly stdin?: AsyncIterable<Uint8Array | string>;
  /** Ends the command. */
  readonly signal?: AbortSignal;
}

/** Never rejects: a source that fails ends the input. */
async function feed(session: ExecSession, stdin: AsyncIterable<Uint8Array | string>): Promise<void> {
  try {
    for await (const piece of stdin) await session.write(piece);
    session.endInput();
  } catch {
    session.close();
  }
}

/**
 * Gives what is waited for, one after the other, or the error that ends it. Not by a race for each: all of them would
 * stay with the one end.
 */
function endedBy(end: Promise<unknown>): <T>(waiting: Promise<T>) => Promise<T> {
  let fail: (error: unknown) => void = () => {};
  let failure: { readonly error: unknown } | undefined;
  end.catch((error: unknown) => {
    failure = { error };
    fail(error);
  });
  return (waiting) =>
    new Promise((resolve, reject) => {
      fail = reject;
      if (failure !== undefined) reject(failure.error);
      waiting.then(resolve, reject);
    });
}
