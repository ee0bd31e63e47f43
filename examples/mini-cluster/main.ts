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
import { Command, InvalidArgumentError } from 'commander';
import { show } from './display.ts';
import { converge, openMiniCluster } from './mini-cluster.ts';
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
}

const options = new Command('npm start --')
  .description('a Skep cluster of one manager and some workers in one process')
  .option('--stack <file>', 'stack file in compose format', HELLO)
  .option('--once', 'exit 0 when all runs; 1, with the reasons, when it does not in time', false)
  .option('--workers <n>', 'nodes beside the manager', count, 5)
  .option('--timeout <seconds>', 'how long to wait for all to run', count, 60)
  .option('--dir <dir>', 'keep the cluster here, and go on with it next time (default: nothing is kept)')
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
  try {
    return await live(home, stack, options, interrupted);
  } catch (error) {
    if (interrupted.aborted) return options.once ? INTERRUPTED : 0;
    throw error;
  } finally {
    if (dir === undefined) await rm(home, { recursive: true, force: true });
  }
}

/** From the first node to the last task. */
async function live(
  dir: string,
  stack: Stack,
  { once, workers, timeout }: Omit<Options, 'stack' | 'dir'>,
  interrupted: AbortSignal,
): Promise<number> {
  const cluster = await openMiniCluster({ dir, workers, signal: interrupted });
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
  const [, pid] =
    /^pid (\d+)$/.exec(cluster.tasks.list({ state: 'running' })[0]?.status.runtime?.id ?? '') ?? [];
  const kill = pid === undefined ? 'kill a task' : `try \`kill -9 ${pid}\``;
  return `In another terminal, ${kill} and see it healed. Ctrl-C stops everything.`;
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0)
    throw new InvalidArgumentError('must be a whole number, 0 or more');
  return number;
}
