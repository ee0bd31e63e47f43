/**
 * What the shell over a task said when it could not run the program: a missing interpreter, a file that is no program.
 * The driver looks before it starts one, yet some of that only the system finds out.
 */

import type { TaskExit } from '@skep/core/driver';
import type { TaskId } from './core-types.ts';
import type { OpenNode } from './open-node.ts';
import { lastLines } from './task-logs.ts';

/** What shells end with when a program can't be run: POSIX, Shell Command Language, 2.8.2. */
const CONVENTIONS: Readonly<Record<number, string>> = {
  126: 'is not executable',
  127: 'was not found',
};
/** Longest line of the shell's that is passed on. */
const LINE_MAX = 300;

/**
 * The exit with its meaning in words, where it may mean that the program never ran. Only a line of the shell's own is
 * passed on, never one of the program's, which may hold anything.
 */
export function inWords(
  { logs, wrapper }: Pick<OpenNode, 'logs' | 'wrapper'>,
  id: TaskId,
  exit: TaskExit,
): TaskExit {
  const meaning = CONVENTIONS[exit.exitCode];
  if (meaning === undefined || exit.message !== undefined) return exit;
  const said = shellsLine(logs, wrapper, id);
  const message =
    said === undefined
      ? `by the convention of shells: a program that it called ${meaning}`
      : `the program ${meaning}: ${said}`;
  return { ...exit, message };
}

/** The last line of the error output, if the shell of the wrapper wrote it: they begin with the script's name. */
function shellsLine(logs: OpenNode['logs'], wrapper: string, id: TaskId): string | undefined {
  try {
    const output = logs.of(id);
    const lines = output.read(output.begin({ tail: 1 }), true);
    const errors = lastLines(
      [...lines].filter(({ stream }) => stream === 'stderr'),
      1,
    );
    const line = errors
      .map(({ data }) => new TextDecoder().decode(data))
      .join('')
      .trim();
    if (!line.startsWith(`${wrapper}: `) || line.length > wrapper.length + LINE_MAX) return undefined;
    return line.slice(wrapper.length + 2).replace(/^(line )?\d+: /, '');
  } catch {
    // Output that can't be read has nothing to add.
    return undefined;
  }
}
