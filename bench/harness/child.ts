/**
 * One measurement, one process: what ran before leaves neither heap nor compiled code behind. The child is this same
 * program with other arguments and `--json`.
 */

import { spawn } from 'node:child_process';

/**
 * Runs `bench <args> --json` and reads what it prints.
 *
 * @param nodeOptions - options of Node, before the program.
 * @throws Error with what the child wrote to its standard error, when it fails.
 */
export async function measureInChild<Result>(
  args: readonly string[],
  nodeOptions: readonly string[] = [],
): Promise<Result> {
  const [, program = ''] = process.argv;
  const child = spawn(process.execPath, [...process.execArgv, ...nodeOptions, program, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`bench ${args.join(' ')} ended with ${code}: ${errors.trim()}`);
  return JSON.parse(output) as Result;
}
