/** The engine's API in front of a node, and where it listens. */

import { chmod, lstat, mkdir, mkdtemp, rename, rm, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createConnection, type ListenOptions } from 'node:net';
import { dirname, join } from 'node:path';
import type { Clock, Logger, Random } from '@skep/core';
import { silentLogger, systemClock, systemRandom } from '@skep/core/member';
import { distributionRoutes } from './endpoints/distribution.ts';
import { eventRoutes } from './endpoints/events.ts';
import { fileRoutes } from './endpoints/files.ts';
import { logRoutes } from './endpoints/logs.ts';
import { missingRoutes } from './endpoints/missing.ts';
import { networkRoutes } from './endpoints/networks.ts';
import { nodeRoutes } from './endpoints/nodes.ts';
import { serviceRoutes } from './endpoints/services.ts';
import { swarmRoutes } from './endpoints/swarm.ts';
import { systemRoutes } from './endpoints/system.ts';
import { taskRoutes } from './endpoints/tasks.ts';
import type { Membership } from './membership/membership.ts';
import { engineServer, type ServerTls } from './server/engine-server.ts';
import { VERSION } from './version.ts';

/** Options of an {@link EngineApi}. */
export interface EngineApiOptions {
  /** The node behind it. */
  readonly membership: Membership;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Where to serve over TCP. */
export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  /** PEM: clients prove themselves by certificates of `ca`. `none`: anybody may do anything. */
  readonly security: ServerTls | 'none';
}

/** Permissions of the socket: whoever may write to it may run anything on the cluster. */
const SOCKET_MODE = 0o600;

/** The engine's API in front of one node, on any number of sockets. */
export class EngineApi implements AsyncDisposable {
  readonly #server: (tls?: ServerTls) => Server;
  readonly #open = new Set<Server>();
  readonly #sockets = new Set<string>();

  constructor({ membership, logger, clock, random }: EngineApiOptions) {
    const context = {
      membership,
      logger: logger ?? silentLogger,
      clock: clock ?? systemClock,
      random: random ?? systemRandom,
    };
    const routes = [
      ...systemRoutes(context),
      ...swarmRoutes(context),
      ...nodeRoutes(context),
      ...serviceRoutes(context),
      ...taskRoutes(context),
      ...logRoutes(context),
      ...eventRoutes(context),
      ...fileRoutes(context),
      ...networkRoutes(context),
      ...distributionRoutes(),
      ...missingRoutes(),
    ];
    const product = `Skep/${VERSION} (linux)`;
    this.#server = (tls) =>
      engineServer({ routes, logger: context.logger, product, ...(tls !== undefined && { tls }) });
  }

  /**
   * Serves on a unix socket, which only this user may use. What a program that died left there is replaced.
   *
   * @throws Error if another program serves there, or something else than a socket is there.
   */
  async listen(path: string): Promise<void> {
    const dir = dirname(path);
    await mkdir(dir, { recursive: true });
    await removeStale(path);
    const server = this.#server();
    // Nobody may connect before its permissions are set: it is made where only this user may look, and moved.
    const aside = await mkdtemp(join(dir, '.s'));
    try {
      await listening(server, { path: join(aside, 's') });
      await chmod(join(aside, 's'), SOCKET_MODE);
      await rename(join(aside, 's'), path);
    } catch (error) {
      server.close();
      throw error;
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
    this.#open.add(server);
    this.#sockets.add(path);
  }

  /**
   * Serves on a TCP port. Only clients with a certificate of the CA are taken, unless it is said by name that there is to
   * be no security: whoever reaches such a port may run anything on the cluster.
   *
   * @throws Error if the address is taken, or the files are no certificates
   */
  async listenTcp({ host, port, security }: TcpOptions): Promise<void> {
    const tls = security === 'none' ? undefined : security;
    const server = this.#server(tls);
    await listening(server, { host, port, exclusive: true });
    this.#open.add(server);
  }

  /** Ends every answer that is being given, and listens no more. Safe to call twice. */
  async close(): Promise<void> {
    const servers = [...this.#open];
    this.#open.clear();
    await Promise.all(
      servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      ),
    );
    for (const path of this.#sockets) await unlink(path).catch(() => {});
    this.#sockets.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function listening(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** @throws Error if what is there is in use, or no socket */
async function removeStale(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket()) throw new Error(`${path} is there, and is no socket`);
  const isServed = await new Promise<boolean>((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (isServed) throw new Error(`another program serves on ${path}`);
  await unlink(path);
}
