/** The window of append messages that are under way to one follower, limited in number and in bytes. */

import type { LogIndex } from './types.ts';

/** A queue of messages, oldest first, each known by its last entry. */
export class InflightWindow {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #messages: { readonly lastIndex: LogIndex; readonly bytes: number }[] = [];
  #bytes = 0;

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#messages.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The last entry of each, oldest first. */
  get ends(): readonly LogIndex[] {
    return this.#messages.map(({ lastIndex }) => lastIndex);
  }

  /** No more may be sent before something is acknowledged. One message is always let through, however large. */
  get isFull(): boolean {
    return this.#messages.length >= this.#messagesMax || this.#bytes >= this.#bytesMax;
  }

  add(lastIndex: LogIndex, bytes: number): void {
    this.#messages.push({ lastIndex, bytes });
    this.#bytes += bytes;
  }

  /** Everything up to `index` was acknowledged. */
  acknowledged(index: LogIndex): void {
    let done = 0;
    for (const message of this.#messages) {
      if (message.lastIndex > index) break;
      this.#bytes -= message.bytes;
      done++;
    }
    if (done > 0) this.#messages = this.#messages.slice(done);
  }

  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }
}
