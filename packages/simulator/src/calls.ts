/**
 * Calls between processes of a simulated cluster, as over connections: answers and streams arrive in order or not at
 * all, a dead process refuses, and a lost connection is noticed after a while.
 */

import type { Clock } from '@skep/core';
import type { Links } from './links.ts';

/** After how long a connection that lost something is given up, in milliseconds. */
const LOST_AFTER_MS = 1_000;

/** A call that got no answer. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** `refused`: the call certainly was not served. `lost`: nobody knows. */
  readonly code: 'refused' | 'lost';

  constructor(code: 'refused' | 'lost', message: string) {
    super(message);
    this.code = code;
  }
}

/** One life of a process, at its end of the network. */
export class Endpoint {
  readonly name: string;
  readonly #onDeath = new Set<() => void>();
  #isAlive = true;

  constructor(name: string) {
    this.name = name;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** The process is gone: whoever waits for it is told, and nothing of it is heard again. */
  die(): void {
    this.#isAlive = false;
    for (const tell of [...this.#onDeath]) tell();
    this.#onDeath.clear();
  }

  /** Calls back when the process dies. Returns the way to stop. */
  onDeath(tell: () => void): () => void {
    this.#onDeath.add(tell);
    return () => this.#onDeath.delete(tell);
  }
}

/** The calls of a simulated cluster. */
export class Calls {
  readonly #clock: Clock;
  readonly #links: Links;

  constructor(parts: { readonly clock: Clock; readonly links: Links }) {
    this.#clock = parts.clock;
    this.#links = parts.links;
  }

  /**
   * Has `serve` run at the other process, and gives its answer.
   *
   * @param callee - who is there when the call arrives.
   * @throws ConnectionError; what `serve` throws; the signal's reason.
   */
  call<T>(
    caller: Endpoint,
    to: string,
    callee: () => Endpoint | undefined,
    serve: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        for (const stop of stops.splice(0)) stop();
        end();
      };
      const fail = (code: ConnectionError['code'], why: string) =>
        settle(() => reject(new ConnectionError(code, `${to} ${why}`)));
      const lost = (code: ConnectionError['code']) => {
        const notice = () => this.#links.entered(caller.name, () => fail(code, 'does not answer'));
        stops.push(this.#clock.setTimer(LOST_AFTER_MS, notice));
      };
      const back = (answer: () => void) =>
        this.#links.carry(
          to,
          caller.name,
          () => settle(answer),
          () => lost('lost'),
        );
      const stops = [caller.onDeath(() => fail('lost', 'is not heard: the caller died'))];
      const onAbort = () => settle(() => reject(signal?.reason));
      signal?.addEventListener('abort', onAbort, { once: true });
      stops.push(() => signal?.removeEventListener('abort', onAbort));
      if (!caller.isAlive) return fail('lost', 'is not heard: the caller died');
      if (signal?.aborted) return onAbort();
      const arrived = () => {
        if (!caller.isAlive) return;
        const serving = callee();
        if (serving === undefined || !serving.isAlive) {
          back(() => reject(new ConnectionError('refused', `${to} is down`)));
          return;
        }
        stops.push(serving.onDeath(() => back(() => reject(new ConnectionError('lost', `${to} died`)))));
        const answer = (give: () => void) => {
          if (serving.isAlive) back(give);
        };
        const served = async () => serve();
        served().then(
          (value) => answer(() => resolve(value)),
          (error: unknown) => answer(() => reject(error)),
        );
      };
      this.#links.carry(caller.name, to, arrived, () => lost('lost'));
    });
  }

  /** What another process tells, item by item, in order. A reader that ends, or dies, ends the teller's side too. */
  stream<T>(reader: Endpoint, teller: Endpoint, items: AsyncIterable<T>): AsyncIterable<T> {
    return { [Symbol.asyncIterator]: () => this.#read(reader, teller, items) };
  }

  #read<T>(reader: Endpoint, teller: Endpoint, items: AsyncIterable<T>): AsyncIterator<T, undefined> {
    const inbox = new Inbox<T>();
    let isOver = false;
    let told: AsyncIterator<T> | undefined;
    let lastArrival = 0;
    const hangUp = () => {
      isOver = true;
      void told?.return?.();
    };
    const stops = [
      reader.onDeath(() => this.#links.carry(reader.name, teller.name, hangUp, hangUp)),
      teller.onDeath(() => breakOff('died')),
    ];
    const breakOff = (why: string) => {
      isOver = true;
      for (const stop of stops.splice(0)) stop();
      const error = new ConnectionError('lost', `the connection to ${teller.name} was lost: it ${why}`);
      this.#clock.setTimer(LOST_AFTER_MS, () => this.#links.entered(reader.name, () => inbox.end(error)));
    };
    const deliver = (arrived: () => void) => {
      const lost = () => {
        if (!isOver) breakOff('is not reached');
      };
      if (this.#links.isCut(teller.name, reader.name)) return lost();
      lastArrival = Math.max(lastArrival, this.#clock.monotonic() + this.#links.latencyMs);
      this.#clock.setTimer(lastArrival - this.#clock.monotonic(), () => {
        if (isOver) return;
        if (this.#links.isCut(teller.name, reader.name)) lost();
        else this.#links.entered(reader.name, arrived);
      });
    };
    const tell = async () => {
      try {
        told = items[Symbol.asyncIterator]();
        for (;;) {
          const next = await told.next();
          if (isOver) return;
          if (next.done) break;
          deliver(() => inbox.put(next.value));
        }
        deliver(() => inbox.end());
      } catch (error) {
        deliver(() => inbox.end(error));
      }
    };
    this.#links.carry(
      reader.name,
      teller.name,
      () => void tell(),
      () => breakOff('is not reached'),
    );
    return {
      next: () => inbox.next(),
      return: () => {
        for (const stop of stops.splice(0)) stop();
        inbox.end();
        this.#links.carry(reader.name, teller.name, hangUp, hangUp);
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}

/** What has arrived and is not read yet. */
class Inbox<T> {
  readonly #items: T[] = [];
  readonly #waiting: {
    readonly resolve: (result: IteratorResult<T, undefined>) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  #end: { readonly error: unknown } | undefined;

  put(item: T): void {
    if (this.#end) return;
    const reader = this.#waiting.shift();
    if (reader) reader.resolve({ done: false, value: item });
    else this.#items.push(item);
  }

  end(error?: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error === undefined) resolve({ done: true, value: undefined });
      else reject(error);
    }
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error);
    if (this.#end) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}
