/** Working with a command beside a task: input, output and the size of its terminal, over one upgraded connection. */

import type { Duplex } from 'node:stream';
import type { ExecInput, ExecOptions, ExecOutput } from '@skep/core/driver';
import { beginCommand, type RunningCommand } from './exec-command.ts';
import type { OpenEngine } from './open-engine.ts';
import { whileReading } from './reading.ts';
import { readFrames } from './task-logs.ts';

/** What a terminal takes for the end of its input, when a line begins with it (EOT). */
const END_OF_INPUT = 0x04;
const LINE_END = 0x0a;

/**
 * Runs it to its end; ends it when the signal aborts, when nobody reads any more, or with the driver.
 *
 * @param existing - gives the task's container.
 */
export async function* interactInContainer(
  { engine, context, operation }: OpenEngine,
  existing: (signal: AbortSignal) => Promise<string>,
  command: readonly string[],
  { tty = false, input, signal }: ExecOptions,
): AsyncGenerator<ExecOutput, void, undefined> {
  const running = await operation(signal, async (own) => {
    const container = await existing(own);
    return beginCommand(engine, context.clock, container, command, { input: true, tty }, own);
  });
  const { stream } = running;
  const reading = whileReading(operation, signal, () => stream.destroy());
  void feed(running, input, tty, signal).catch(() => stream.destroy());
  let isOver = false;
  try {
    if (tty) for await (const data of stream) yield { kind: 'output', stream: 'stdout', data };
    else for await (const frame of readFrames(stream)) yield { kind: 'output', ...frame };
    reading.throwIfEnded();
    const exitCode = await operation(signal, (own) => running.exitCode(own));
    isOver = true;
    yield { kind: 'exit', exitCode };
  } catch (error) {
    reading.throwIfEnded();
    throw error;
  } finally {
    reading.done();
    stream.destroy();
    if (!isOver) await running.kill();
  }
}

async function feed(
  { stream, resize }: RunningCommand,
  input: AsyncIterable<ExecInput>,
  tty: boolean,
  signal: AbortSignal,
): Promise<void> {
  let last = LINE_END;
  for await (const piece of input) {
    if (stream.destroyed) return;
    if (piece.kind === 'data') {
      last = piece.data.at(-1) ?? last;
      await put(stream, piece.data);
    } else if (tty) await resize(piece.columns, piece.rows, signal);
  }
  // Closing this side would close a terminal's output, too. Behind a line that is not ended the first only ends it.
  if (tty) await put(stream, new Uint8Array(last === LINE_END ? 1 : 2).fill(END_OF_INPUT));
  else stream.end();
}

/** Resolves once there is room for more, or nobody to take it. */
function put(stream: Duplex, data: Uint8Array): Promise<void> {
  if (stream.destroyed || stream.write(data)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}
