/** Fetching an image: with credentials asked anew each time, progress told, and one pull for all who want the same. */

import type { Readable } from 'node:stream';
import type { DriverContext } from '@skep/core/driver';
import type { Engine } from './engine.ts';
import { EngineError, toEngineError } from './engine-error.ts';
import { readJsonLines } from './json-lines.ts';
import { type DockerDriverOptions, PULL_SILENCE_MS } from './options.ts';
import type { RegistryAuth } from './pull-types.ts';

/** Host of the registry that a reference means (the rule of Docker's reference package). */
export function registryOf(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

interface Pull {
  readonly done: Promise<void>;
  readonly giveUp: AbortController;
  waiters: number;
}

/** Pulls images for one driver. */
export class ImagePuller {
  readonly #engine: Engine;
  readonly #context: DriverContext;
  readonly #options: DockerDriverOptions;
  readonly #pulls = new Map<string, Pull>();

  constructor(engine: Engine, context: DriverContext, options: DockerDriverOptions) {
    this.#engine = engine;
    this.#context = context;
    this.#options = options;
  }

  /**
   * Fetches an image, or waits for the pull of it that is under way.
   *
   * @throws EngineError with the engine's or the registry's words; the signal's reason on abort.
   */
  async pull(reference: string, signal: AbortSignal): Promise<void> {
    const pull = this.#pulls.get(reference) ?? this.#begin(reference);
    pull.waiters += 1;
    let onAbort = () => {};
    try {
      await Promise.race([
        pull.done,
        new Promise<never>((_, reject) => {
          onAbort = () => reject(signal.reason);
          signal.addEventListener('abort', onAbort, { once: true });
          if (signal.aborted) onAbort();
        }),
      ]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      pull.waiters -= 1;
      if (pull.waiters === 0) {
        if (this.#pulls.get(reference) === pull) this.#pulls.delete(reference);
        pull.giveUp.abort(new Error('nobody waits for the image any more'));
      }
    }
  }

  #begin(reference: string): Pull {
    const giveUp = new AbortController();
    const done = this.#fetch(reference, giveUp.signal);
    done.catch(() => {});
    const pull = { done, giveUp, waiters: 0 };
    this.#pulls.set(reference, pull);
    const forget = () => {
      if (this.#pulls.get(reference) === pull) this.#pulls.delete(reference);
    };
    done.then(forget, forget);
    return pull;
  }

  async #fetch(reference: string, signal: AbortSignal): Promise<void> {
    const { logger } = this.#context;
    const auth = await this.#credentials(reference, signal);
    logger.info({ image: reference }, 'pulling the image');
    const stream = await this.#open(reference, auth, signal);
    await this.#follow(reference, stream, signal);
    logger.info({ image: reference }, 'pulled the image');
  }

  async #open(reference: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<Readable> {
    const options = { what: `pull ${reference}`, signal, deadlineMs: this.#silenceMs };
    try {
      const stream = await this.#engine.call(options, (docker, abortSignal) =>
        docker.pull(withTag(reference), {
          abortSignal,
          ...(auth && { authconfig: { key: encoded(auth) } }),
        }),
      );
      return stream as Readable;
    } catch (error) {
      // The engine calls it its own fault, whatever the registry said.
      throw error instanceof EngineError && error.status !== undefined ? refusal(error.message) : error;
    }
  }

  async #credentials(reference: string, signal: AbortSignal): Promise<RegistryAuth | undefined> {
    const { registryAuth } = this.#options;
    try {
      return await registryAuth?.({ reference, registry: registryOf(reference) }, { signal });
    } catch (error) {
      // Not as the cause: whatever the provider threw may hold what it knows.
      throw new EngineError(
        `no credentials for ${reference}: ${error instanceof Error ? error.name : 'error'}`,
        500,
      );
    }
  }

  get #silenceMs(): number {
    return this.#options.pullSilenceMs ?? PULL_SILENCE_MS;
  }

  async #follow(reference: string, stream: Readable, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    let failure: EngineError | undefined;
    let cancelTimer = () => {};
    const end = (error: EngineError) => {
      failure ??= error;
      stream.destroy(error);
    };
    const arm = () => {
      cancelTimer();
      const seconds = this.#silenceMs / 1000;
      cancelTimer = clock.setTimer(this.#silenceMs, () =>
        end(new EngineError(`pull ${reference}: nothing came for ${seconds} s`, undefined)),
      );
    };
    const onAbort = () => end(new EngineError(`pull ${reference}: given up`, undefined));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    arm();
    try {
      for await (const line of readJsonLines(stream)) {
        arm();
        this.#tell(reference, line);
        const words = errorOf(line);
        if (words !== undefined) failure ??= refusal(words);
      }
    } catch (error) {
      throw failure ?? toEngineError(error, `pull ${reference}`);
    } finally {
      cancelTimer();
      signal.removeEventListener('abort', onAbort);
    }
    if (failure !== undefined) throw failure;
  }

  #tell(reference: string, line: object): void {
    const { onPullProgress } = this.#options;
    if (onPullProgress === undefined) return;
    const { status, id, progressDetail } = line as {
      readonly status?: string;
      readonly id?: string;
      readonly progressDetail?: { readonly current?: number; readonly total?: number };
    };
    if (status === undefined) return;
    onPullProgress({
      reference,
      status,
      ...(id !== undefined && { layer: id }),
      ...(progressDetail?.current !== undefined && { bytes: progressDetail.current }),
      ...(progressDetail?.total !== undefined && { bytesTotal: progressDetail.total }),
    });
  }
}

/** Without a tag the engine would fetch them all. */
function withTag(reference: string): string {
  const last = reference.slice(reference.lastIndexOf('/') + 1);
  return /[:@]/.test(last) ? reference : `${reference}:latest`;
}

/** The header X-Registry-Auth: JSON in base64url, padded. Without the padding the engine takes it for no credentials. */
function encoded(auth: RegistryAuth): string {
  const words =
    'identityToken' in auth
      ? { identitytoken: auth.identityToken }
      : 'registryToken' in auth
        ? { registrytoken: auth.registryToken }
        : { username: auth.username, password: auth.password };
  const text = Buffer.from(JSON.stringify(words)).toString('base64');
  return text.replaceAll('+', '-').replaceAll('/', '_');
}

function errorOf(line: object): string | undefined {
  return 'error' in line && typeof line.error === 'string' ? line.error : undefined;
}

function refusal(words: string): EngineError {
  return new EngineError(words, isOfNetwork(words) ? 500 : 404);
}

/** Trouble on the way to the registry may pass; what the registry itself says does not. */
function isOfNetwork(words: string): boolean {
  return /timeout|connection re(fused|set)|no such host|EOF|unreachable|temporary failure|TLS handshake|server misbehaving/i.test(
    words,
  );
}
