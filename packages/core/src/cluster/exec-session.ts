/** A command that runs beside a task, as whoever started it works with it. */

import type { ExecInput, ExecOutput } from '../driver/runtime-driver.ts';
import { DriverError } from '../errors.ts';

/** A piece of a command's output. With a terminal all of it is `stdout`. */
export type ExecChunk = Omit<Extract<ExecOutput, { kind: 'output' }>, 'kind'>;

/** What a session hands on to the command, one piece at a time, as fast as it is taken. */
export class ExecInputQueue implements AsyncIterable<ExecInput> {
  readonly #waiting: { readonly input: ExecInput; readonly taken: () => void }[] = [];
  #isEnded = false;
  #wake: () => void = () => {};

  /** Resolves when the command's side has taken it, or never will. */
  put(input: ExecInput): Promise<void> {
    if (this.#isEnded) return Promise.resolve();
    return new Promise((taken) => {
      this.#waiting.push({ input, taken });
      this.#wake();
    });
  }

  /** There is no more: what is in it is still taken. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Nobody takes anything any more. */
  close(): void {
    this.end();
    for (const { taken } of this.#waiting.splice(0)) taken();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ExecInput, void, undefined> {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next !== undefined) {
          next.taken();
          yield next.input;
        } else if (this.#isEnded) return;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.close();
    }
  }
}

/** What a session is made of. */
export interface ExecSessionParts {
  readonly outputs: AsyncIterable<ExecOutput>;
  readonly input: ExecInputQueue;
  /** Ends the command. */
  readonly end: () => void;
}

/** A running command. Its output is read by looping over it, once; it waits where nobody reads. */
export class ExecSession implements AsyncIterable<ExecChunk> {
  readonly #parts: ExecSessionParts;
  readonly #outputs: AsyncIterator<ExecOutput>;
  /** Asked for at once, so that the command begins before anyone reads. */
  readonly #first: Promise<IteratorResult<ExecOutput>>;
  readonly #exit: Promise<number>;
  #onExit: (code: number) => void = () => {};
  #onFailure: (error: unknown) => void = () => {};

  constructor(parts: ExecSessionParts) {
    this.#parts = parts;
    this.#exit = new Promise((resolve, reject) => {
      this.#onExit = resolve;
      this.#onFailure = reject;
    });
    this.#exit.catch(() => {});
    this.#outputs = parts.outputs[Symbol.asyncIterator]();
    this.#first = this.#outputs.next();
    this.#first.catch((error: unknown) => this.#onFailure(error));
  }

  /** The code that the command ends with: 0–255. Known once all its output is read. @throws as the output does */
  get exitCode(): Promise<number> {
    return this.#exit;
  }

  /**
   * Puts bytes in. Resolves when they are taken: whoever waits for it is never ahead of the command. One whose output
   * nobody reads may take nothing.
   */
  write(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    return this.#parts.input.put({ kind: 'data', data: bytes });
  }

  /** The command gets no more input. */
  endInput(): void {
    this.#parts.input.end();
  }

  /** Tells the command that its terminal has another size. */
  resize(columns: number, rows: number): Promise<void> {
    return this.#parts.input.put({ kind: 'resize', columns, rows });
  }

  /** Ends the command, if it runs. */
  close(): void {
    this.#parts.end();
  }

  /** Reads all output that is left and gives it as text, with the exit code. */
  async text(): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    const told = { stdout: '', stderr: '' };
    for await (const { stream, data } of this)
      told[stream] += decoders[stream].decode(data, { stream: true });
    return { exitCode: await this.#exit, ...told };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ExecChunk, void, undefined> {
    try {
      for (let next = await this.#first; !next.done; next = await this.#outputs.next()) {
        const output = next.value;
        if (output.kind === 'exit') this.#onExit(output.exitCode);
        else yield { stream: output.stream, data: output.data };
      }
      this.#onFailure(new DriverError('the command ended without an exit code'));
    } catch (error) {
      this.#onFailure(error);
      throw error;
    } finally {
      this.#onFailure(new DriverError('the command was ended: nobody reads its output any more'));
      this.#parts.end();
    }
  }
}
