/** The real docker CLI, with a configuration of its own. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What a command came to. */
export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run it. */
export interface DockerCliOptions {
  /** `unix://…` */
  readonly host: string;
  /** Where it keeps its configuration. */
  readonly home: string;
  /** Default: the `docker` on PATH. */
  readonly program?: string;
  /** Pins the API version, as DOCKER_API_VERSION does. */
  readonly apiVersion?: string;
}

/** Where the CLI is; undefined where there is none. */
export function dockerProgram(): string | undefined {
  const dirs = (process.env['PATH'] ?? '').split(delimiter);
  return dirs.map((dir) => join(dir, 'docker')).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs commands of the CLI against one host. */
export class DockerCli {
  readonly #options: DockerCliOptions;

  constructor(options: DockerCliOptions) {
    this.#options = options;
  }

  /** Runs a command to its end. */
  run(args: readonly string[], input?: string): Promise<CliResult> {
    return new Promise((resolve) => {
      const child = execFile(
        this.#program,
        [...args],
        { env: this.#env, maxBuffer: 64 * 2 ** 20 },
        (error, stdout, stderr) => {
          const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          resolve({ exitCode, stdout, stderr });
        },
      );
      child.stdin?.end(input ?? '');
    });
  }

  /** Runs a command that has to succeed. Gives what it printed. @throws Error with what it printed otherwise */
  async ok(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(args);
    if (exitCode !== 0)
      throw new Error(`docker ${args.join(' ')} exited with ${exitCode}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  /** Runs a command that has to fail. Gives what it printed as its error. */
  async fails(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(args);
    if (exitCode === 0) throw new Error(`docker ${args.join(' ')} succeeded: ${stdout}`);
    return stderr.trim();
  }

  /** Begins a command that goes on until it is killed. */
  begin(...args: readonly string[]): ChildProcess {
    return spawn(this.#program, [...args], { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  get #program(): string {
    return this.#options.program ?? 'docker';
  }

  get #env(): NodeJS.ProcessEnv {
    const { host, home, apiVersion } = this.#options;
    return {
      PATH: process.env['PATH'],
      HOME: home,
      DOCKER_HOST: host,
      DOCKER_CONFIG: home,
      DOCKER_CLI_HINTS: 'false',
      ...(apiVersion === undefined ? {} : { DOCKER_API_VERSION: apiVersion }),
    };
  }
}
