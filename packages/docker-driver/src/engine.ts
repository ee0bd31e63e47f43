/**
 * One engine, as the driver talks to it: dockerode with a deadline for every call and errors in the engine's own
 * words. It never lets a call hang, and knows nothing of tasks.
 */

import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import type { DriverContext } from '@skep/core/driver';
import Docker from 'dockerode';
import type { EngineAddress } from './engine-address.ts';
import { EngineError, toEngineError } from './engine-error.ts';

/** Longest that a call may take that has no deadline of its own. */
export const CALL_MS = 60_000;

/** The newest version of the engine's API that this driver is written for; an older engine is spoken to in its own. */
const API_VERSION_MAX = '1.44';
/** The oldest: Docker 20.10. */
const API_VERSION_MIN = '1.41';

/** Longest that the first call may take. */
const NEGOTIATE_MS = 10_000;

/** How far one call may go. */
export interface CallOptions {
  /** What is done, as errors name it. */
  readonly what: string;
  /** Ends the call; what the engine does about it by then it may still do. */
  readonly signal?: AbortSignal | undefined;
  /** Default {@link CALL_MS}. */
  readonly deadlineMs?: number;
}

type Clock = DriverContext['clock'];

/** One engine. */
export class Engine {
  readonly address: EngineAddress;
  readonly #clock: Clock;
  readonly #agent: http.Agent;
  #docker: Docker;

  constructor(address: EngineAddress, clock: Clock) {
    this.address = address;
    this.#clock = clock;
    const isPlain = address.kind === 'unix' || address.tls === undefined;
    this.#agent = isPlain ? new http.Agent({ keepAlive: true }) : new https.Agent({ keepAlive: true });
    this.#docker = this.#client();
  }

  /**
   * Settles on a version of the API.
   *
   * @throws EngineError when no engine answers, or one that is too old.
   */
  async negotiate(signal?: AbortSignal): Promise<void> {
    const told = await this.get<{ readonly ApiVersion: string; readonly Version: string }>(
      { what: 'version', signal, deadlineMs: NEGOTIATE_MS },
      '/version',
    );
    const newest = told.ApiVersion;
    if (isOlder(newest, API_VERSION_MIN)) {
      throw new EngineError(
        `Docker ${told.Version} is too old: API ${newest}, this driver needs ${API_VERSION_MIN} (Docker 20.10)`,
        undefined,
      );
    }
    this.#docker = this.#client(`v${isOlder(newest, API_VERSION_MAX) ? newest : API_VERSION_MAX}`);
  }

  /** Asks for an object of the engine. @throws as {@link call}. */
  get<T>(options: CallOptions, path: string, query: object = {}): Promise<T> {
    return this.#dial(options, path, query, false) as Promise<T>;
  }

  /** Opens a stream of the engine; the caller destroys it. @throws as {@link call}. */
  open(options: CallOptions, path: string, query: object = {}): Promise<Readable> {
    return this.#dial(options, path, query, true) as Promise<Readable>;
  }

  /**
   * Makes one call and waits for its answer.
   *
   * @throws EngineError on a refusal or silence; the signal's reason on abort.
   */
  call<T>(
    { what, signal, deadlineMs = CALL_MS }: CallOptions,
    work: (docker: Docker, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const own = new AbortController();
      let isOpen = true;
      const settle = (act: () => void, abandoned?: unknown) => {
        if (!isOpen) return;
        isOpen = false;
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        act();
        if (abandoned !== undefined) own.abort(abandoned);
      };
      const onAbort = () => settle(() => reject(signal?.reason), signal?.reason ?? new Error('aborted'));
      const cancelTimer = this.#clock.setTimer(deadlineMs, () => {
        const error = new EngineError(`${what}: no answer within ${deadlineMs / 1000} s`, undefined);
        settle(() => reject(error), error);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      work(this.#docker, own.signal).then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(toEngineError(error, what))),
      );
    });
  }

  #client(version?: string): Docker {
    const { address } = this;
    const tls = address.kind === 'tcp' ? address.tls : undefined;
    const options = {
      ...(address.kind === 'unix'
        ? { socketPath: address.socketPath }
        : {
            host: address.host,
            port: address.port,
            protocol: tls === undefined ? ('http' as const) : ('https' as const),
          }),
      ...(tls && { ca: pem(tls.ca), cert: pem(tls.cert), key: pem(tls.key) }),
      ...(version !== undefined && { version }),
      agent: this.#agent,
    };
    return new Docker(options);
  }

  /** The client library's lower layer, for what its methods can't end, or read wrongly. */
  #dial(options: CallOptions, path: string, query: object, isStream: boolean): Promise<unknown> {
    return this.call(
      options,
      (docker, abortSignal) =>
        new Promise((resolve, reject) => {
          const request = {
            path: `${path}?`,
            method: 'GET',
            options: query,
            statusCodes: { 200: true, 404: 'not found', 409: 'conflict', 500: 'server error' },
            isStream,
            abortSignal,
          };
          docker.modem.dial(request, (error: unknown, answer: unknown) =>
            error ? reject(error) : resolve(answer),
          );
        }),
    );
  }

  /** Lets go of all connections that are idle. */
  close(): void {
    this.#agent.destroy();
  }
}

function pem(text: string | Uint8Array): string {
  return typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
}

function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}
