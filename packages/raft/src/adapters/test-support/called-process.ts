/**
 * A process of a test or a benchmark whose methods its parent calls by name, over the pipe that Node opens between a
 * process and its child. Both ends are of one program, so nothing is checked on the way.
 */

import { type ChildProcess, fork } from 'node:child_process';

/** A call, from the parent. */
export interface CallMessage {
  readonly kind: 'call';
  readonly call: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** What came of it, from the child. */
export type AnswerMessage =
  | { readonly kind: 'answer'; readonly call: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly call: number; readonly message: string };

/** Methods that the parent may call, by name. What they take and give passes through `structuredClone`. */
// biome-ignore lint/suspicious/noExplicitAny: each method checks nothing: both ends are of one program.
export type CalledMethods = Readonly<Record<string, (...args: any[]) => unknown>>;

/** A process that was ended, or has ended by itself, while something was asked of it. */
export class ProcessGoneError extends Error {
  override readonly name = 'ProcessGoneError';
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The parent's end. */
export class CalledProcess<Told extends object = never> {
  /** What it is called in errors. */
  readonly id: string;
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, Waiting>();
  #call = 0;
  #isGone = false;

  /** @param nodeFlags Flags of Node for it, and for what loads its program. */
  constructor(id: string, program: URL, nodeFlags: readonly string[]) {
    this.id = id;
    this.#child = fork(program, { execArgv: [...nodeFlags], serialization: 'advanced' });
    this.#child.on('message', (message: AnswerMessage | Told) => this.#heard(message));
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', () => {
        this.#isGone = true;
        for (const { reject } of this.#calls.values()) reject(new ProcessGoneError(`${id} is gone`));
        this.#calls.clear();
        this.changed();
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Calls a method in the process. The caller says what it answers with. @throws ProcessGoneError */
  call<T = unknown>(method: string, ...args: readonly unknown[]): Promise<T> {
    if (this.#isGone) return Promise.reject(new ProcessGoneError(`${this.id} is gone`));
    this.#call += 1;
    const call = this.#call;
    return new Promise<T>((resolve, reject) => {
      this.#calls.set(call, { resolve: (result) => resolve(result as T), reject });
      this.send({ kind: 'call', call, method, args } satisfies CallMessage);
    });
  }

  send(message: object): void {
    if (!this.#isGone) this.#child.send(message, () => {});
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Takes what the process tells of itself. */
  protected told(_message: Told): void {}

  /** Is called after each message, and at the end. */
  protected changed(): void {}

  #heard(message: AnswerMessage | Told): void {
    if (isAnswer(message)) {
      const waiting = this.#calls.get(message.call);
      this.#calls.delete(message.call);
      if (message.kind === 'answer') waiting?.resolve(message.result);
      else waiting?.reject(new Error(message.message));
    } else this.told(message);
    this.changed();
  }
}

/** The child's end: answers one call. */
export async function answerCall(methods: CalledMethods, { call, method, args }: CallMessage): Promise<void> {
  try {
    const result = await methods[method]?.(...args);
    tellParent({ kind: 'answer', call, result } satisfies AnswerMessage);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tellParent({ kind: 'failed', call, message } satisfies AnswerMessage);
  }
}

/** A parent that is gone is told nothing; this process ends with it. */
export function tellParent(message: object): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function isAnswer(message: object): message is AnswerMessage {
  const { kind } = message as { readonly kind?: unknown };
  return kind === 'answer' || kind === 'failed';
}
