/** The HTTP server: versions, headers, routing, and the engine's shape of errors. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Logger } from '@skep/core';
import findMyWay, { type HTTPMethod } from 'find-my-way';
import { API_VERSION, type ApiVersion, versionOf, versionText } from './api-version.ts';
import { type Answer, type Endpoint, Exchange } from './exchange.ts';
import { Refusal } from './refusal.ts';
import { refusalOf } from './refusal-of.ts';

/** An endpoint with the method and the path that lead to it. */
export type Route = readonly [method: HTTPMethod, path: string, endpoint: Endpoint];

/** dockerode repeats whole specs in its URLs, of which Node takes 16 KiB unless told otherwise. */
const HEADER_BYTES_MAX = 1024 * 1024;
/** A client that has not sent its headers, or its whole request, by then is let go; ms. */
const HEADERS_MS = 60_000;
const REQUEST_MS = 300_000;
/** What a client that is gone would have been answered with. Nobody reads it. */
const CLIENT_GONE = 499;

/** What a server proves itself by, and its clients to it; PEM. */
export interface ServerTls {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** What a server is made of. */
export interface EngineServerOptions {
  readonly routes: readonly Route[];
  readonly logger: Logger;
  /** What tells about this program in every answer: `Skep/0.1.0 (linux)`. */
  readonly product: string;
  /** Absent: requests come as they are, through a socket that only its owner may use. */
  readonly tls?: ServerTls;
}

/** Makes the server. It listens nowhere yet. */
export function engineServer({ routes, logger, product, tls }: EngineServerOptions): Server {
  const router = findMyWay({ ignoreTrailingSlash: false, caseSensitive: true });
  for (const [method, path, endpoint] of routes) router.on(method, path, () => {}, { endpoint });
  const limits = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => void answer(request, response);
  const server =
    tls === undefined ? createServer(limits, listener) : createTlsServer(tlsOf(tls, limits), listener);
  server.on('clientError', (error, socket) => {
    // It may be half of a request: nothing that was sent is told back.
    if (socket.writable && !('code' in error && error.code === 'ECONNRESET')) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    } else socket.destroy();
  });
  return server;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    setCommonHeaders(response, product);
    try {
      const exchange = exchangeOf(request, response);
      const found = await exchange.endpoint(exchange.exchange);
      if (found !== undefined) send(response, found);
    } catch (error) {
      refuse(request, response, error);
    }
  }

  function exchangeOf(request: IncomingMessage, response: ServerResponse) {
    const { method = 'GET', url = '/' } = request;
    const at = url.indexOf('?');
    const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
    const { version, rest } = versionOf(at < 0 ? url : url.slice(0, at));
    response.setHeader('Api-Version', versionText(API_VERSION));
    const route = router.find(method as HTTPMethod, rest);
    if (route === null) throw new Refusal(404, 'page not found');
    const { endpoint } = route.store as { readonly endpoint: Endpoint };
    const parts = { request, response, version: version satisfies ApiVersion, path: rest, query };
    return { endpoint, exchange: new Exchange({ ...parts, params: route.params }) };
  }

  /** URLs may hold secrets, and are never logged. */
  function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const refusal = refusalOf(error);
    if (refusal.status === CLIENT_GONE || response.destroyed) {
      response.destroy();
      return;
    }
    if (refusal.status === 500 && !(error instanceof Refusal)) {
      logger.error({ err: error, method: request.method }, 'a request of the engine API failed');
    }
    if (response.headersSent) {
      // The answer broke off: the client has to notice.
      response.destroy();
      return;
    }
    // What was not read of the body must not be taken for the next request.
    if (!request.complete) response.setHeader('Connection', 'close');
    send(response, { status: refusal.status, json: { message: refusal.message } });
  }
}

function tlsOf<T extends object>({ ca, certificate, key }: ServerTls, limits: T) {
  return { ...limits, ca, cert: certificate, key, requestCert: true, rejectUnauthorized: true } as const;
}

function setCommonHeaders(response: ServerResponse, product: string): void {
  response.setHeader('Docker-Experimental', 'false');
  response.setHeader('Ostype', 'linux');
  response.setHeader('Server', product);
}

function send(response: ServerResponse, { status, json }: Answer): void {
  if (json === undefined) {
    response.writeHead(status, status === 204 ? {} : { 'Content-Length': 0 });
    response.end();
    return;
  }
  const body = Buffer.from(`${JSON.stringify(json)}\n`);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
}
