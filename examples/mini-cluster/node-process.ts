/**
 * One node's process, as its launcher has it: started, told what to do, and started again a moment after it ends on its
 * own, as an init system would.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { NodeId } from '@skep/core';
import type {
  Failure,
  MemberOptions,
  Order,
  Question,
  QuestionOf,
  Report,
  TasksAtEnd,
  Values,
} from './member-messages.ts';
import type { Picture } from './picture.ts';

/** What a process is started with. */
export interface NodeProcessOptions {
  readonly hostname: string;
  readonly role: 'manager' | 'worker';
  /** The program of nodes. */
  readonly program: string;
  /** Where the process writes what is worth an operator's while. */
  readonly logFile: string;
}

/** What happens to a process without anyone asking for it. */
export type NodeProcessEvent =
  | { readonly kind: 'started' | 'ready' | 'failed' }
  /** It is started again after `againMs`. */
  | { readonly kind: 'ended'; readonly how: string; readonly againMs: number }
  | { readonly kind: 'picture'; readonly picture: Picture };

/** Said by a question whose answer will not come, since the process has ended. What was asked may have been done. */
export class NodeGone extends Error {
  override readonly name = 'NodeGone';
}

/** What a node answered instead of doing it. */
export class NodeFailure extends Error {
  override readonly name = 'NodeFailure';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** From the end of a process to the next one, in ms: doubled each time, while they end within `SETTLED_MS`. */
const AGAIN_MS = 1_000;
const AGAIN_MS_MAX = 30_000;
const SETTLED_MS = 10_000;

/** A node that is kept running. */
export class NodeProcess {
  readonly hostname: string;
  readonly role: 'manager' | 'worker';
  readonly #options: NodeProcessOptions;
  readonly #listeners = new Set<(event: NodeProcessEvent) => void>();
  readonly #questions = new Map<number, (answer: Values[Question['kind']] | Error) => void>();
  #child: ChildProcess | undefined;
  #as: MemberOptions | undefined;
  #nodeId: NodeId | undefined;
  #wasStarted = false;
  #isReady = false;
  #viewPort: number | undefined;
  #isEnding = false;
  #failure: Failure | undefined;
  #lastQuestion = 0;
  #againMs = AGAIN_MS;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: NodeProcessOptions) {
    this.#options = options;
    this.hostname = options.hostname;
    this.role = options.role;
  }

  /** Starts the process, which then waits to be told what to be. {@link begin} does so, too. */
  start(): void {
    if (!this.#wasStarted) this.#spawn();
  }

  /** Undefined while it is about to be started again. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The node is up, and its process answers. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Where its process serves the view, on the node's host; undefined where it does not. */
  get viewPort(): number | undefined {
    return this.#viewPort;
  }

  /** The node's id, once it has one. */
  get nodeId(): NodeId | undefined {
    return this.#nodeId;
  }

  /** Why it could not become a node when it last tried; undefined since it could. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** Hears what happens. Returns the way to stop. */
  on(listener: (event: NodeProcessEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Has the process, and each that takes its place, be this node. */
  begin(as: MemberOptions): void {
    this.#as = as;
    if (this.#wasStarted) this.#send({ kind: 'begin', as });
    else this.#spawn();
  }

  /** Has it tell how the cluster is from now on, for as long as this process lives. */
  show(): void {
    this.#send({ kind: 'show' });
  }

  /** @throws NodeGone, NodeFailure; the signal's reason */
  async ask<K extends Question['kind']>(question: QuestionOf<K>, signal?: AbortSignal): Promise<Values[K]> {
    signal?.throwIfAborted();
    const id = ++this.#lastQuestion;
    let onAbort = () => {};
    const answered = new Promise<Values[Question['kind']]>((resolve, reject) => {
      this.#questions.set(id, (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    if (this.#child === undefined) this.#forsake();
    else this.#send({ kind: 'ask', id, question });
    try {
      return (await answered) as Values[K];
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#questions.delete(id);
    }
  }

  /** Ends the node. Resolves when its process is gone, with whether it went in order. */
  async end(tasks: TasksAtEnd): Promise<boolean> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return false;
    const wasReady = this.#isReady;
    const code = new Promise<number | null>((resolve) => child.once('exit', resolve));
    this.#send({ kind: 'end', tasks });
    return (await code) === 0 && wasReady;
  }

  #spawn(): void {
    const { program, logFile } = this.#options;
    this.#wasStarted = true;
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(process.execPath, [program, this.hostname], {
      // In a session of its own, so that Ctrl-C is the launcher's business alone.
      detached: true,
      serialization: 'advanced',
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.#child = child;
    const startedAt = performance.now();
    child.on('error', () => {});
    child.on('message', (message) => this.#hear(message as Report));
    child.once('exit', (code, signal) => {
      const hasSettled = performance.now() - startedAt > SETTLED_MS;
      if (hasSettled) this.#againMs = AGAIN_MS;
      this.#ended(signal === null ? `with exit code ${code}` : `by ${signal}`);
    });
    this.#emit({ kind: 'started' });
    if (this.#as !== undefined) this.#send({ kind: 'begin', as: this.#as });
  }

  #ended(how: string): void {
    this.#child = undefined;
    this.#isReady = false;
    this.#viewPort = undefined;
    this.#forsake();
    if (this.#isEnding) return;
    const againMs = this.#againMs;
    this.#againMs = Math.min(AGAIN_MS_MAX, againMs * 2);
    this.#timer = setTimeout(() => this.#spawn(), againMs);
    this.#emit({ kind: 'ended', how, againMs });
  }

  #hear(report: Report): void {
    switch (report.kind) {
      case 'ready':
        this.#nodeId = report.nodeId;
        this.#viewPort = report.viewPort;
        this.#isReady = true;
        this.#failure = undefined;
        if (this.#as !== undefined) this.#as = { ...this.#as, origin: { kind: 'there' } };
        this.#emit({ kind: 'ready' });
        return;
      case 'failed':
        this.#failure = report.failure;
        this.#emit({ kind: 'failed' });
        return;
      case 'picture':
        this.#emit({ kind: 'picture', picture: report.picture });
        return;
      case 'answer': {
        const { id, answer } = report;
        this.#questions.get(id)?.(answer.kind === 'value' ? answer.value : new NodeFailure(answer.failure));
        this.#questions.delete(id);
      }
    }
  }

  /** Nobody will answer any more. */
  #forsake(): void {
    const gone = new NodeGone(`the process of ${this.hostname} has ended`);
    for (const answer of this.#questions.values()) answer(gone);
    this.#questions.clear();
  }

  #send(order: Order): void {
    // One that has just ended hears nothing; its end is noticed by itself.
    if (this.#child?.connected) this.#child.send(order, () => {});
  }

  #emit(event: NodeProcessEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}
