/** `npm run bench -- <what> [options]`: one subcommand for each thing that is measured. */

import { Command, InvalidArgumentError } from 'commander';

const program = new Command('bench').description('Measurements of Skep.');

program
  .command('scheduler')
  .description('tasks from pending to assigned: decided, appended to the memory log, applied, told')
  .option('--nodes <n>', 'nodes', wholeNumber, 1_000)
  .option('--tasks <n>', 'tasks', wholeNumber, 10_000)
  .option('--services <n>', 'services that the tasks belong to', wholeNumber, 10)
  .option('--constraints', 'each service may stand on half of the nodes only', false)
  .option('--reservations', 'each task reserves processor and memory', false)
  .option('--preferences', 'each service is spread over zones and racks', false)
  .option('--runs <n>', 'timed runs, after one that is thrown away', wholeNumber, 5)
  .option('--json', 'print the result as JSON', false)
  .action(async ({ json, ...options }) => {
    const { benchScheduler, printSchedulerBench } = await import('./scheduler.ts');
    const result = await benchScheduler(options);
    if (json) console.log(JSON.stringify(result, undefined, 2));
    else printSchedulerBench(result);
  });

program
  .command('log')
  .description('the file log: durable, sealed appends in group commit, and replay')
  .option(
    '--dir <directory>',
    "where to put the logs; decides which disk is measured (default: the system's)",
  )
  .option('--entries <n>', 'entries to replay', wholeNumber, 1_000_000)
  .option('--seconds <n>', 'how long each round of appends runs', wholeNumber, 3)
  .option('--json', 'print the result as JSON', false)
  .action(async ({ json, ...options }) => {
    const { benchLog, formatLogBench } = await import('./log.ts');
    const rows = await benchLog(options);
    console.log(json ? JSON.stringify(rows, undefined, 2) : formatLogBench(rows));
  });

await program.parseAsync();

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('must be a whole number from 1');
  return value;
}
