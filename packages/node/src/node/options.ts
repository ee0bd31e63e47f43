/** What a node is told when it comes to be and when it starts. */

import { hostname as machineName, networkInterfaces } from 'node:os';
import type { Clock, HistoryOptions, Logger, MetricSources, Random } from '@skep/core';
import type { RuntimeDriver } from '@skep/core/driver';
import { silentLogger, systemClock, systemRandom } from '@skep/core/member';
import type { MeshDataPlane, MeshNode } from '@skep/mesh';
import { noRaftMetrics, type RaftMetrics } from '@skep/raft';
import { NodeError } from '../errors.ts';
import { formatAddress, isUnspecified, parseAddress } from '../rpc/address.ts';

/** What becomes of the tasks of a node that closes: they are stopped, or go on until it is started again. */
export type TasksAtClose = 'stop' | 'leave';

/** Makes a node's data plane. */
export type OpenDataPlane = (node: MeshNode) => MeshDataPlane | Promise<MeshDataPlane>;

/** How much of the past a manager keeps. */
export type NodeHistoryOptions = Omit<HistoryOptions, 'store'>;

/** What every way to a running node takes. */
export interface NodeOptions {
  /** The node's own directory. Made if it is not there. */
  readonly dir: string;
  /** Where to listen as a manager, `host:port`. Default `0.0.0.0:2377`; port 0 takes a free one. */
  readonly listen?: string;
  /** Where other nodes reach it, `host:port` or a host. Default: the address and port it listens on, if that is one. */
  readonly advertise?: string;
  /** Default: the machine's name. */
  readonly hostname?: string;
  /**
   * What runs tasks here. Without one the node runs none, as a manager may: it joins at availability `drain`, and has to
   * be made `active` when it is started with a driver later. A driver serves one node.
   */
  readonly driver?: RuntimeDriver;
  /**
   * Makes what passes traffic on here, once the node knows who it is; the node closes it. Absent: nothing does, and
   * published ports answer nowhere but where a driver publishes them.
   */
  readonly dataPlane?: OpenDataPlane;
  /** Opens a node that is locked: `SWMKEY-1-…`. */
  readonly unlockKey?: string;
  /** How much of the past is kept in `dir` while the node is a manager; `false` for none. Default: 7 days or 1 GiB. */
  readonly history?: NodeHistoryOptions | false;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  /** Where the numbers of Raft and its connections go while the node is a manager: `raft_…`, as `@skep/raft` lists them. */
  readonly metrics?: RaftMetrics;
  /**
   * Metrics of the user's own, by name, which services can be scaled by while the node is a manager. Each manager should be
   * given the same: the one that leads reads them.
   */
  readonly metricSources?: MetricSources;
  readonly clock?: Clock;
  /** Must be unpredictable, but in simulations. */
  readonly random?: Random;
}

/** What a node runs on. */
export interface NodeHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: RaftMetrics;
  readonly metricSources: MetricSources;
}

const LOGGER_METHODS = ['debug', 'info', 'warn', 'error', 'child'] as const;
const METRICS_METHODS = ['count', 'gauge', 'observe'] as const;
const DEFAULT_LISTEN = '0.0.0.0:2377';

/** The host's parts, with the defaults. @throws NodeError `INVALID_OPTION` for a logger or metrics that lack a method. */
export function hostOf({ clock, random, logger, metrics, metricSources }: Partial<NodeHost>): NodeHost {
  // Found out only when it is needed, it would look as if the cluster never came about.
  if (logger) requireMethods('logger', logger, LOGGER_METHODS);
  if (metrics) requireMethods('metrics', metrics, METRICS_METHODS);
  return {
    clock: clock ?? systemClock,
    random: random ?? systemRandom,
    logger: logger ?? silentLogger,
    metrics: metrics ?? noRaftMetrics,
    metricSources: metricSources ?? {},
  };
}

function requireMethods<T extends object>(
  option: string,
  value: T,
  methods: readonly (keyof T & string)[],
): void {
  for (const method of methods) {
    if (typeof value[method] !== 'function') {
      throw new NodeError('INVALID_OPTION', `${option} must have a method ${method}`);
    }
  }
}

/** Whether a new node takes tasks. */
export function defaultAvailability({ driver }: Pick<NodeOptions, 'driver'>): 'active' | 'drain' {
  return driver === undefined ? 'drain' : 'active';
}

/** Where a node listens and is reached. */
export interface Addresses {
  readonly listen: string;
  readonly advertise: string;
  readonly hostname: string;
}

/** @throws NodeError `INVALID_OPTION` if an address can't be read, or there is no telling what to advertise. */
export function addressesOf(options: Pick<NodeOptions, 'listen' | 'advertise' | 'hostname'>): Addresses {
  const listen = parseAddress(options.listen ?? DEFAULT_LISTEN, 'listen');
  const hostname = options.hostname ?? machineName();
  if (hostname === '') throw new NodeError('INVALID_OPTION', 'hostname must not be empty');
  return { listen: formatAddress(listen), advertise: formatAddress(advertised(options, listen)), hostname };
}

function advertised({ advertise }: Pick<NodeOptions, 'advertise'>, listen: { host: string; port: number }) {
  if (advertise !== undefined) {
    const address = parseAddress(advertise, 'advertise', listen.port);
    if (isUnspecified(address.host)) {
      throw new NodeError('INVALID_OPTION', 'advertise must be an address of one machine');
    }
    return address;
  }
  if (!isUnspecified(listen.host)) return listen;
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4');
  const [only] = own;
  if (only === undefined || own.length > 1) {
    const found = own.length === 0 ? 'none' : own.map(({ address }) => address).join(', ');
    throw new NodeError(
      'INVALID_OPTION',
      `advertise must be given: this machine has not one address but these: ${found}`,
    );
  }
  return { host: only.address, port: listen.port };
}
