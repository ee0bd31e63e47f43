/** The endpoint feed: who may receive a service's traffic now. */

import { checkRef } from '../manager/api/find.ts';
import { differences } from '../model/differences.ts';
import type { Endpoints } from '../model/endpoint.ts';
import { asId, type ServiceId } from '../model/ids.ts';
import type { Lifetime } from '../runtime/lifetime.ts';
import { concernsService } from '../state/change.ts';
import type { ChangeFeed } from '../state/change-feed.ts';
import { endpointsOf } from '../state/endpoints.ts';
import { type Cursor, LiveStream } from './live-stream.ts';

/** The endpoints of a service now, and each time that they differ. An Observable and an AsyncIterable. */
export class EndpointFeed extends LiveStream<Endpoints> {
  /** @param ref - id or name; a service that is not there, or no more, has none. @throws InvalidSpecError */
  constructor(feed: ChangeFeed, ref: string, options: { readonly signal?: AbortSignal }, lifetime: Lifetime) {
    checkRef('service', ref);
    super({
      open: () => new EndpointCursor(feed, ref),
      onAdvance: (listener) => feed.onAdvance(listener),
      lifetime,
      signal: options.signal,
    });
  }
}

/** Where one reader is. It looks at the service's tasks only after commits that concern it. */
class EndpointCursor implements Cursor<Endpoints> {
  readonly #feed: ChangeFeed;
  readonly #ref: string;
  #told: Endpoints | undefined;
  #id: ServiceId | undefined;
  /** The last index that was looked at. */
  #index = -1;

  constructor(feed: ChangeFeed, ref: string) {
    this.#feed = feed;
    this.#ref = ref;
  }

  next(): Endpoints | undefined {
    const { state } = this.#feed;
    const service = state.serviceByName(this.#ref) ?? state.service(asId(this.#ref));
    const concerned = this.#told === undefined || service?.id !== this.#id || this.#concerned(state.index);
    this.#id = service?.id;
    this.#index = state.index;
    if (!concerned) return undefined;
    const endpoints = service ? endpointsOf(state, service) : [];
    if (this.#told && differences(this.#told, endpoints).length === 0) return undefined;
    this.#told = endpoints;
    return endpoints;
  }

  #concerned(index: number): boolean {
    for (let at = this.#index + 1; at <= index; at += 1) {
      const entry = this.#feed.at(at);
      if (!entry || (this.#id !== undefined && concernsService(entry.changes, this.#id))) return true;
    }
    return false;
  }
}
