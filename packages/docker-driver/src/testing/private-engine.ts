/**
 * A real Docker Engine of a test's own: its own data, sockets, bridge and control group, started in a second, killed
 * and started again at will, and gone without a trace however the test ends. Several may run at once.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { INNER_SCRIPT, OUTER_SCRIPT } from './engine-host.ts';
import { AS_ROOT, ENGINE_PATH, engineMissing, findProgram } from './engine-requirements.ts';
import { tinyImage } from './tiny-image.ts';

/** Options of {@link startPrivateEngine}. */
export interface PrivateEngineOptions {
  /** Containers go on while the engine is away. Default false. */
  readonly liveRestore?: boolean;
  /** More flags for `dockerd`, without spaces. */
  readonly flags?: readonly string[];
  /** Path of the network namespace that it lives in. Default: the one of this process. */
  readonly namespace?: string;
  /** Names to import the tiny image under. Default `tiny:latest`. */
  readonly images?: readonly string[];
}

/** A tiny image, made from busybox. */
export interface ImageOptions {
  /** Instructions of a Dockerfile: `HEALTHCHECK …`, `STOPSIGNAL …`. */
  readonly changes?: readonly string[];
}

/** Longest that an engine may take to answer. */
const READY_MS = 60_000;

/** One private engine. */
export class PrivateEngine {
  /** Where it listens. */
  readonly socketPath: string;
  readonly #dir: string;
  readonly #host: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #flags: readonly string[];
  #work: Promise<unknown> = Promise.resolve();
  #ended = false;

  /** @internal Use {@link startPrivateEngine}. */
  constructor(dir: string, host: ChildProcess, answers: AsyncIterator<string>, flags: readonly string[]) {
    this.#dir = dir;
    this.socketPath = join(dir, 'engine.sock');
    this.#host = host;
    this.#answers = answers;
    this.#flags = flags;
  }

  /** Starts the engine and waits until it answers. Only after {@link kill} or {@link stop}. */
  async start(): Promise<void> {
    await this.#tell(`start ${this.#flags.join(' ')}`);
    const deadline = Date.now() + READY_MS;
    for (;;) {
      const isUp = await this.request('GET', '/_ping').then(
        () => true,
        () => false,
      );
      if (isUp) return;
      if (Date.now() > deadline) throw new Error(`the engine did not come up:\n${await this.log()}`);
      await pause(20);
    }
  }

  /** Kills the engine with SIGKILL. Its containers' processes are not touched. */
  async kill(): Promise<void> {
    await this.#tell('kill');
  }

  /** Stops the engine in order. */
  async stop(): Promise<void> {
    await this.#tell('stop');
  }

  /** Lets the engine stand still: it takes connections and answers nothing. */
  async pause(): Promise<void> {
    await this.#tell('pause');
  }

  /** Lets it go on. */
  async resume(): Promise<void> {
    await this.#tell('resume');
  }

  /** What the engine holds mounted. */
  mounts(): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      this.#host.stdin?.write('mounts\n');
      const mounts: string[] = [];
      for (let line = await this.#answer(); line !== '.'; line = await this.#answer())
        mounts.push(line.trim());
      return mounts;
    });
  }

  /**
   * Asks the engine, independent of any driver.
   *
   * @throws Error with the engine's words when it refuses.
   */
  async request<T>(method: string, path: string, body?: object | Buffer): Promise<T> {
    const isTar = Buffer.isBuffer(body);
    const data = body === undefined ? undefined : isTar ? body : JSON.stringify(body);
    const text = await new Promise<string>((resolve, reject) => {
      const headers = {
        'Content-Type': isTar ? 'application/x-tar' : 'application/json',
        'Content-Length': data === undefined ? 0 : Buffer.byteLength(data),
      };
      const request = http.request({ socketPath: this.socketPath, path, method, headers, agent: false });
      request.on('error', reject);
      request.on('response', (response) => {
        const pieces: Buffer[] = [];
        response.on('error', reject);
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () => {
          const answer = Buffer.concat(pieces).toString('utf8');
          const { statusCode = 0 } = response;
          if (statusCode < 400) resolve(answer);
          else reject(new Error(`${method} ${path}: ${statusCode} ${answer.trim()}`));
        });
      });
      request.end(data);
    });
    return (text.startsWith('{') || text.startsWith('[') ? tryParse(text) : text) as T;
  }

  /** Imports an image that holds busybox and nothing else. */
  async importImage(name: string, { changes = [] }: ImageOptions = {}): Promise<void> {
    const [repo = name, tag = 'latest'] = name.split(/:(?=[^:/]+$)/);
    const query = new URLSearchParams([
      ['fromSrc', '-'],
      ['repo', repo],
      ['tag', tag],
      ...changes.map((change) => ['changes', change]),
    ]);
    await this.request(
      'POST',
      `/images/create?${query}`,
      await tinyImage(findProgram('busybox') ?? 'busybox'),
    );
    await this.request('GET', `/images/${repo}:${tag}/json`);
  }

  /** What the engine has logged. */
  async log(): Promise<string> {
    return readFile(join(this.#dir, 'engine.log'), 'utf8').catch(() => '');
  }

  /** Ends the engine, its containers and all that it left on the machine. Resolves when nothing is left. */
  async dispose(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const closed = new Promise<void>((resolve) => this.#host.once('close', () => resolve()));
    this.#host.stdin?.end();
    await closed;
  }

  #tell(command: string): Promise<string> {
    return this.#inTurn(() => {
      this.#host.stdin?.write(`${command}\n`);
      return this.#answer();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#work.then(work);
    this.#work = next.catch(() => {});
    return next;
  }

  async #answer(): Promise<string> {
    const { done, value } = await this.#answers.next();
    if (done === true) throw new Error(`the engine's host has ended:\n${await this.log()}`);
    return value;
  }
}

/**
 * Starts a private engine.
 *
 * @throws Error when the machine lacks what it needs, with how to get it.
 */
export async function startPrivateEngine(options: PrivateEngineOptions = {}): Promise<PrivateEngine> {
  const reason = engineMissing();
  if (reason !== undefined) throw new Error(reason);
  const { liveRestore = false, flags = [], images = ['tiny:latest'], namespace } = options;
  const dir = await mkdtemp(join(tmpdir(), 'skep-engine-'));
  await writeFile(join(dir, 'engine.json'), '{}');
  const inner = [findProgram('tini') ?? 'tini', '-s', '--', 'sh', '-c', INNER_SCRIPT, 'engine'];
  const [command = 'sh', ...args] = [
    ...AS_ROOT,
    ...(namespace === undefined ? [] : ['nsenter', `--net=${namespace}`, '--']),
    ...['env', `PATH=${ENGINE_PATH}`, 'sh', '-c', OUTER_SCRIPT, 'engine-host', dir],
    ...[findProgram('busybox') ?? 'busybox', ...inner, String(process.getgid?.() ?? 0)],
  ];
  // A process group of its own: an interrupt at the terminal must not end it before it has cleaned up.
  const host = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  host.stdin.on('error', () => {});
  const answers = createInterface({ input: host.stdout })[Symbol.asyncIterator]();
  const { value: first } = await answers.next();
  if (!/^number \d+$/.test(String(first)))
    throw new Error(`no private engine: ${first ?? 'its host has ended'}`);
  const engine = new PrivateEngine(dir, host, answers, [
    ...(liveRestore ? ['--live-restore'] : []),
    ...flags,
  ]);
  try {
    await engine.start();
    for (const image of images) await engine.importImage(image);
    return engine;
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

/** Progress comes as many objects, a line each: it is given as text. */
function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
