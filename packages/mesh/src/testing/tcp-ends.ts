/** Servers and clients for tests of balancers, on real sockets. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Target } from '../balancer/target-pool.ts';

const HOST = '127.0.0.1';

/** A server, and the target that it is. */
export interface TestServer extends Target, AsyncDisposable {
  readonly server: Server;
  /** Connections that it has taken and that have not closed. */
  readonly sockets: ReadonlySet<Socket>;
}

/** Listens on a free port. */
export async function serverOf(id: string, onConnection: (socket: Socket) => void): Promise<TestServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...{ id, host: HOST, port, server, sockets },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers each connection's first bytes with its own name and them, and ends. */
export const namedServer = (id: string) =>
  serverOf(id, (socket) => socket.once('data', (said) => socket.end(`${id}:${said}`)));

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = await serverOf('', () => {});
  await server[Symbol.asyncDispose]();
  return server.port;
}

/** Connects. @throws the system's error */
export async function clientOf(port: number, host = HOST): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** Says something to a port, ends, and hears the answer to its end. @throws `ECONNRESET`, … */
export async function ask(port: number, text: string, host = HOST): Promise<string> {
  const socket = await clientOf(port, host);
  socket.end(text);
  return heard(socket);
}

/** All that comes until the other side ends. The socket can be written to after that. @throws `ECONNRESET` */
export function heard(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.once('end', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed without an end')));
  });
}
