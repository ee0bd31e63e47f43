/**
 * `npm start`: brings up the mini-cluster, deploys a stack file, and shows it live. With `--once` it exits as soon as
 * everything runs, with the reasons when it does not in time.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cluster, isSkepError } from '@skep/core';
import { readStackFile } from '@skep/stack/node';
import { Command, InvalidArgumentError } from 'commander';
import { show } from './display.ts';
import { converge, deploy, openMiniCluster } from './mini-cluster.ts';
import { serviceTable, taskTable } from './tables.ts';

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
async function run({ stack: file, once, workers, timeout, dir }: Options): Promise<number> {
  const stack = readStackFile(file);
  for (const warning of stack.warnings) console.error(`warning: ${warning.field}: ${warning.message}`);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
  const home = dir ?? (await mkdtemp(join(tmpdir(), 'skep-mini-cluster-')));
  const cluster = await openMiniCluster({ dir: home, workers, signal: interrupted.signal });
  const display = show(cluster, process.stdout);
  try {
    await deploy(cluster, stack);
    const waiting = { timeout: timeout * 1_000, signal: interrupted.signal };
    const { converged, reasons } = await converge(cluster, stack, waiting);
    if (once) display.stop();
    if (!process.stdout.isTTY) {
      const tables = [serviceTable(cluster), taskTable(cluster, cluster.services.list(), Date.now())];
      for (const lines of tables) console.log(`\n${lines.join('\n')}`);
    }
    if (once) {
      for (const reason of reasons) console.error(reason);
      return converged ? 0 : 1;
    }
    display.say(() => [...reasons, hint(cluster)].join('\n'));
    await new Promise<void>((resolve) => {
      interrupted.signal.addEventListener('abort', () => resolve(), { once: true });
      if (interrupted.signal.aborted) resolve();
    });
    return 0;
  } catch (error) {
    if (interrupted.signal.aborted) return 0;
    throw error;
  } finally {
    display.stop();
    await cluster.close();
    if (dir === undefined) await rm(home, { recursive: true, force: true });
  }
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
