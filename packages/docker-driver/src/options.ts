/** What the owner of a Docker driver says: which engine, what the node offers, what tasks may ask for. */

import type { CallLimit } from './call-limit.ts';
import type { EngineTls } from './engine-address.ts';
import type { PullProgress, RegistryAuthProvider } from './pull-types.ts';

/** Options of a {@link DockerDriver}. */
export interface DockerDriverOptions {
  /** Where the engine listens: `unix:///path` or `tcp://host:port`. Default `unix:///var/run/docker.sock`. */
  readonly engine?: string;
  /** Certificates for an engine behind TLS. */
  readonly tls?: EngineTls;
  /**
   * What the node offers to the scheduler. Default: the engine's processors and memory, divided by `divideBy`. Nodes
   * that share an engine must share its capacity out between them.
   */
  readonly resources?: {
    readonly cpus?: number;
    readonly memoryBytes?: number;
    /** So many of a kind, or named ones of which each task is given its own. */
    readonly generic?: Readonly<Record<string, number | readonly string[]>>;
    /** How many nodes share the engine. Divides what the engine tells, not what is given here. Default 1. */
    readonly divideBy?: number;
  };
  /** When images are fetched: those that are absent, all for each task, or none. Default `missing`. */
  readonly pull?: 'missing' | 'always' | 'never';
  /** Credentials for registries. Asked anew for each pull, since tokens expire. Default: none are sent. */
  readonly registryAuth?: RegistryAuthProvider;
  /** Hears how pulls go on. Must not throw. */
  readonly onPullProgress?: (progress: PullProgress) => void;
  /** A pull that has told nothing for so long, in milliseconds, counts as failed. Default 2 minutes. */
  readonly pullSilenceMs?: number;
  /** Let specs be `privileged`: their tasks may do on the engine's machine whatever root may. Default false. */
  readonly allowPrivileged?: boolean;
  /** Devices of the engine's machine that specs may ask for; `true` = all. Default none. */
  readonly allowDevices?: boolean | readonly string[];
  /** The engine's network that tasks are on, and that ports are published from. Default: the engine's own default. */
  readonly network?: string;
  /** Address of the engine's machine that ports are opened on. Default: all. */
  readonly publishAddress?: string;
  /** Where output goes for specs that do not say. Default: as the engine is configured. */
  readonly logDriver?: { readonly name: string; readonly options?: Readonly<Record<string, string>> };
  /** Give each task a small init process unless its spec says otherwise. Default: as the engine is configured. */
  readonly init?: boolean;
  /** How many calls are made to the engine at a time. Drivers that share an engine should share one. Default: 8. */
  readonly callLimit?: CallLimit;
  /**
   * How long an engine that is away is waited for when a task is to be made, in milliseconds. After that the task is
   * rejected, so that another node may have it. Tasks that run are waited for as long as it takes. Default 1 minute.
   */
  readonly awayMs?: number;
  /** How often a step is tried that the engine answers with an error of its own (status 500). Default 4. */
  readonly attempts?: number;
  /**
   * Remove the containers of tasks that have ended when the driver is closed: nobody will come back for them. Default:
   * where the cluster keeps nothing (it has no `dir`).
   */
  readonly removeOnClose?: boolean;
  /**
   * A directory in memory on the engine's machine, for secrets and configs. Default `/dev/shm`. Where the engine is on
   * another machine (`tcp://`), tasks with secrets or configs are refused.
   */
  readonly memoryDir?: string;
}

/** Default of `awayMs`. */
export const AWAY_MS = 60_000;
/** Default of `attempts`. */
export const ATTEMPTS = 4;
/** Default of `pullSilenceMs`. */
export const PULL_SILENCE_MS = 120_000;
