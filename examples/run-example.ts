/** Runs an example as a reader would, for the tests: a process of its own, its output as lines. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A running example. */
export interface RunningExample {
  readonly child: ChildProcess;
  /** Every line so far, of both streams. */
  readonly lines: readonly string[];
  /** Resolves with the first line that matches; rejects when the example ends without one. */
  line(pattern: RegExp): Promise<string>;
  /** Resolves with the exit code; -1 when a signal ended it. */
  readonly exit: Promise<number>;
}

/** Starts `examples/<file>` with these arguments, and these variables beside those of the test. */
export function runExample(
  file: string,
  args: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
): RunningExample {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@skep/source', '--import=tsx', path, ...args], {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const waiting = new Set<(line: string | undefined) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const tell of [...waiting]) tell(line);
    });
  }
  const exit = new Promise<number>((resolve) => {
    child.once('close', (code) => {
      for (const tell of [...waiting]) tell(undefined);
      resolve(code ?? -1);
    });
  });
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const tell = (told: string | undefined) => {
        if (told !== undefined && !pattern.test(told)) return;
        waiting.delete(tell);
        if (told === undefined) reject(new Error(`ended without ${pattern}:\n${lines.join('\n')}`));
        else resolve(told);
      };
      const seen = lines.find((known) => pattern.test(known));
      if (seen === undefined) waiting.add(tell);
      else resolve(seen);
    });
  return { child, lines, line, exit };
}
