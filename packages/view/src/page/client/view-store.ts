/**
 * What the page knows: the cluster as it is, for as long as the stream says so, and the moment of the past that is
 * looked at, if one is. It comes back by itself when the stream breaks off, and goes on from where it was.
 */

import type { ViewSnapshot, ViewStatus } from '../../model/rows.ts';
import { type RowChange, ViewTables } from '../../model/view-tables.ts';
import type { ViewSource } from '../../source/view-source.ts';

/** How the stream is. `lost`: what is shown was true at its index, and may not be any more. */
export type Link =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'lost'; readonly why: string };

/** Hears of changes of what is shown; without rows: all of it may be another. */
export type StoreListener = (changes: readonly RowChange[] | undefined) => void;

const AGAIN_MS = 300;
const AGAIN_MS_MAX = 3_000;

/** Holds what is shown. */
export class ViewStore {
  readonly source: ViewSource;
  readonly #live = new ViewTables();
  readonly #past = new ViewTables();
  readonly #listeners = new Set<StoreListener>();
  readonly #ending = new AbortController();
  #link: Link = { kind: 'connecting' };
  #status: ViewStatus | undefined;
  #isPast = false;
  #hasSnapshot = false;

  constructor(source: ViewSource) {
    this.source = source;
  }

  get link(): Link {
    return this.#link;
  }

  get status(): ViewStatus | undefined {
    return this.#status;
  }

  /** The tables that are looked at. */
  get shown(): ViewTables {
    return this.#isPast ? this.#past : this.#live;
  }

  /** Index of the newest transaction that is known of. */
  get newest(): number {
    return Math.max(this.#live.index, this.#status?.index ?? 0);
  }

  /** A moment of the past is looked at. */
  get isPast(): boolean {
    return this.#isPast;
  }

  /** What is shown as the present may not be true any more. */
  get isStale(): boolean {
    return !this.#isPast && (this.#link.kind !== 'live' || this.#status?.hasLeader === false);
  }

  on(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks at a moment of the past. */
  showPast(snapshot: ViewSnapshot): void {
    this.#past.reset(snapshot);
    this.#isPast = true;
    this.#tell(undefined);
  }

  /** Looks at the present again. */
  showPresent(): void {
    if (!this.#isPast) return;
    this.#isPast = false;
    this.#tell(undefined);
  }

  /** Follows the stream until {@link end}. */
  async begin(): Promise<void> {
    const { signal } = this.#ending;
    let againMs = AGAIN_MS;
    while (!signal.aborted) {
      let why = 'the server has ended the stream';
      try {
        const from = this.#hasSnapshot ? { from: this.#live.index } : {};
        for await (const message of this.source.stream({ ...from, signal })) {
          againMs = AGAIN_MS;
          if (message.type === 'status') this.#heard(message.status);
          else if (message.type === 'snapshot') {
            this.#live.reset(message.snapshot);
            this.#hasSnapshot = true;
            this.#linked({ kind: 'live' });
            if (!this.#isPast) this.#tell(undefined);
          } else {
            const changes = this.#live.apply(message.delta);
            if (!this.#isPast) this.#tell(changes);
          }
        }
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      }
      if (signal.aborted) return;
      this.#linked({ kind: 'lost', why });
      await new Promise((resolve) => setTimeout(resolve, againMs));
      againMs = Math.min(AGAIN_MS_MAX, againMs * 2);
    }
  }

  end(): void {
    this.#ending.abort();
  }

  #heard(status: ViewStatus): void {
    this.#status = status;
    // A member that is behind what was seen has yet to catch up: until then, nothing of it is the present.
    if (this.#hasSnapshot && status.index >= this.#live.index) this.#link = { kind: 'live' };
    this.#tell([]);
  }

  #linked(link: Link): void {
    this.#link = link;
    this.#tell([]);
  }

  #tell(changes: readonly RowChange[] | undefined): void {
    for (const listener of this.#listeners) listener(changes);
  }
}
