/** What a message promises about its sender's disk. */

import type { Message } from '../core/message.ts';
import type { SimulatedDisk } from './simulated-disk.ts';

/** How `message` lies about the disk, if it does. */
export function brokenPromise(message: Message, disk: SimulatedDisk): string | undefined {
  const { from, to, term, type } = message;
  const isOnDisk = (vote: string) => disk.hardState.term === term && disk.hardState.vote === vote;
  if (type === 'vote-response' && message.granted && !isOnDisk(to)) {
    return `${from} gave ${to} a vote that is not on its disk`;
  }
  if (type === 'vote-request' && !isOnDisk(from))
    return `${from} campaigns in a term that is not on its disk`;
  if (type === 'append-accepted' && disk.lastIndex < message.index) {
    return `${from} acknowledged ${message.index}; its disk ends at ${disk.lastIndex}`;
  }
  return undefined;
}
