/**
 * The view as a request handler: mount it in any HTTP server, behind any path of yours that you cut off first. It has no
 * server, port or timer of its own.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { ClosedError } from '@skep/core';
import type { MetricFamily } from '../metrics/metric-family.ts';
import { PROMETHEUS_TYPE, prometheusText } from '../metrics/prometheus-text.ts';
import type { ViewMessage } from '../model/rows.ts';
import type { ViewSource } from '../source/view-source.ts';
import { checkHost, checkToken } from './access.ts';
import { type ServerSentEvent, writeEvents } from './event-stream.ts';
import { CONTENT_SECURITY_POLICY, PageFiles } from './page-files.ts';
import { RefusedRequest, refusalOf } from './refusal.ts';
import { actionOf, bodyOf, momentOf, numberOf } from './requests.ts';

/** Options of {@link viewHandler}. */
export interface ViewHandlerOptions {
  /** Who answers: `clusterSource(cluster)`. */
  readonly source: ViewSource;
  /** What `/metrics` tells. Default: there is no `/metrics`. */
  readonly metrics?: () => readonly MetricFamily[];
  /** With it the page may act: whoever presents it. Its source must allow actions, too. Default: nobody may. */
  readonly token?: string;
  /** Host names to answer to, beside `localhost` and bare addresses, in lower case. */
  readonly hosts?: readonly string[];
  /** Where the page's files are. Default: those of this package. */
  readonly pageDir?: string;
}

/** Answers requests for the page. Never throws. */
export type ViewHandler = (request: IncomingMessage, response: ServerResponse) => void;

type Answerer = (asked: Asked) => Promise<unknown>;

interface Asked {
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
}

const EVENTS_MAX = 500;
const PAGE_DIR = new URL('./page/', import.meta.url);

/** Makes the handler. */
export function viewHandler(options: ViewHandlerOptions): ViewHandler {
  const { source, token, hosts = [] } = options;
  const files = new PageFiles(options.pageDir ?? fileURLToPath(PAGE_DIR));
  const reads: Readonly<Record<string, Answerer>> = {
    '/api/at': ({ query, signal }) => source.at(momentOf(query), signal),
    '/api/range': ({ signal }) => source.range(signal),
    '/api/events': ({ query, signal }) =>
      source.events(numberOf(query, 'to'), Math.min(EVENTS_MAX, numberOf(query, 'limit', 100)), signal),
    '/api/event': ({ query, signal }) => source.event(numberOf(query, 'index'), signal),
    '/api/task': ({ query, signal }) => source.task(query.get('id') ?? '', signal),
    '/api/service': ({ query, signal }) => source.service(query.get('id') ?? '', signal),
    '/api/plan': ({ query, signal }) => source.plan(actionOf(Object.fromEntries(query)), signal),
  };
  const act: Answerer = async ({ request, signal }) => {
    checkToken(request, token);
    await source.act(actionOf(await bodyOf(request)), signal);
    return {};
  };

  const answer = async (request: IncomingMessage, response: ServerResponse, signal: AbortSignal) => {
    checkHost(request, hosts);
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://view');
    const asked: Asked = { request, query, signal };
    if (request.method === 'POST' && pathname === '/api/actions') return json(response, await act(asked));
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new RefusedRequest(405, 'the view answers GET');
    }
    if (pathname === '/api/stream') {
      return writeEvents(response, eventsOf(source.stream({ ...resumeFrom(asked), signal })), signal);
    }
    if (pathname === '/api/logs') {
      const logs = source.logs(query.get('task') ?? '', signal);
      return writeEvents(response, logEvents(logs), signal);
    }
    if (pathname === '/metrics' && options.metrics !== undefined) {
      response.writeHead(200, { 'content-type': PROMETHEUS_TYPE });
      response.end(prometheusText(options.metrics()));
      return undefined;
    }
    const read = Object.hasOwn(reads, pathname) ? reads[pathname] : undefined;
    if (read !== undefined) return json(response, await read(asked));
    if (files.has(pathname)) {
      return files.send(pathname, String(request.headers['accept-encoding'] ?? ''), response);
    }
    throw new RefusedRequest(404, 'there is no such page');
  };

  return (request, response) => {
    const ending = new AbortController();
    response.once('close', () => ending.abort(new ClosedError('the request')));
    secure(response);
    answer(request, response, ending.signal).catch((error: unknown) => {
      if (response.headersSent) {
        response.end();
        return;
      }
      const { status, body } = refusalOf(error);
      json(response, body, status);
    });
  };
}

function secure(response: ServerResponse): void {
  response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(JSON.stringify(value));
}

/** Where a page that comes again goes on: the index of the last message that it has. */
function resumeFrom({ request, query }: Asked): { readonly from?: number } {
  const header = request.headers['last-event-id'];
  const text = typeof header === 'string' ? header : query.get('from');
  const from = Number(text ?? 'none');
  return text !== null && text !== '' && Number.isSafeInteger(from) && from >= 0 ? { from } : {};
}

async function* eventsOf(messages: AsyncIterable<ViewMessage>): AsyncGenerator<ServerSentEvent> {
  for await (const message of messages) {
    switch (message.type) {
      case 'snapshot':
        yield { id: message.snapshot.index, data: message };
        break;
      case 'delta':
        yield { id: message.delta.index, data: message };
        break;
      case 'status':
        yield { data: message };
    }
  }
}

/** What was printed, and at the end that it ended, so that nobody asks again. */
async function* logEvents(texts: AsyncIterable<unknown>): AsyncGenerator<ServerSentEvent> {
  try {
    for await (const text of texts) yield { data: text };
    yield { data: { end: 'the output has ended' } };
  } catch (error) {
    yield { data: { end: refusalOf(error).body.message } };
  }
}
