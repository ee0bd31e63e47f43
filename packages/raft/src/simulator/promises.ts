/** What messages promise about their sender's disk, and whether the disk ever held it. */

import type { Message } from '../core/message.ts';
import type { LogIndex, MemberId, Term } from '../core/types.ts';
import type { AbstractDisk } from './abstract-disk.ts';

/**
 * What one member's disk has held, term by term. A message may leave a little after what it promises became durable,
 * when later writes have already changed the disk again.
 */
export class HeldPromises {
  readonly #votes = new Map<Term, MemberId>();
  readonly #lastIndexes = new Map<Term, LogIndex>();

  /** The disk has changed. */
  note({ hardState, lastIndex }: AbstractDisk): void {
    const { term, vote } = hardState;
    if (vote !== undefined) this.#votes.set(term, vote);
    this.#lastIndexes.set(term, Math.max(lastIndex, this.#lastIndexes.get(term) ?? 0));
  }

  /** How `message` lies about the disk, if it does. */
  brokenBy(message: Message): string | undefined {
    const { from, to, term, type } = message;
    const isOnDisk = (vote: string) => this.#votes.get(term) === vote;
    if (type === 'vote-response' && message.granted && !isOnDisk(to)) {
      return `${from} gave ${to} a vote that is not on its disk`;
    }
    if (type === 'vote-request' && !isOnDisk(from)) {
      return `${from} campaigns in a term that is not on its disk`;
    }
    const held = this.#lastIndexes.get(term) ?? 0;
    if (type === 'append-accepted' && held < message.index) {
      return `${from} acknowledged ${message.index}; its disk ends at ${held}`;
    }
    return undefined;
  }
}
