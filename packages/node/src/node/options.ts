/** What a node is told when it comes to be and when it starts. */

import { hostname as machineName, networkInterfaces } from 'node:os';
import type { Clock, HistoryOptions, Logger, Random } from '@skep/core';
import type { RuntimeDriver } from '@skep/core/driver';
import { silentLogger, systemClock, systemRandom } from '@skep/core/member';
import { NodeError } from '../errors.ts';
import { formatAddress, isUnspecified, parseAddress } from '../rpc/address.ts';

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
   * What runs tasks here. Without one the node runs none, as a manager may. A driver serves one node.
   */
  readonly driver?: RuntimeDriver;
  /** Opens a node that is locked: `SWMKEY-1-…`. */
  readonly unlockKey?: string;
  /** How much of the past is kept in `dir` while the node is a manager; `false` for none. Default: 7 days or 1 GiB. */
  readonly history?: NodeHistoryOptions | false;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Must be unpredictable, but in simulations. */
  readonly random?: Random;
}

/** What a node runs on. */
export interface NodeHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const LOGGER_METHODS = ['debug', 'info', 'warn', 'error', 'child'] as const;
const DEFAULT_LISTEN = '0.0.0.0:2377';

/** The host's parts, with the defaults. @throws NodeError `INVALID_OPTION` for a logger that lacks a method. */
export function hostOf({ clock, random, logger }: Partial<NodeHost>): NodeHost {
  // Found out only when it is needed, it would look as if the cluster never came about.
  for (const method of LOGGER_METHODS) {
    if (logger !== undefined && typeof logger[method] !== 'function') {
      throw new NodeError('INVALID_OPTION', `logger must have a method ${method}`);
    }
  }
  return {
    clock: clock ?? systemClock,
    random: random ?? systemRandom,
    logger: logger ?? silentLogger,
  };
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
