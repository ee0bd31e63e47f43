/**
 * Messages on their way out. An append without entries says no more than how far the log is committed: it waits until
 * those have their answer who were waiting for it here, since each message to a member takes longer than an answer to a
 * client, and it is left out if entries for the same member follow at once and say it as well.
 */

import type { InstallSnapshot, Message } from '../core/message.ts';
import type { MemberId } from '../core/types.ts';
import type { RaftClock } from './ports.ts';

/** What an outbox sits between. */
export interface OutboxParts {
  readonly clock: RaftClock;
  readonly send: (message: Message) => void;
  readonly ship: (message: InstallSnapshot) => void;
}

/** One node's messages to the others. */
export class Outbox {
  readonly #parts: OutboxParts;
  /** News of commits that wait, the latest for each member. */
  readonly #news = new Map<MemberId, Message>();
  #isClosed = false;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Sends at once, or, if it is no more than news, in the next turn of the event loop. */
  put(message: Message): void {
    if (message.type === 'install-snapshot') this.#parts.ship(message);
    else if (message.type === 'append-request' && message.entries.length === 0) this.#hold(message);
    else {
      if (message.type === 'append-request') this.#news.delete(message.to);
      this.#parts.send(message);
    }
  }

  /** Sends what waits: a leader that goes may have nobody else to tell what it has committed last. */
  close(): void {
    this.#tell();
    this.#isClosed = true;
  }

  #hold(message: Message): void {
    if (this.#isClosed) return;
    const isFirst = this.#news.size === 0;
    this.#news.set(message.to, message);
    if (isFirst) this.#parts.clock.defer(() => this.#tell());
  }

  #tell(): void {
    const news = [...this.#news.values()];
    this.#news.clear();
    for (const message of news) this.#parts.send(message);
  }
}
