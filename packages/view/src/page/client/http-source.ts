/** The source of a page that a server gave. Everything is asked beside the page's own address. */

import type { Plan } from '@skep/core';
import type { RefusalBody } from '../../http/refusal.ts';
import type { ViewMessage, ViewSnapshot } from '../../model/rows.ts';
import type {
  LogText,
  MomentRange,
  ServiceDetail,
  TaskDetail,
  ViewAction,
  ViewSource,
  ViewTransaction,
  ViewTransactionDetail,
} from '../../source/view-source.ts';

/** A stream that is silent for longer is taken for dead, in ms: it gives a sign of life each second. */
const SILENT_MS = 5_000;

/** What the server answered instead. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly body: RefusalBody;

  constructor(body: RefusalBody) {
    super(body.message);
    this.body = body;
  }
}

/** Asks the server that the page came from. @param token - to act with, if there is one */
export class HttpSource implements ViewSource {
  readonly #token: string | undefined;

  constructor(token: string | undefined) {
    this.#token = token;
  }

  stream({
    from,
    signal,
  }: {
    readonly from?: number;
    readonly signal: AbortSignal;
  }): AsyncIterable<ViewMessage> {
    return serverSent(`api/stream${from === undefined ? '' : `?from=${from}`}`, signal, SILENT_MS);
  }

  at(moment: number | Date, signal?: AbortSignal): Promise<ViewSnapshot> {
    const query = typeof moment === 'number' ? { index: moment } : { date: moment.getTime() };
    return this.#ask('at', query, signal);
  }

  range(signal?: AbortSignal): Promise<MomentRange> {
    return this.#ask('range', {}, signal);
  }

  events(to: number, limit: number, signal?: AbortSignal): Promise<readonly ViewTransaction[]> {
    return this.#ask('events', { to, limit }, signal);
  }

  event(index: number, signal?: AbortSignal): Promise<ViewTransactionDetail> {
    return this.#ask('event', { index }, signal);
  }

  task(id: string, signal?: AbortSignal): Promise<TaskDetail> {
    return this.#ask('task', { id }, signal);
  }

  service(id: string, signal?: AbortSignal): Promise<ServiceDetail> {
    return this.#ask('service', { id }, signal);
  }

  async *logs(task: string, signal: AbortSignal): AsyncIterable<LogText> {
    const pieces = serverSent<LogText | { readonly end: string }>(
      `api/logs?${new URLSearchParams({ task })}`,
      signal,
    );
    for await (const piece of pieces) {
      if ('end' in piece) {
        yield { at: Date.now(), stream: 'stderr', text: `— ${piece.end}\n` };
        return;
      }
      yield piece;
    }
  }

  plan(action: ViewAction, signal?: AbortSignal): Promise<Plan> {
    return this.#ask('plan', { ...action }, signal);
  }

  async act(action: ViewAction, signal?: AbortSignal): Promise<void> {
    const response = await fetch('api/actions', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token ?? ''}` },
      body: JSON.stringify(action),
      ...(signal === undefined ? {} : { signal }),
    });
    await answerOf(response);
  }

  async #ask<T>(
    what: string,
    query: Readonly<Record<string, string | number>>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const params = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)]));
    const response = await fetch(`api/${what}?${params}`, signal === undefined ? {} : { signal });
    return (await answerOf(response)) as T;
  }
}

async function answerOf(response: Response): Promise<unknown> {
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body;
  const fallback = { code: 'UNAVAILABLE', message: `the server answers ${response.status}` };
  throw new SourceError(isRefusal(body) ? body : fallback);
}

function isRefusal(body: unknown): body is RefusalBody {
  return typeof body === 'object' && body !== null && 'code' in body && 'message' in body;
}

/** What a stream of events says. @throws when it breaks off, or is silent for too long */
async function* serverSent<T>(
  url: string,
  signal: AbortSignal,
  silentMs = Number.POSITIVE_INFINITY,
): AsyncGenerator<T, void, undefined> {
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(timer);
    if (silentMs !== Number.POSITIVE_INFINITY) timer = setTimeout(() => silence.abort(), silentMs);
  };
  heard();
  try {
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream' },
      signal: AbortSignal.any([signal, silence.signal]),
    });
    if (!response.ok || response.body === null) await answerOf(response);
    const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
    const decoder = new TextDecoder();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      rest += decoder.decode(value, { stream: true });
      const events = rest.split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        const at = event.indexOf('data: ');
        if (at >= 0) yield JSON.parse(event.slice(at + 'data: '.length)) as T;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
