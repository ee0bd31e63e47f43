/**
 * The language of a simulated task's script: how long each step takes, how it ends, what goes wrong. It is data alone;
 * the simulated host and driver play it.
 */

import type { ExecOptions, ExecOutput, ExecResult, LogChunk } from '../driver/runtime-driver.ts';

/** A duration in milliseconds, or the bounds between which each one is drawn. */
export type SimulatedDuration = number | readonly [minMs: number, maxMs: number];

/** The steps of a task's runtime that a script may break. */
export type SimulatedStep = 'runtime' | 'prepare' | 'start' | 'wait' | 'stop' | 'remove' | 'exec' | 'stats';

/** How the tasks of an image behave. `{}` is prepared and started at once, runs on, and ends when asked. */
export interface SimulatedBehaviour {
  /** Default 0. */
  readonly prepareMs?: SimulatedDuration;
  /** Default 0. */
  readonly startMs?: SimulatedDuration;
  /** How long it runs before it ends by itself. Absent: it runs on. */
  readonly runMs?: SimulatedDuration;
  /** With which code it then ends. Default 0. */
  readonly exitCode?: number;
  /** Which signal it then dies of; give `exitCode` as well. */
  readonly exitSignal?: string;
  /** It then died because the system took its memory. */
  readonly outOfMemory?: boolean;
  /** From the stop signal to its end. Default 0. */
  readonly stopMs?: SimulatedDuration;
  /** Code with which it ends when asked to. Default 143 by SIGTERM, as of a program that does not handle it. */
  readonly stopExitCode?: number;
  /** The stop signal does nothing: only the kill ends it. */
  readonly ignoreStop?: boolean;
  /** So many calls of `prepare` are rejected as temporary, for each task, before one goes on. Default 0. */
  readonly rejectTemporary?: number;
  /** So many times, for each task, the registry is away before its image can be fetched. Default 0. */
  readonly rejectImage?: number;
  /** The registry refuses the image for good, with this reason. */
  readonly failImage?: string;
  /** `prepare` is rejected for good, with this reason. */
  readonly failPrepare?: string;
  /** `start` is rejected for good, with this reason. */
  readonly failStart?: string;
  /** `wait` rejects with a plain error with this message: a driver that breaks its promises. */
  readonly failWait?: string;
  /** The step never ends, unless its signal aborts it. */
  readonly hangPrepare?: boolean;
  readonly hangStart?: boolean;
  readonly hangStop?: boolean;
  readonly hangExec?: boolean;
  /** Steps that hang do not even heed their signal. */
  readonly ignoreAbort?: boolean;
  /** These steps throw a plain error before they return a promise. */
  readonly throwSync?: SimulatedStep | readonly SimulatedStep[];
  /** What an exec probe finds: exit code 0 or 1, by the task's age. Default healthy. */
  readonly healthy?: boolean | ((ageMs: number) => boolean);
  /** Answers `exec`. Default: code 0 when healthy, 1 when not, and no output. */
  readonly exec?: (command: readonly string[], ageMs: number) => ExecResult;
  readonly execMs?: SimulatedDuration;
  /** A command that somebody works with. Default: prints what `exec` answers, and ends with its code. */
  readonly execInteractive?: (command: readonly string[], options: ExecOptions) => AsyncIterable<ExecOutput>;
  /** What it prints, at which age. Default nothing. */
  readonly output?: readonly {
    readonly afterMs?: number;
    readonly stream?: LogChunk['stream'];
    readonly line: string;
  }[];
  /** What it uses while it runs. Default one tenth of a processor and 16 MiB. */
  readonly stats?: { readonly cpus: number; readonly memoryBytes: number };
}
