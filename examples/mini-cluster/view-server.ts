/**
 * Where a browser finds the view of the mini-cluster: one address that outlives every node. What is asked there goes to
 * a manager that is up; when that one dies the stream breaks off, and goes on through another, from the same index.
 */

import {
  request as ask,
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { FleetNode } from './fleet.ts';

/** A server of the view. */
export interface ViewServer extends AsyncDisposable {
  readonly url: string;
}

/** What is wanted of it. */
export interface ViewServerOptions {
  /** The nodes, as they are when somebody asks. */
  readonly nodes: readonly FleetNode[];
  /** Ports that services publish, or will: they are left to them. */
  readonly taken: ReadonlySet<number>;
  /** The first port to try. Default 8080. */
  readonly firstPort?: number;
}

const FIRST_PORT = 8_080;
/** So many ports are tried. */
const PORTS = 100;

/** Begins to serve at the first node's address. @throws Error where no port is free */
export async function serveFleetView(options: ViewServerOptions): Promise<ViewServer> {
  const { nodes, taken, firstPort = FIRST_PORT } = options;
  const host = nodes[0]?.address.host ?? '127.0.0.1';
  for (let port = firstPort; port < firstPort + PORTS; port++) {
    if (taken.has(port)) continue;
    const server = createServer((request, response) => passOn(nodes, request, response));
    server.unref();
    if (!(await isListening(server, host, port))) continue;
    return {
      url: `http://${host}:${port}/`,
      [Symbol.asyncDispose]: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    };
  }
  throw new Error(`no port from ${firstPort} on is free on ${host} for the view`);
}

function isListening(server: Server, host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => resolve(true));
  });
}

function passOn(nodes: readonly FleetNode[], incoming: IncomingMessage, response: ServerResponse): void {
  const manager = nodes.find(({ process }) => process.isReady && process.viewPort !== undefined);
  if (manager === undefined) {
    refuse(response);
    return;
  }
  const { method, url, headers } = incoming;
  const outgoing = ask({
    ...{ host: manager.address.host, port: manager.process.viewPort },
    ...{ method, path: url, headers, agent: false },
  });
  outgoing.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    answer.pipe(response);
    // It died while it answered: so does the answer, and the page notices.
    answer.once('error', () => response.destroy());
  });
  outgoing.once('error', () => (response.headersSent ? response.destroy() : refuse(response)));
  response.once('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}

function refuse(response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1' });
  response.end(JSON.stringify({ code: 'UNAVAILABLE', message: 'no manager is up just now' }));
}
