/** `cluster.tasks`: what runs, where, and what it says. */

import type { LogChunk, LogOptions } from '../driver/runtime-driver.ts';
import { ClosedError, PreconditionError } from '../errors.ts';
import { type WaitOptions, waitForAbort, withDeadline } from '../runtime/abort.ts';
import type { Control } from './control.ts';
import { TaskReader } from './readers.ts';

/** The tasks of a cluster. */
export class Tasks extends TaskReader {
  readonly #control: Control;

  constructor(control: Control) {
    super(() => control.state);
    this.#control = control;
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
    const { clock, lifetime, manager } = this.#control;
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
    deadline.catch(() => {});
    try {
      const { dispatcher } = await Promise.race([
        manager.whenLeading(ending.signal),
        deadline.then(() => never()),
      ]);
      const worker = dispatcher.worker(task.nodeId);
      if (!worker) throw new PreconditionError(`node ${task.nodeId} of task ${id} is not connected now`);
      const chunks = worker.logs(task.id, { ...wanted, signal: ending.signal })[Symbol.asyncIterator]();
      for (;;) {
        const next = await Promise.race([chunks.next(), deadline.then(() => never())]);
        if (next.done) return;
        yield next.value;
      }
    } finally {
      ending.abort(new ClosedError('the reading of the output'));
    }
  }
}

/** The deadline ends by itself only once the reading has ended. */
function never(): never {
  throw new ClosedError('the reading of the output');
}
