/** `npm run bench -- <what> [options]`: one subcommand for each thing that is measured. */

import { Command, InvalidArgumentError } from 'commander';
import { measureInChild } from './harness/child.ts';
import { machineInWords, publish, RESULTS, thisMachine } from './harness/results.ts';
import type { MemoryResult } from './memory.ts';
import { DEFAULT_SHAPES, runsOf, type Shape, shapeArguments } from './scheduler/shapes.ts';
import type { SchedulerResult } from './scheduler.ts';

const program = new Command('bench').description('Measurements of Skep.');

/** Options that ask for one shape. Without any of them all default shapes are measured. */
interface ShapeOptions extends Partial<Shape> {
  readonly json: boolean;
  readonly out: string;
}

withShape(program.command('scheduler'))
  .description('tasks from pending to assigned, and the loss of a node: all default shapes, or one')
  .option('--runs <n>', 'timed runs of each shape, after one that is thrown away', wholeNumber)
  .action(async ({ runs, json, out, ...options }: ShapeOptions & { readonly runs?: number }) => {
    const { benchScheduler } = await import('./scheduler.ts');
    const { schedulerNotes, schedulerPlot, schedulerReport } = await import('./scheduler/report.ts');
    const one = shapeOf(options);
    const results = one
      ? [await benchScheduler(one, runs ?? runsOf(one))]
      : await inChildren<SchedulerResult>('scheduler', (shape) => ['--runs', String(runs ?? runsOf(shape))]);
    const report = schedulerReport(results);
    if (one) {
      const result = results[0];
      await publish({ name: 'scheduler', result, report: [...report, ...schedulerNotes()] }, { json });
    } else {
      const plot = schedulerPlot(results);
      await publish({ name: 'scheduler', result: results, report, plot }, { json, out });
    }
  });

withShape(program.command('memory'))
  .description('bytes that a task takes in the state, its indexes and the log: all default shapes, or one')
  .action(async ({ json, out, ...options }: ShapeOptions) => {
    const { benchMemory, memoryTable } = await import('./memory.ts');
    const one = shapeOf(options);
    const weigh = typeof globalThis.gc === 'function' && one !== undefined;
    const results = weigh
      ? [await benchMemory(one)]
      : await inChildren<MemoryResult>('memory', () => [], ['--expose-gc'], one && [one]);
    const report = [machineInWords(results[0]?.machine ?? thisMachine()), memoryTable(results)];
    const outcome = { name: 'memory', result: weigh ? results[0] : results, report };
    await publish(outcome, one ? { json } : { json, out });
  });

published(program.command('scale'))
  .description('the pauses of the event loop while one huge service is scaled to nothing, or removed')
  .option('--nodes <n>', 'nodes', wholeNumber, 10_000)
  .option('--tasks <n>', 'tasks of the service', wholeNumber, 1_000_000)
  .option('--remove', 'remove the service', false)
  .action(async ({ nodes, tasks, remove, ...publishing }) => {
    const { benchScale, scaleTable } = await import('./scale.ts');
    const result = await benchScale(nodes, tasks, remove ? 'removed' : 'scaled to nothing');
    const report = [machineInWords(result.machine), scaleTable(result)];
    await publish({ name: remove ? 'scale-removed' : 'scale', result, report }, publishing);
  });

published(program.command('log'))
  .description('the file log: durable, sealed appends in group commit, and replay')
  .option(
    '--dir <directory>',
    "where to put the logs; decides which disk is measured (default: the system's)",
  )
  .option('--entries <n>', 'entries to replay', wholeNumber, 1_000_000)
  .option('--seconds <n>', 'how long each round of appends runs', wholeNumber, 3)
  .action(async ({ json, out, ...options }) => {
    const { benchLog, logTable } = await import('./log.ts');
    const machine = thisMachine();
    const rows = await benchLog(options);
    const report = [machineInWords(machine), logTable(rows)];
    await publish({ name: 'log', result: { machine, rows }, report }, { json, out });
  });

published(program.command('docker'))
  .description('creating containers through Skep, beside the bare engine with the same calls and Swarm mode')
  .option('--sizes <n,n…>', 'containers at once', wholeNumbers, [1, 10, 50, 100])
  .option('--pairs <n>', 'rounds of each size, after one that is thrown away', wholeNumber, 15)
  .option('--no-swarm', 'leave Swarm mode out')
  .action(async ({ json, out, ...options }) => {
    const { benchDocker, dockerTable } = await import('./docker.ts');
    const result = await benchDocker(options);
    const report = [machineInWords(result.machine), dockerTable(result.rows)];
    await publish({ name: 'docker', result, report }, { json, out });
  });

program
  .command('raft')
  .description('three members over mutual TLS with sealed disks, beside etcd where it is installed')
  .option('--dir <directory>', "where the members' disks are made (default: the system's)")
  .option('--rounds <n>', 'rounds of each load, turn about with etcd', wholeNumber, 5)
  .option('--seconds <n>', 'how long each load runs in a round', wholeNumber, 3)
  .option('--kills <n>', 'how often the leader is killed', wholeNumber, 100)
  .option('--transfers <n>', 'how often leadership is handed over', wholeNumber, 20)
  .option('--entries <n>', 'entries of the long log', wholeNumber, 1_000_000)
  .option('--only <part...>', 'throughput, leadership or large-log')
  .option('--json', 'print the result as JSON', false)
  .action(async ({ json, ...options }) => {
    const { benchRaft, formatRaftBench } = await import('./raft.ts');
    const result = await benchRaft(options);
    console.log(json ? JSON.stringify(result, undefined, 2) : formatRaftBench(result));
  });

published(program.command('machines'))
  .description(
    'nodes as processes: joins, losses of leaders and workers, many sessions, huge services, memory',
  )
  .option('--dir <directory>', "where the nodes' disks are made (default: the system's)")
  .option('--quick', 'fewer rounds and smaller clusters: to see that it works', false)
  .option('--only <part...>', 'joins, leader, workers, sessions, service or memory')
  .action(async ({ json, out, ...options }) => {
    const { benchMachines } = await import('./machines.ts');
    const { machinesTable } = await import('./machines/report.ts');
    const result = await benchMachines(options);
    const report = [machineInWords(result.machine), machinesTable(result)];
    await publish({ name: 'machines', result, report }, { json, out });
  });

published(program.command('plan'))
  .description('what would come of a new service, of more replicas, of a node drained or lost')
  .option('--nodes <n>', 'nodes', wholeNumber, 1_000)
  .option('--tasks <n>', 'tasks', wholeNumber, 10_000)
  .option('--runs <n>', 'timed runs, after one that is thrown away', wholeNumber, 9)
  .action(async ({ json, out, ...options }) => {
    const { benchPlan, planTable } = await import('./plan.ts');
    const machine = thisMachine();
    const rows = await benchPlan(options);
    const report = [machineInWords(machine), planTable(rows)];
    await publish({ name: 'plan', result: { machine, rows }, report }, { json, out });
  });

published(program.command('history'))
  .description('the time machine: states of the past and stories of objects, from a history on disk')
  .option('--dir <directory>', "where to put the history (default: the system's)")
  .option('--events <n>', 'events in the history', wholeNumber, 100_000)
  .option('--tasks <n>', 'tasks in the cluster', wholeNumber, 1_000)
  .option('--jumps <n>', 'moments that are jumped to', wholeNumber, 50)
  .action(async ({ json, out, ...options }) => {
    const { benchHistory, historyTable, historyWords, keepingTable } = await import('./history.ts');
    const machine = thisMachine();
    const result = await benchHistory(options);
    const report = [
      machineInWords(machine),
      historyWords(result),
      historyTable(result),
      keepingTable(result),
    ];
    await publish({ name: 'history', result: { machine, ...result }, report }, { json, out });
  });

published(program.command('mesh'))
  .description('the data plane in userspace beside HAProxy, which has to be installed, and a bare forwarder')
  .option('--rounds <n>', 'measurements of each, in turns', wholeNumber, 3)
  .option('--seconds <n>', 'length of each', wholeNumber, 2)
  .action(async ({ json, out, ...options }) => {
    const { benchMesh, meshTable } = await import('./mesh.ts');
    const machine = thisMachine();
    const result = await benchMesh(options);
    const report = [machineInWords(machine), meshTable(result)];
    await publish({ name: 'mesh', result: { machine, ...result }, report }, { json, out });
  });

published(program.command('view'))
  .description('the page in Chromium: until it shows, its work a frame, jumps to the past, what is loaded')
  .option('--nodes <n>', 'nodes', wholeNumber, 1_000)
  .option('--tasks <n>', 'tasks', wholeNumber, 10_000)
  .option('--changes-per-second <n>', 'tasks that change in a second', wholeNumber, 1_000)
  .option('--seconds <n>', 'how long they are watched', wholeNumber, 8)
  .option('--events <n>', 'events to jump about in', wholeNumber, 100_000)
  .option('--jumps <n>', 'jumps', wholeNumber, 50)
  .action(async ({ json, out, ...options }) => {
    const { benchView, viewTable } = await import('./view.ts');
    const machine = thisMachine();
    const result = await benchView(options);
    const report = [machineInWords(machine), viewTable(result)];
    await publish({ name: 'view', result: { machine, ...result }, report }, { json, out });
  });

program
  .command('readme')
  .description('puts the results that were written last into the README')
  .action(async () => {
    const { pasteResults } = await import('./harness/paste.ts');
    for (const name of await pasteResults()) console.log(`pasted ${name}`);
  });

published(program.command('requests'))
  .description('requests that fail while a service of real processes is updated under a constant HTTP load')
  .option('--requests <n>', 'requests at least', wholeNumber, 100_000)
  .option('--per-second <n>', 'requests a second', wholeNumber, 500)
  .option('--updates <n>', 'rolling updates, one after the other', wholeNumber, 10)
  .option('--replicas <n>', 'tasks of the service', wholeNumber, 4)
  .option('--lag-ms <n>', 'how long after the feed the load learns of endpoints', wholeNumber, 200)
  .action(async ({ json, out, ...options }) => {
    const { benchRequests, requestsReport } = await import('./requests.ts');
    const result = await benchRequests(options);
    await publish({ name: 'requests', result, report: requestsReport(result) }, { json, out });
    if (result.rows[0]?.failed !== 0) process.exitCode = 1;
  });

published(program.command('update'))
  .description(
    'updates by their size in simulation; updates and restarts on an engine, beside it and Swarm mode',
  )
  .option('--only <part...>', 'simulated, updates or restarts')
  .option('--sizes <n,n…>', 'tasks of the simulated services', wholeNumbers, [100, 10_000])
  .option('--nodes <n>', 'simulated nodes', wholeNumber, 100)
  .option('--parallelism <n>', 'tasks that the simulated updates replace at a time', wholeNumber, 10)
  .option('--rounds <n>', 'simulated rounds, after one that is thrown away', wholeNumber, 2)
  .option('--replicas <n>', 'containers that are replaced on an engine', wholeNumber, 10)
  .option('--pairs <n>', 'rounds on engines, after one that is thrown away', wholeNumber, 15)
  .option('--deaf-pairs <n>', 'the same for programs that are deaf to SIGTERM', wholeNumber, 15)
  .option('--swarm-rounds <n>', 'of those, rounds that Swarm mode takes part in', wholeNumber, 3)
  .option('--no-swarm', 'leave Swarm mode out')
  .action(async ({ json, out, ...options }) => {
    const { benchUpdate, updateReport } = await import('./update.ts');
    const result = await benchUpdate(options);
    await publish({ name: 'update', result, report: updateReport(result) }, { json, out });
  });

await program.parseAsync();

function withShape(command: Command): Command {
  return command
    .option('--nodes <n>', 'nodes of one shape (default: 1000)', wholeNumber)
    .option('--tasks <n>', 'its tasks (default: 10000)', wholeNumber)
    .option('--services <n>', 'services that the tasks belong to (default: 10)', wholeNumber)
    .option('--constraints', 'each service may stand on half of the nodes only')
    .option('--reservations', 'each task reserves processor and memory')
    .option('--preferences', 'each service is spread over zones and racks')
    .option('--json', 'print the result as JSON', false)
    .option('--out <folder>', 'where to write the results of all default shapes', RESULTS);
}

function published(command: Command): Command {
  return command
    .option('--json', 'print the result as JSON', false)
    .option('--out <folder>', 'where to write the result', RESULTS);
}

/** The one shape that is asked for, if any. */
function shapeOf(options: Partial<Shape>): Shape | undefined {
  const { nodes, tasks, services, constraints, reservations, preferences } = options;
  if ([nodes, tasks, services, constraints, reservations, preferences].every((each) => each === undefined)) {
    return undefined;
  }
  return {
    nodes: nodes ?? 1_000,
    tasks: tasks ?? 10_000,
    services: services ?? 10,
    constraints: constraints ?? false,
    reservations: reservations ?? false,
    preferences: preferences ?? false,
  };
}

/** Measures shapes, each in a process of its own, one after the other. */
async function inChildren<Result>(
  what: string,
  options: (shape: Shape) => readonly string[],
  nodeOptions: readonly string[] = [],
  shapes: readonly Shape[] = DEFAULT_SHAPES,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [number, shape] of shapes.entries()) {
    const args = [what, ...shapeArguments(shape), ...options(shape)];
    process.stderr.write(`${number + 1}/${shapes.length}: ${args.join(' ')}\n`);
    results.push(await measureInChild<Result>(args, nodeOptions));
  }
  return results;
}

/** Several, with commas between them. */
function wholeNumbers(text: string): readonly number[] {
  return text.split(',').map(wholeNumber);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be a whole number from 1');
  return value;
}
