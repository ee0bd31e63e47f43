/** Runs the kernel's tools. What goes to one goes by its input, so that no argument tells a secret. */

import { spawn } from 'node:child_process';

/** Longest that a tool may take, in milliseconds. They answer in some; what takes longer hangs. */
const COMMAND_MS = 30_000;
/** How much of a tool's words an error repeats. */
const WORDS_MAX = 500;

/** A tool could not be run, or said no. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** `ENOENT` where there is no such tool. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** Runs a tool to its end. @returns what it wrote @throws CommandError */
export type RunCommand = (
  command: string,
  args: readonly string[],
  options?: { readonly input?: string; readonly environment?: Readonly<Record<string, string>> },
) => Promise<string>;

/** Runs tools on this machine. */
export const runCommand: RunCommand = (command, args, { input, environment } = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', ...environment },
      timeout: COMMAND_MS,
      killSignal: 'SIGKILL',
    });
    const output: Buffer[] = [];
    const words: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => words.push(chunk));
    // A tool that reads no more has said why, or ends with a status that does.
    child.stdin.on('error', () => {});
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(new CommandError(`${command}: ${error.message}`, error.code)),
    );
    child.on('close', (status, signal) => {
      if (status === 0) {
        resolve(Buffer.concat(output).toString('utf8'));
        return;
      }
      const said = Buffer.concat(words).toString('utf8').trim().slice(0, WORDS_MAX);
      const shown = `${command} ${args.slice(0, 6).join(' ')}`;
      reject(new CommandError(`${shown}: ${said || `ended by ${signal ?? `status ${status}`}`}`));
    });
    child.stdin.end(input ?? '');
  });
