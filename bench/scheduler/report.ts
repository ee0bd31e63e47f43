/** The scheduler's results for people: tables of text and a plot, with what others take beside them. */

import type { Pauses } from '../harness/pauses.ts';
import { barChart } from '../harness/plot.ts';
import { machineInWords, type ReportPart } from '../harness/results.ts';
import { millions, milliseconds, type Table, whole } from '../harness/table.ts';
import type { SchedulerResult } from '../scheduler.ts';
import { SWARMKIT, SWARMKIT_TIMES } from './peers.ts';
import { kindInWords, sizeInWords } from './shapes.ts';

const TIMED = [
  'Timed: from the moment the scheduler may decide, with all tasks pending, until the last assignment was decided,',
  'encoded, appended to the memory log, applied, folded into the index and received on the committed change feed.',
  'decisions/s: the time inside `decide` alone. Pauses: every turn of the event loop, p50 and p99 by time. gc: the',
  'longest piece of a pause that the garbage collector took, by the wall clock. Loss: one node goes down, until all of',
  'its tasks have an assigned replacement, all control loops running: median / worst.',
  'In brackets, and for decisions/s: without the time for which other programs had the processor.',
].join('\n');

const HEADINGS = [
  'nodes x tasks / services',
  'asks',
  'tasks/s',
  'decisions/s',
  'events/s',
  'pause p50',
  'p99',
  'max ms',
  'gc max ms',
  'loss ms',
];

/** All results as one table. */
export function schedulerReport(results: readonly SchedulerResult[]): readonly ReportPart[] {
  return [machineOf(results), tableOf(results)];
}

/** What stands beside it, as cited, and how to read both. */
export function schedulerNotes(): readonly ReportPart[] {
  const rows = SWARMKIT.map(({ shape, tasksPerSecond }) => [shape, whole(tasksPerSecond)]);
  const headings = ['SwarmKit, cited and not run here', 'tasks/s'];
  return [TIMED, { headings, rows }, `It times ${SWARMKIT_TIMES}.`];
}

function tableOf(results: readonly SchedulerResult[]): Table {
  return { headings: HEADINGS, rows: results.map(cells) };
}

function machineOf([first]: readonly SchedulerResult[]): string {
  return first === undefined ? '' : machineInWords(first.machine);
}

function cells(result: SchedulerResult): string[] {
  const { tasks, milliseconds: median, ownMs, worstMs } = result.loss;
  return [
    sizeInWords(result),
    kindInWords(result),
    `${whole(result.tasksPerSecond)} (${whole(result.ownTasksPerSecond)})`,
    millions(result.decisionsPerSecond),
    whole(result.eventsPerSecond),
    ...pauseCells(result),
    milliseconds(result.pauses.gc.longest),
    `${milliseconds(median)} (${milliseconds(ownMs)}) / ${milliseconds(worstMs)} for ${tasks}`,
  ];
}

function pauseCells({ pauses: { wall, own } }: SchedulerResult): string[] {
  const cell = (pick: (pauses: Pauses) => number) => {
    const text = milliseconds(pick(wall));
    return own === undefined ? text : `${text} (${milliseconds(pick(own))})`;
  };
  return [cell(({ p50 }) => p50), cell(({ p99 }) => p99), cell(({ max }) => max)];
}

/** Tasks per second of each shape, and of SwarmKit as cited. */
export function schedulerPlot(results: readonly SchedulerResult[]): string {
  return barChart({
    title: 'Scheduling: tasks per second, pending to assigned',
    subtitle:
      'nodes x tasks / services; whole pipeline on one core, memory log; SwarmKit as cited, timed as its table says',
    unit: 'tasks/s',
    goal: { value: 100_000, label: '100,000' },
    bars: [
      ...results.map((result) => ({
        label: `${sizeInWords(result)}, ${kindInWords(result)}`,
        value: result.tasksPerSecond,
        series: 'Skep',
      })),
      ...SWARMKIT.map(({ shape, tasksPerSecond }) => ({
        label: shape,
        value: tasksPerSecond,
        series: 'SwarmKit (cited)',
      })),
    ],
  });
}
