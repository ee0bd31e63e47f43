/** A stream of server-sent events: each with the index to go on from, written no faster than they are read. */

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** One event. */
export interface ServerSentEvent {
  /** What the browser hands back when it comes again. */
  readonly id?: number;
  readonly data: unknown;
}

/** Writes events until they end, or the reader is gone. */
export async function writeEvents(
  response: ServerResponse,
  events: AsyncIterable<ServerSentEvent>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies that gather before they pass on would hold the present back.
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  for await (const { id, data } of events) {
    if (signal.aborted) break;
    const text = `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
    if (!response.write(text)) await once(response, 'drain', { signal }).catch(() => {});
  }
  response.end();
}
