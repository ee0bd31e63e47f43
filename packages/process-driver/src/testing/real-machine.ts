/**
 * A real machine for tests of the process driver: tasks as small shell scripts, and eyes of its own on the process
 * table, so that what the driver says can be held against what is.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { DriverContext, RuntimeTask } from '@skep/core/driver';
import type { DriverMachine, TaskKind } from '@skep/core/driver/conformance';
import { silentLogger, systemClock, type TaskSpecInput, taskSpecSchema } from '@skep/core/testing';
import { ProcessDriver, type ProcessDriverOptions } from '../index.ts';
import { bookDir } from '../port-book.ts';
import type { HolderOrder } from './holder.ts';

/** A living process as /proc tells it. */
export interface LivingProcess {
  readonly pid: number;
  readonly group: number;
  readonly command: string;
  readonly environment: readonly string[];
}

const tryRead = (file: string) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** All living processes that were given this variable. */
export function processesWith(variable: string, value: string): readonly LivingProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const environment = tryRead(`/proc/${name}/environ`).split('\0');
      if (!environment.includes(`${variable}=${value}`)) return [];
      const stat = tryRead(`/proc/${name}/stat`);
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === undefined || state === 'Z' || state === 'X') return [];
      const command = tryRead(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim();
      return [{ pid: Number(name), group: Number(group), command, environment }];
    });
}

/** Resolves once the condition holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(5);
}

// Leaves a line at each start, so that a second one shows though it may be over.
const RUNS = 'echo "$SKEP_TASK_ID" >> "$STARTS"; exec sleep 100000';
const IGNORES = 'trap "" TERM; echo ignoring; while :; do sleep 100000; done';
// Blocks on a named pipe, which the test writes to, so that nothing polls.
const EXITS_WHEN_TOLD = 'printf %s "$OUT"; printf %s "$ERR" >&2; read -r code < "$PIPE"; exit "$code"';

const shellProgram = (script: string) => ({ command: '/bin/sh', args: ['-c', script] });

/** A machine with a state directory of its own. Its name is in the environment of all that runs on it. */
export class RealMachine implements DriverMachine {
  readonly dir = mkdtempSync(join(tmpdir(), 'skep-test-'));
  readonly mark = randomUUID();
  readonly context: DriverContext;
  readonly #options: ProcessDriverOptions;
  readonly #drivers: ProcessDriver[] = [];
  readonly #codes = new Map<string, number>();

  constructor(options: ProcessDriverOptions = {}) {
    this.#options = options;
    this.context = {
      clusterId: 'testcluster' as DriverContext['clusterId'],
      nodeId: `node-${this.mark}` as DriverContext['nodeId'],
      hostname: 'testhost',
      stateDir: this.dir,
      clock: systemClock,
      logger: silentLogger,
    };
  }

  /** Options of the drivers here. */
  get options(): ProcessDriverOptions {
    const { programs, ...others } = this.#options;
    // The same tests on another shell: SKEP_TEST_SHELL=/path/to/sh npx vitest run packages/process-driver
    const shell = process.env['SKEP_TEST_SHELL'];
    return {
      ...(shell !== undefined && { shell }),
      programs: {
        runs: shellProgram(RUNS),
        'ignores-stop': shellProgram(IGNORES),
        'exits-when-told': shellProgram(EXITS_WHEN_TOLD),
        exits: shellProgram('exit "$CODE"'),
        broken: { command: 'no-such-program-anywhere' },
        ...programs,
      },
      ...others,
    };
  }

  createDriver(): ProcessDriver {
    const driver = new ProcessDriver(this.options);
    this.#drivers.push(driver);
    return driver;
  }

  /** A driver, opened. */
  async openDriver(): Promise<ProcessDriver> {
    const driver = this.createDriver();
    await driver.open(this.context);
    return driver;
  }

  /** A task of a program of the table, or of a spec. */
  task(spec: TaskSpecInput & { readonly image: string }, change: Partial<RuntimeTask> = {}): RuntimeTask {
    return {
      id: randomUUID() as RuntimeTask['id'],
      serviceId: 'service' as RuntimeTask['serviceId'],
      serviceName: 'web',
      name: 'web.1',
      slot: 1,
      spec: taskSpecSchema.parse({ ...spec, env: { ...this.#env(), ...spec.env } }),
      ports: [],
      assignedGeneric: {},
      files: [],
      ...change,
    };
  }

  /** Starts a process that holds a driver here and starts these tasks. */
  spawnHolder(tasks: readonly RuntimeTask[], dieAfterMs?: number): ChildProcess {
    const { clusterId, nodeId, hostname } = this.context;
    const order: HolderOrder = {
      context: { clusterId, nodeId, hostname, stateDir: this.dir },
      options: this.options,
      tasks,
      ...(dieAfterMs !== undefined && { dieAfterMs }),
    };
    const holder = join(import.meta.dirname, 'holder.ts');
    const args = ['--conditions=@skep/source', '--import=tsx', holder, JSON.stringify(order)];
    return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  abandon(): Promise<void> {
    return Promise.resolve();
  }

  spec(kind: TaskKind) {
    const env = this.#env();
    switch (kind.kind) {
      case 'exits':
        return { image: 'exits', env: { ...env, CODE: String(kind.code) } };
      case 'exits-when-told': {
        const pipe = join(this.dir, `pipe-${randomUUID()}`);
        execFileSync('mkfifo', [pipe]);
        this.#codes.set(pipe, kind.code);
        const text = (lines: readonly string[] = []) => lines.map((line) => `${line}\n`).join('');
        return {
          image: 'exits-when-told',
          env: { ...env, PIPE: pipe, OUT: text(kind.stdout), ERR: text(kind.stderr) },
        };
      }
      case 'unknown-image':
        return { image: 'nothing-of-this-name' };
      case 'bad-command':
        return { image: 'broken' };
      default:
        return { image: kind.kind, env };
    }
  }

  async tell(task: RuntimeTask): Promise<void> {
    const pipe = task.spec.env['PIPE'] ?? '';
    await writeFile(pipe, `${this.#codes.get(pipe)}\n`);
    await until(() => this.processesOf(task).length === 0);
  }

  async kill(task: RuntimeTask): Promise<void> {
    for (const { group } of this.processesOf(task)) process.kill(-group, 'SIGKILL');
    await until(() => this.processesOf(task).length === 0);
  }

  processesOf(task: RuntimeTask): readonly LivingProcess[] {
    return processesWith('SKEP_TASK_ID', task.id);
  }

  alive(task: RuntimeTask): Promise<number> {
    // A wrapper that has lost the claim, or its ln, is no runtime: it never runs the program. One with no command
    // line was ending while it was looked at.
    const programs = this.processesOf(task).filter(({ command }) => !/^$|task\.sh |claim\.\d/.test(command));
    return Promise.resolve(new Set(programs.map(({ group }) => group)).size);
  }

  leftovers(): Promise<readonly string[]> {
    const tasks = join(this.dir, 'process-driver', 'tasks');
    return Promise.resolve([
      ...processesWith('SKEP_TEST', this.mark).map(({ pid, command }) => `process ${pid}: ${command}`),
      ...this.held(),
      ...(existsSync(tasks) ? readdirSync(tasks).map((name) => `directory ${name}`) : []),
    ]);
  }

  /** What tasks hold beyond their own directories: reserved ports, and secrets in memory. */
  held(): readonly string[] {
    return [
      ...this.#portFiles().map((file) => `port ${file}`),
      ...this.#memoryDirs().map((dir) => `files ${dir}`),
    ];
  }

  /** How often the program of a task that `runs` was really started. */
  startsOf(task: RuntimeTask): number {
    return tryRead(join(this.dir, 'starts'))
      .split('\n')
      .filter((id) => id === task.id).length;
  }

  freePort(): Promise<number> {
    return new Promise((resolve, reject) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
      });
      server.on('error', reject);
    });
  }

  #env(): Record<string, string> {
    return { SKEP_TEST: this.mark, STARTS: join(this.dir, 'starts') };
  }

  #portFiles(): readonly string[] {
    if (!existsSync(bookDir)) return [];
    return readdirSync(bookDir)
      .map((name) => join(bookDir, name))
      .filter((file) => tryRead(file).startsWith(this.dir));
  }

  #memoryDirs(): readonly string[] {
    const parent = join('/dev/shm', `skep-${userInfo().uid}`);
    if (!existsSync(parent)) return [];
    return readdirSync(parent)
      .filter((name) => name.includes(this.mark))
      .map((name) => join(parent, name));
  }

  async dispose(): Promise<void> {
    for (const driver of this.#drivers) await driver.close();
    for (const { group } of processesWith('SKEP_TEST', this.mark)) {
      try {
        process.kill(-group, 'SIGKILL');
      } catch {
        // Gone in the meantime.
      }
    }
    await until(() => processesWith('SKEP_TEST', this.mark).length === 0);
    for (const file of this.#portFiles()) rmSync(file, { force: true });
    for (const dir of this.#memoryDirs()) rmSync(dir, { recursive: true, force: true });
    rmSync(this.dir, { recursive: true, force: true });
  }
}
