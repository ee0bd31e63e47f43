/** What the owner of a process driver says: which programs there are, what the node offers, where state is kept. */

/** One program of the table that `image` is looked up in. */
export interface Program {
  /** Name to find on PATH, or a path. Never a shell's text. */
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory. Default: that of the cluster's process. */
  readonly dir?: string;
}

/** Options of a {@link ProcessDriver}. */
export interface ProcessDriverOptions {
  /** The programs that tasks may run, by the name that specs call `image`. */
  readonly programs?: Readonly<Record<string, Program>>;
  /**
   * Let specs bring a `command` of their own, with or without an image of the table. Whoever may create a service
   * may then run anything as this user. Default false.
   */
  readonly anyCommand?: boolean;
  /**
   * What becomes of a spec that asks for what can't be enforced on a plain process: limits, a read-only root, a
   * hostname. `warn` runs it without and says so in the log; `refuse` rejects it. The node's description calls the
   * limits unsupported either way. Default `warn`.
   */
  readonly unsupportedLimits?: 'warn' | 'refuse';
  /**
   * Where the state of tasks is kept. Several drivers may share it: each touches its own node's tasks only.
   * Default: a folder in the node's state directory; in a cluster that keeps nothing, a new private temporary one.
   */
  readonly dir?: string;
  /** What the node offers to the scheduler. Default: this machine's processors and memory, divided by `divideBy`. */
  readonly resources?: {
    readonly cpus?: number;
    readonly memoryBytes?: number;
    /** So many of a kind, or named ones of which each task is given its own. */
    readonly generic?: Readonly<Record<string, number | readonly string[]>>;
    /** How many nodes share this machine. Divides what is measured, not what is given here. Default 1. */
    readonly divideBy?: number;
  };
  /** Labels of the engine, for constraints on `engine.labels.*`. */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Variables of the cluster's process that tasks inherit; `true` = all of them. Default: PATH, HOME, USER, LOGNAME,
   * SHELL, LANG, LC_ALL, TZ and TMPDIR, so that no task reads what was not meant for it.
   */
  readonly inheritEnv?: boolean | readonly string[];
  /** First and last of the ports given to tasks. Default 20,000 to 29,999: below what systems use for outgoing ones. */
  readonly portRange?: readonly [first: number, last: number];
  /** Most that is kept of each output stream of a task. Default 10 MiB. */
  readonly logBytesMax?: number;
  /**
   * A directory in memory for secrets and configs. Default: `/dev/shm` where that is one. Where there is none, tasks
   * with secrets or configs are refused.
   */
  readonly memoryDir?: string;
  /** The POSIX shell that runs the small wrapper over each task. Default `/bin/sh`. */
  readonly shell?: string;
}

/** What tasks inherit unless told otherwise. */
export const INHERITED_ENV = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
] as const;

/** Default of `logBytesMax`. */
export const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** Default of `portRange`. */
export const PORT_RANGE = [20_000, 29_999] as const;
