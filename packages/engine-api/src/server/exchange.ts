/** One request with its answer, as endpoints work with them. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fields } from '../json/fields.ts';
import { Filters } from '../json/filters.ts';
import type { ApiVersion } from './api-version.ts';
import { Refusal } from './refusal.ts';
import { readBody } from './request-body.ts';

/** An answer. With a `body` it is JSON, unless that is bytes or a text already. */
export interface Answer {
  readonly status: number;
  readonly json?: unknown;
}

/** Answers a request; `undefined`: it has been answered, or is being. */
export type Endpoint = (exchange: Exchange) => Promise<Answer | undefined> | Answer | undefined;

/** 200 with JSON. */
export function ok(json: unknown): Answer {
  return { status: 200, json };
}

/** What an exchange is made of. */
export interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly version: ApiVersion;
  /** Path without the version, and query, as they came. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string | undefined>>;
}

/** A request and the way to answer it. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly version: ApiVersion;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly #params: ExchangeParts['params'];
  readonly #gone = new AbortController();

  constructor(parts: ExchangeParts) {
    this.request = parts.request;
    this.response = parts.response;
    this.version = parts.version;
    this.path = parts.path;
    this.query = parts.query;
    this.#params = parts.params;
    parts.response.once('close', () => this.#gone.abort(new Refusal(499, 'the client is gone')));
  }

  /** Aborted once the client is gone or the answer is complete. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** A part of the path by its name in the route. */
  param(name: string): string {
    return this.#params[name] ?? '';
  }

  /** A flag of the query, as clients write them: `1`, `true`. Absent: false. */
  flag(name: string): boolean {
    const value = this.query.get(name)?.toLowerCase() ?? '';
    return !['', '0', 'no', 'false', 'none'].includes(value);
  }

  /** The filters of the query. @throws Refusal 400 */
  filters(known: readonly string[]): Filters {
    return Filters.parse(this.query.get('filters'), known);
  }

  /** `?version=`. @throws Refusal 400 in the engine's words */
  objectVersion(kind: string): number {
    const given = this.query.get('version') ?? '';
    const version = Number(given);
    if (!/^\d+$/.test(given) || !Number.isSafeInteger(version)) {
      const reason = `strconv.ParseUint: parsing ${JSON.stringify(given)}: invalid syntax`;
      throw new Refusal(400, `invalid ${kind} version '${given}': ${reason}`);
    }
    return version;
  }

  /** A header of the request. */
  header(name: string): string | undefined {
    const value = this.request.headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** The body, which has to be a JSON object. None at all is an empty one. @throws Refusal 400, 413 */
  async fields(): Promise<Fields> {
    const value = await readBody(this.request, this.#gone.signal);
    return new Fields(value ?? {});
  }
}
