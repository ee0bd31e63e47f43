/**
 * `npm start`: brings up the mini-cluster, deploys a stack file, and shows it live. With `--once` it exits as soon as
 * everything runs, with the reasons when it does not in time.
 */

import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSkepError } from '@skep/core';
import { applyStack, type Stack } from '@skep/stack';
import { readStackFile } from '@skep/stack/node';
import { Command, InvalidArgumentError, Option } from 'commander';
import { converge } from './converge.ts';
import { allTables, eventText, show } from './display.ts';
import { Fleet, type FleetOptions } from './fleet.ts';
import type { TasksAtEnd } from './member-messages.ts';
import type { NodeDriver } from './node-driver.ts';
import { NodeFailure } from './node-process.ts';
import { programsAt } from './programs.ts';
import { serveFleetView } from './view-server.ts';

/** Exit code of a run that was interrupted before it was done: 128 + SIGINT. */
const INTERRUPTED = 130;
const HELLO = fileURLToPath(new URL('../stacks/hello.yaml', import.meta.url));

interface Options {
  readonly stack: string;
  readonly once: boolean;
  readonly managers: number;
  readonly workers: number;
  readonly timeout: number;
  readonly dir?: string;
  readonly stopTasks: boolean;
  readonly actions: boolean;
  readonly driver: 'process' | 'docker';
  readonly cpus?: number;
  readonly memory?: number;
}

const options = new Command('npm start --')
  .description('a Skep cluster of managers and workers, each a process of its own')
  .option('--stack <file>', 'stack file in compose format', HELLO)
  .option('--once', 'exit 0 when all runs; 1, with the reasons, when it does not in time', false)
  .option('--managers <n>', 'managers, which run tasks, too; an odd number', countFrom(1), 3)
  .option('--workers <n>', 'nodes beside the managers', countFrom(0), 2)
  .option('--timeout <seconds>', 'how long to wait for all to run', countFrom(0), 60)
  .option('--dir <dir>', 'keep the cluster here, and go on with it next time (default: nothing is kept)')
  .option('--stop-tasks', 'with --dir: stop the tasks at the end (default: they run on for next time)', false)
  .option('--actions', 'let the page scale services and drain nodes, with the token in the URL', false)
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
  if (!isSkepError(error) && !(error instanceof NodeFailure)) throw error;
  console.error(error.message);
  return 1;
});

/** The whole life of the mini-cluster. Answers with the exit code. */
async function run({ stack: file, dir, ...options }: Options): Promise<number> {
  const stack = readStackFile(file);
  for (const warning of stack.warnings) console.error(`warning: ${warning.field}: ${warning.message}`);
  const interrupted = listenForInterrupts();
  const { managers, workers } = options;
  const tasks = dir === undefined || options.stopTasks ? 'stop' : 'leave';
  const nodes: FleetOptions = {
    ...{ managers, workers },
    dir: dir === undefined ? await mkdtemp(join(tmpdir(), 'skep-mini-cluster-')) : resolve(dir),
    keep: dir !== undefined,
    driver: driverOf(options, dir === undefined),
    ...(options.actions && { viewToken: randomBytes(24).toString('base64url') }),
    signal: interrupted,
  };
  try {
    return await live(nodes, stack, { ...options, tasks }, interrupted);
  } catch (error) {
    if (interrupted.aborted) return options.once ? INTERRUPTED : 0;
    throw error;
  }
}

/** From the first node to the last task. */
async function live(
  nodes: FleetOptions,
  stack: Stack,
  { once, timeout, tasks }: Pick<Options, 'once' | 'timeout'> & { readonly tasks: TasksAtEnd },
  interrupted: AbortSignal,
): Promise<number> {
  const fleet = await Fleet.open(nodes, (node, event) => {
    const line = eventText(node, event);
    if (line !== undefined) console.log(line);
  });
  const display = show(fleet, process.stdout);
  const view = await serveFleetView({ nodes: fleet.nodes, taken: portsOf(stack) });
  const token = nodes.viewToken === undefined ? '' : `#token=${nodes.viewToken}`;
  const url = `${view.url}${token}`;
  try {
    const docker = dockerLine(fleet);
    if (!once) display.say(() => [`See it live at ${url}`, ...docker].join('\n'));
    await applyStack(fleet, stack, { signal: interrupted });
    const { converged, reasons } = await converge(fleet, stack, {
      timeout: timeout * 1_000,
      signal: interrupted,
    });
    if (!process.stdout.isTTY) console.log(`\n${allTables(fleet).join('\n')}`);
    if (once) {
      display.stop();
      for (const reason of reasons) console.error(reason);
      return converged ? 0 : 1;
    }
    display.say(() => [...reasons, `See it live at ${url}`, ...docker, ...hints(fleet, tasks)].join('\n'));
    await new Promise<void>((resolve) => {
      interrupted.addEventListener('abort', () => resolve(), { once: true });
      if (interrupted.aborted) resolve();
    });
    return 0;
  } finally {
    if (!once) {
      const what = tasks === 'leave' ? 'Ending all nodes; their tasks run on.' : 'Stopping all tasks.';
      display.say(() => `${what} Ctrl-C again leaves at once.`);
    }
    await view[Symbol.asyncDispose]();
    await fleet.close({ tasks });
    display.stop();
  }
}

/** Ports that the stack publishes. */
function portsOf({ services }: Stack): ReadonlySet<number> {
  const published = services.flatMap(({ ports = [] }) => ports.map((port) => port.published));
  return new Set(published.filter((port) => port !== undefined));
}

/** What runs the tasks of each node. */
function driverOf(
  { driver, cpus, memory }: Omit<Options, 'stack'>,
  removeOnClose: boolean,
): FleetOptions['driver'] {
  const engine = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
  return (host, nodes): NodeDriver => {
    const resources = {
      divideBy: nodes,
      ...(cpus !== undefined && { cpus }),
      ...(memory !== undefined && { memoryBytes: memory }),
    };
    if (driver === 'process') return { kind: driver, resources, programs: programsAt(host) };
    return { kind: driver, resources, engine, removeOnClose };
  };
}

/** The first interrupt ends in order, a second one at once, whatever is still running. */
function listenForInterrupts(): AbortSignal {
  const interrupted = new AbortController();
  // Each node that is waited for listens to it.
  setMaxListeners(0, interrupted.signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupted.signal.aborted) process.exit(INTERRUPTED);
      interrupted.abort();
    });
  }
  return interrupted.signal;
}

/** How the docker CLI is pointed at the cluster; each node has a socket of its own. */
function dockerLine(fleet: Fleet): string[] {
  const socket = fleet.socketOf(fleet.nodes[0]?.hostname ?? '');
  return socket === undefined ? [] : [`Drive it with docker: export DOCKER_HOST=unix://${socket}`];
}

/** What to try, and how to end. */
function hints({ picture, nodes }: Fleet, tasks: TasksAtEnd): string[] {
  const task = picture?.tasks.find(({ status }) => status.state === 'running');
  const id = task?.status.runtime?.id ?? '';
  const [, pid] = /^pid (\d+)$/.exec(id) ?? [];
  const taskText = pid === undefined ? `\`docker kill ${id.slice(0, 12)}\`` : `\`kill -9 ${pid}\``;
  const leader = nodes.find(({ process }) => process.isReady && process.nodeId === picture?.leader);
  const kills = [
    ...(id === '' ? [] : [`${taskText} (a task)`]),
    ...(leader?.process.pid === undefined
      ? []
      : [`\`kill -9 ${leader.process.pid}\` (${leader.hostname}, which leads)`]),
  ];
  return [
    `In another terminal, try ${kills.join(' or ')} and see it healed: a node is started again a moment later.`,
    tasks === 'leave'
      ? 'Ctrl-C ends the nodes; tasks run on, and are found next time.'
      : 'Ctrl-C stops everything.',
  ];
}

function countFrom(least: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!Number.isInteger(number) || number < least)
      throw new InvalidArgumentError(`must be a whole number, ${least} or more`);
    return number;
  };
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
