/** Between a driver and its engine: passes calls on, and fails those that a test picks, as a sick engine would. */

import http from 'node:http';
import { connect, type Socket } from 'node:net';

/** What becomes of a call. */
export type Fault =
  /** Answered with this status, never passed on. */
  | { readonly kind: 'status'; readonly status: number; readonly message: string }
  /** Passed on, its answer lost with the connection. */
  | { readonly kind: 'lost-answer' }
  /** Taken and never answered, nor passed on. */
  | { readonly kind: 'hang' };

/** Picks the calls to fail. */
export type FaultRule = (method: string, path: string) => Fault | undefined;

/** One proxy. */
export class FaultProxy {
  readonly socketPath: string;
  /** Which calls fail now. */
  rule: FaultRule = () => undefined;
  /** Every call so far: `POST /containers/create`, without version, query and ids. */
  readonly calls: string[] = [];
  readonly #enginePath: string;
  readonly #server = http.createServer((request, response) => this.#take(request, response));
  readonly #sockets = new Set<Socket>();

  /** @param enginePath The engine's socket. @param socketPath Where to listen. */
  constructor(enginePath: string, socketPath: string) {
    this.#enginePath = enginePath;
    this.socketPath = socketPath;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
  }

  /** Begins to listen. */
  start(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.socketPath, resolve));
  }

  /** Breaks every connection; new ones are taken. */
  breakConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends at once. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.breakConnections();
    await closed;
  }

  #take(request: http.IncomingMessage, response: http.ServerResponse): void {
    const fault = this.#faultOf(request);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'status') {
      request.resume();
      const body = JSON.stringify({ message: fault.message });
      response.writeHead(fault.status, { 'Content-Type': 'application/json' }).end(body);
      return;
    }
    const { method, url, headers } = request;
    const onward = http.request({ socketPath: this.#enginePath, method, path: url, headers, agent: false });
    onward.on('error', () => response.destroy());
    onward.on('response', (answer) => {
      answer.on('error', () => response.destroy());
      if (fault?.kind === 'lost-answer') {
        answer.resume();
        answer.on('end', () => response.destroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
    });
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }

  #upgrade(request: http.IncomingMessage, socket: Socket, head: Buffer): void {
    this.#faultOf(request);
    const onward = connect(this.#enginePath, () => {
      const headers = request.rawHeaders.flatMap((text, index, all) =>
        index % 2 === 0 ? [`${text}: ${all[index + 1]}`] : [],
      );
      onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
      onward.write(head);
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  }

  #faultOf({ method = '', url = '' }: http.IncomingMessage): Fault | undefined {
    const path = url.replace(/^\/v[\d.]+/, '').replace(/\?.*$/, '');
    this.calls.push(`${method} ${path.replace(/[0-9a-f]{64}/, 'ID')}`);
    return this.rule(method, path);
  }
}
