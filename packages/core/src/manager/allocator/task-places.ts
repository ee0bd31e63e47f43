/** Gives tasks their places in networks, or tells why not. Tasks that found none wait for one that is freed there. */

import type { ClusterEvent } from '../../events/event.ts';
import type { NetworkId, TaskId } from '../../model/ids.ts';
import type { NetworkAttachment, Task } from '../../model/objects.ts';
import type { AddressBook } from './address-book.ts';
import { lackInWords, missingInWords } from './allocation-in-words.ts';
import { type NetworkLookup, networksOfTask } from './network-lookup.ts';

/** The places of tasks, and the tasks that wait for one. */
export class TaskPlaces {
  readonly #book: AddressBook;
  /** Tasks that wait, by the network that had nothing for them, in the order in which they came. */
  readonly #waiting = new Map<NetworkId, Set<TaskId>>();
  /** Tasks that name a network that is not there. */
  readonly #lost = new Set<TaskId>();

  constructor(book: AddressBook) {
    this.#book = book;
  }

  clear(): void {
    this.#waiting.clear();
    this.#lost.clear();
  }

  noteTask(before: Task | undefined, after: Task | undefined): void {
    this.#book.move(before?.attachments, after?.attachments);
  }

  /** Tasks that may have a place in this network now, as many as there are places. They wait no more. */
  retry(networkId: NetworkId): readonly TaskId[] {
    const waiting = this.#waiting.get(networkId);
    if (!waiting) return [];
    const ids: TaskId[] = [];
    for (const id of waiting) {
      if (ids.length >= this.#book.free(networkId)) break;
      ids.push(id);
      waiting.delete(id);
    }
    if (waiting.size === 0) this.#waiting.delete(networkId);
    return ids;
  }

  /** A network was created: whoever named one that was not there waits no more. */
  retryLost(): readonly TaskId[] {
    const ids = [...this.#lost];
    this.#lost.clear();
    return ids;
  }

  /** What becomes of tasks that may go on as far as their services go. */
  decide(tasks: readonly Task[], lookup: NetworkLookup): readonly ClusterEvent[] {
    const ids: TaskId[] = [];
    const attachments: Record<string, readonly NetworkAttachment[]> = {};
    const refused = new Map<string, TaskId[]>();
    for (const task of tasks) {
      const networks = networksOfTask(task, lookup);
      if (!('missing' in networks) && networks.length === 0) {
        ids.push(task.id);
        continue;
      }
      const places = 'missing' in networks ? networks : this.#book.allocate(networks);
      if ('attachments' in places) {
        ids.push(task.id);
        attachments[task.id] = places.attachments;
        continue;
      }
      if ('lack' in places) this.#wait(places.lack, task.id);
      else this.#lost.add(task.id);
      const error = 'lack' in places ? lackInWords(places, lookup.state) : missingInWords(places);
      if (task.status.error === error) continue;
      const same = refused.get(error);
      if (same) same.push(task.id);
      else refused.set(error, [task.id]);
    }
    const events: ClusterEvent[] = [];
    if (ids.length > 0) {
      const given = Object.keys(attachments).length === 0 ? {} : { attachments };
      events.push({ type: 'task.allocated', ids, ...given });
    }
    for (const [error, each] of refused) events.push({ type: 'task.unallocated', ids: each, error });
    return events;
  }

  #wait(networkId: NetworkId, id: TaskId): void {
    const waiting = this.#waiting.get(networkId);
    if (waiting) waiting.add(id);
    else this.#waiting.set(networkId, new Set([id]));
  }
}
