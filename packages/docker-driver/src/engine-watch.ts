/**
 * What happens on the engine, heard over one stream for all tasks of the node: containers that end, go, run out of
 * memory, become healthy or not; images that change. After the stream broke, a single list says what was missed. So
 * waiting for a thousand tasks costs the engine nothing until one of them ends.
 */

import type { Readable } from 'node:stream';
import type { DriverContext, RuntimeTask } from '@skep/core/driver';
import type { Engine } from './engine.ts';
import { readJsonLines } from './json-lines.ts';
import { ownFilter, TASK_LABEL, taskOf } from './labels.ts';
import { pause } from './pause.ts';

type TaskId = RuntimeTask['id'];

/** The first wait before a broken stream is opened again, doubling up to the longest. */
const RECONNECT_MS = 100;
const RECONNECT_MAX_MS = 5_000;
/** A stream that is silent for so long is checked with a ping: a machine that vanished closes no connection. */
const SILENCE_MS = 30_000;
const PING_MS = 10_000;

const EVENTS = {
  type: ['container', 'image'],
  event: [
    'start',
    'die',
    'oom',
    'destroy',
    'health_status',
    'pull',
    'tag',
    'untag',
    'delete',
    'import',
    'load',
  ],
};

interface EngineEvent {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly Attributes?: Readonly<Record<string, string>> };
}

/** What a watch works with. */
export interface WatchParts {
  readonly engine: Engine;
  readonly context: DriverContext;
  /** A task's container has ended or is gone. */
  readonly onEnded: (id: TaskId) => void;
  /** An image came, went or changed, or may have while nobody heard. */
  readonly onImages: () => void;
}

/** Hears the engine's events. */
export class EngineWatch {
  readonly #parts: WatchParts;
  readonly #life = new AbortController();
  /** Tasks whose container is known to run: its end will be heard. */
  readonly #running = new Set<TaskId>();
  readonly #outOfMemory = new Set<TaskId>();
  readonly #waiting = new Map<TaskId, Set<() => void>>();
  readonly #connectionWaiters = new Set<() => void>();
  #stream: Readable | undefined;
  #heardAt = 0;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /**
   * Begins to hear. From then on it keeps hearing by itself.
   *
   * @throws EngineError when the engine does not answer now.
   */
  async open(): Promise<void> {
    const stream = await this.#connect();
    void this.#hear(stream);
  }

  /** Whether this task's container runs, and its end will be heard. */
  isRunning(id: TaskId): boolean {
    return this.#running.has(id);
  }

  /**
   * Says that a task's container is about to be started, or looked at: if it ends from here on, that is heard.
   * Nothing is expected while the stream is broken.
   */
  expect(id: TaskId): void {
    if (this.#stream !== undefined) this.#running.add(id);
  }

  /** It does not run after all. */
  unexpect(id: TaskId): void {
    this.#running.delete(id);
  }

  /** Whether the engine told that the task ran out of memory. */
  ranOutOfMemory(id: TaskId): boolean {
    return this.#outOfMemory.has(id);
  }

  /** Forgets what was heard of a task. */
  forget(id: TaskId): void {
    this.#running.delete(id);
    this.#outOfMemory.delete(id);
  }

  /**
   * Waits for the next news of a task. Taken before the task is looked at, so that nothing falls in between.
   *
   * @throws the signal's reason on abort.
   */
  news(id: TaskId, signal: AbortSignal): { readonly arrived: Promise<void>; cancel(): void } {
    let cancel = () => {};
    const arrived = new Promise<void>((resolve, reject) => {
      const waiters = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiters);
      const onAbort = () => {
        cancel();
        reject(signal.reason);
      };
      const wake = () => {
        cancel();
        resolve();
      };
      cancel = () => {
        signal.removeEventListener('abort', onAbort);
        waiters.delete(wake);
        if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
      };
      waiters.add(wake);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
    arrived.catch(() => {});
    return { arrived, cancel: () => cancel() };
  }

  /** Resolves once the engine is heard. @throws the signal's reason on abort. */
  connected(signal: AbortSignal): Promise<void> {
    if (this.#stream !== undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const done = () => {
        this.#connectionWaiters.delete(done);
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#connectionWaiters.delete(done);
        reject(signal.reason);
      };
      this.#connectionWaiters.add(done);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }

  /** Hears nothing any more. */
  close(): void {
    this.#life.abort(new Error('the driver is closed'));
    this.#drop();
  }

  async #connect(): Promise<Readable> {
    const { engine, context } = this.#parts;
    const stream = await engine.open(
      { what: 'events', signal: this.#life.signal, deadlineMs: PING_MS },
      '/events',
      { filters: EVENTS },
    );
    this.#stream = stream;
    this.#heardAt = context.clock.monotonic();
    for (const done of [...this.#connectionWaiters]) done();
    return stream;
  }

  /** Hears one stream to its end, then the next. Never rejects. */
  async #hear(first: Readable): Promise<void> {
    const { context } = this.#parts;
    const { signal } = this.#life;
    let stream: Readable | undefined = first;
    let delayMs = RECONNECT_MS;
    while (!signal.aborted) {
      if (stream !== undefined) {
        delayMs = RECONNECT_MS;
        await this.#read(stream);
        this.#drop();
        if (signal.aborted) return;
        context.logger.warn({}, 'the engine is not heard any more: trying to reach it again');
      }
      await pause(context.clock, delayMs, signal).catch(() => {});
      delayMs = Math.min(delayMs * 2, RECONNECT_MAX_MS);
      stream = await this.#reconnect();
    }
  }

  async #reconnect(): Promise<Readable | undefined> {
    const { context } = this.#parts;
    try {
      const stream = await this.#connect();
      try {
        await this.#catchUp();
      } catch (error) {
        this.#drop();
        throw error;
      }
      context.logger.info({}, 'the engine is heard again');
      return stream;
    } catch (error) {
      if (!this.#life.signal.aborted) context.logger.debug({ error: String(error) }, 'the engine is away');
      return undefined;
    }
  }

  /** One list instead of a look at every task. */
  async #catchUp(): Promise<void> {
    const { engine, context, onImages, onEnded } = this.#parts;
    onImages();
    const listed = await engine.call({ what: 'list', signal: this.#life.signal }, (docker, abortSignal) =>
      docker.listContainers({ all: true, filters: ownFilter(context), abortSignal }),
    );
    const running = new Set(
      listed
        .filter(({ State }) => State === 'running' || State === 'paused')
        .map(({ Labels }) => Labels[TASK_LABEL] as TaskId),
    );
    for (const { Labels } of listed) {
      const id = Labels[TASK_LABEL] as TaskId;
      if (!running.has(id)) onEnded(id);
    }
    for (const id of [...this.#waiting.keys()]) {
      // Woken all the same: its health may have changed. Whoever waits for the end looks, and waits on.
      if (running.has(id)) this.#running.add(id);
      this.#wake(id);
    }
  }

  async #read(stream: Readable): Promise<void> {
    const ended = new AbortController();
    void this.#checkSilence(stream, ended.signal);
    try {
      for await (const event of readJsonLines(stream)) {
        this.#heardAt = this.#parts.context.clock.monotonic();
        this.#take(event);
      }
    } catch (error) {
      this.#parts.context.logger.debug({ error: String(error) }, 'the stream of events broke');
    } finally {
      ended.abort(new Error('the stream has ended'));
    }
  }

  async #checkSilence(stream: Readable, signal: AbortSignal): Promise<void> {
    const { engine, context } = this.#parts;
    for (;;) {
      await pause(context.clock, SILENCE_MS, signal).catch(() => {});
      if (signal.aborted) return;
      if (context.clock.monotonic() - this.#heardAt < SILENCE_MS) continue;
      const answers = await engine.get({ what: 'ping', signal, deadlineMs: PING_MS }, '/_ping').then(
        () => true,
        () => false,
      );
      if (signal.aborted) return;
      if (!answers) stream.destroy();
    }
  }

  #take(event: EngineEvent): void {
    if (event.Type === 'image') {
      this.#parts.onImages();
      return;
    }
    const id = taskOf(event.Actor?.Attributes, this.#parts.context);
    if (id === undefined) return;
    switch (event.Action) {
      case 'die':
      case 'destroy':
        this.#running.delete(id);
        this.#parts.onEnded(id);
        this.#wake(id);
        break;
      case 'oom':
        this.#outOfMemory.add(id);
        break;
      default:
        if (event.Action?.startsWith('health_status')) this.#wake(id);
    }
  }

  #wake(id: TaskId): void {
    for (const wake of [...(this.#waiting.get(id) ?? [])]) wake();
  }

  #drop(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
    this.#running.clear();
  }
}
