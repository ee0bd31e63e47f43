/**
 * `npm start`: brings up the mini-cluster, deploys a stack file, and shows it live. With `--once` it exits as soon as
 * everything runs, with the reasons when it does not in time.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cluster, isSkepError } from '@skep/core';
import { applyStack, type Stack } from '@skep/stack';
import { readStackFile } from '@skep/stack/node';
import { Command, InvalidArgumentError, Option } from 'commander';
import { show } from './display.ts';
import { converge, type MiniClusterOptions, openMiniCluster } from './mini-cluster.ts';
import { serviceTable, taskTable } from './tables.ts';

/** Exit code of a run that was interrupted before it was done: 128 + SIGINT. */
const INTERRUPTED = 130;
const HELLO = fileURLToPath(new URL('../stacks/hello.yaml', import.meta.url));

interface Options {
  readonly stack: string;
  readonly once: boolean;
  readonly workers: number;
  readonly timeout: number;
  readonly dir?: string;
  readonly driver: 'process' | 'docker';
  readonly cpus?: number;
  readonly memory?: number;
}

const options = new Command('npm start --')
  .description('a Skep cluster of one manager and some workers in one process')
  .option('--stack <file>', 'stack file in compose format', HELLO)
  .option('--once', 'exit 0 when all runs; 1, with the reasons, when it does not in time', false)
  .option('--workers <n>', 'nodes beside the manager', count, 5)
  .option('--timeout <seconds>', 'how long to wait for all to run', count, 60)
  .option('--dir <dir>', 'keep the cluster here, and go on with it next time (default: nothing is kept)')
  .addOption(
    new Option('--driver <name>', 'what runs the tasks; docker: on the engine at DOCKER_HOST')
      .choices(['process', 'docker'])
      .default('process'),
  )
  .option('--cpus <n>', "processors of each node (default: its share of the machine's)", amount)
  .option('--memory <size>', 'memory of each node, such as 512M (default: its share)', bytes)
  .parse()
  .opts<Options>();

process.exitCode = await run(options).catch((error: unknown) => {
  if (!isSkepError(error)) throw error;
  console.error(error.message);
  return 1;
});

/** The whole life of the mini-cluster. Answers with the exit code. */
async function run({ stack: file, dir, ...options }: Options): Promise<number> {
  const stack = readStackFile(file);
  for (const warning of stack.warnings) console.error(`warning: ${warning.field}: ${warning.message}`);
  const interrupted = listenForInterrupts();
  const home = dir ?? (await mkdtemp(join(tmpdir(), 'skep-mini-cluster-')));
  const { driver, cpus, memory } = options;
  const engine = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
  const nodes: Omit<MiniClusterOptions, 'signal'> = {
    dir: home,
    workers: options.workers,
    driver:
      driver === 'docker' ? { kind: driver, engine, removeOnClose: dir === undefined } : { kind: driver },
    resources: {
      ...(cpus !== undefined && { cpus }),
      ...(memory !== undefined && { memoryBytes: memory }),
    },
  };
  try {
    return await live(nodes, stack, options, interrupted);
  } catch (error) {
    if (interrupted.aborted) return options.once ? INTERRUPTED : 0;
    throw error;
  } finally {
    if (dir === undefined) await rm(home, { recursive: true, force: true });
  }
}

/** From the first node to the last task. */
async function live(
  nodes: Omit<MiniClusterOptions, 'signal'>,
  stack: Stack,
  { once, timeout }: Pick<Options, 'once' | 'timeout'>,
  interrupted: AbortSignal,
): Promise<number> {
  const cluster = await openMiniCluster({ ...nodes, signal: interrupted });
  const display = show(cluster, process.stdout);
  try {
    await applyStack(cluster, stack, { signal: interrupted });
    const { converged, reasons } = await converge(cluster, stack, {
      timeout: timeout * 1_000,
      signal: interrupted,
    });
    if (!process.stdout.isTTY) printTables(cluster);
    if (once) {
      display.stop();
      for (const reason of reasons) console.error(reason);
      return converged ? 0 : 1;
    }
    display.say(() => [...reasons, hint(cluster)].join('\n'));
    await new Promise<void>((resolve) => {
      interrupted.addEventListener('abort', () => resolve(), { once: true });
      if (interrupted.aborted) resolve();
    });
    return 0;
  } finally {
    if (!once) display.say(() => 'Stopping all tasks. Ctrl-C again leaves at once.');
    await cluster.close();
    display.stop();
  }
}

/** The first interrupt ends in order, a second one at once, whatever is still running. */
function listenForInterrupts(): AbortSignal {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupted.signal.aborted) process.exit(INTERRUPTED);
      interrupted.abort();
    });
  }
  return interrupted.signal;
}

function printTables(cluster: Cluster): void {
  const tables = [serviceTable(cluster), taskTable(cluster, cluster.services.list(), Date.now())];
  for (const lines of tables) console.log(`\n${lines.join('\n')}`);
}

function hint(cluster: Cluster): string {
  const id = cluster.tasks.list({ state: 'running' })[0]?.status.runtime?.id ?? '';
  const [, pid] = /^pid (\d+)$/.exec(id) ?? [];
  const command = pid === undefined ? `docker kill ${id.slice(0, 12)}` : `kill -9 ${pid}`;
  const kill = id === '' ? 'kill a task' : `try \`${command}\``;
  return `In another terminal, ${kill} and see it healed. Ctrl-C stops everything.`;
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0)
    throw new InvalidArgumentError('must be a whole number, 0 or more');
  return number;
}

function amount(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number < Number.POSITIVE_INFINITY))
    throw new InvalidArgumentError('must be a number above 0');
  return number;
}

function bytes(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([KMG]?)B?$/i.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('must be a size such as 512M');
  return Math.floor(Number(digits) * 1024 ** ' KMG'.indexOf(unit.toUpperCase() || ' '));
}
