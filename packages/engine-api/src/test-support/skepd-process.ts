/** Daemons as processes of their own, each with a socket and a docker CLI that drives it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { DockerCli } from './docker-cli.ts';
import { STAND_INS } from './stand-ins.ts';

const PROGRAM = fileURLToPath(new URL('../skepd.ts', import.meta.url));
const LOADER = ['--conditions=@skep/source', '--import=tsx'];

/** One daemon, which may be ended and started again. */
export class SkepdProcess {
  readonly name: string;
  readonly socket: string;
  readonly pidfile: string;
  readonly cli: DockerCli;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #log = '';

  constructor(dir: string, name: string, args: readonly string[]) {
    this.name = name;
    this.socket = join(dir, `${name}.sock`);
    this.pidfile = join(dir, `${name}.pid`);
    this.cli = new DockerCli({ host: `unix://${this.socket}`, home: join(dir, 'home') });
    this.#args = [
      ...['--data-root', join(dir, name), '-H', `unix://${this.socket}`, '--hostname', name],
      ...['--pidfile', this.pidfile, ...args],
    ];
  }

  /** What it wrote to its log so far. */
  get log(): string {
    return this.#log;
  }

  /** Resolves once it serves. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [...LOADER, PROGRAM, ...this.#args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString();
    });
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('serving')) return;
    }
    throw new Error(`skepd ${this.name} ended before it served: ${this.#log}`);
  }

  /** Ends it. Gives its exit code. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const closed = once(child, 'close');
    child.kill(signal);
    const [code] = await closed;
    return code as number | null;
  }
}

/** The daemons of one test. All that they leave goes with it. */
export class SkepdFleet implements AsyncDisposable {
  readonly dir: string;
  readonly #members: SkepdProcess[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async open(): Promise<SkepdFleet> {
    const dir = await mkdtemp(join(tmpdir(), 'skepd-'));
    await mkdir(join(dir, 'home'));
    await writeFile(join(dir, 'programs.json'), JSON.stringify(STAND_INS));
    return new SkepdFleet(dir);
  }

  /** Starts one, at an address of this machine's own that it is reached at as a manager. */
  async start(name: string, host: string, port: number): Promise<SkepdProcess> {
    const member = new SkepdProcess(this.dir, name, [
      ...['--programs', join(this.dir, 'programs.json'), '--stop-tasks'],
      ...['--address', `${host}:${port}`],
    ]);
    this.#members.push(member);
    await member.start();
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member.end()));
    await rm(this.dir, { recursive: true, force: true });
  }
}
