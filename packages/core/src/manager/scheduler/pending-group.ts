/**
 * Tasks of one service that are alike and wait for a node, in the order in which they began to wait. A task that
 * stops waiting is struck out where it stands, so that a queue of a million is never searched or copied for one.
 */

import type { NodeId, TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import type { PlacementFinding } from '../../model/placement.ts';

/** The queue is tidied up when so many entries are struck out, and they are at least half as many as wait. */
const STRUCK_MIN = 1_024;
/** However long the queue is, this many struck out entries are enough. */
const STRUCK_MAX = 131_072;

/** One queue. What `Service` keeps of its service is none of its business: it only says whose it is. */
export class PendingGroup<Service = unknown> {
  readonly service: Service;
  readonly key: string;
  readonly specVersion: number;
  /** One of the tasks: all have its spec and its host ports. */
  readonly sample: Task;
  /** The nodes on which the volumes live that they follow. */
  readonly homes: readonly NodeId[];
  /** The end of a task on some node may make room for it. */
  relievable = false;
  /** What its tasks are told. */
  explanation: PlacementFinding | undefined;
  /** When they were all told; milliseconds since 1970. */
  explainedAt = 0;
  #queue: TaskId[] = [];
  #head = 0;
  /** Tasks before this place in the queue are explained as the group is. */
  #explained = 0;
  readonly #struck = new Set<TaskId>();

  constructor(service: Service, key: string, sample: Task, homes: readonly NodeId[] = []) {
    this.service = service;
    this.key = key;
    this.specVersion = sample.specVersion;
    this.sample = sample;
    this.homes = homes;
  }

  /** How many tasks wait. */
  get size(): number {
    return this.#queue.length - this.#head - this.#struck.size;
  }

  add(id: TaskId): void {
    // It may have waited before and be struck out still.
    if (this.#struck.size > 0 && this.#struck.has(id)) this.#tidy();
    this.#queue.push(id);
  }

  /** A task stopped waiting. It must be one that waits. */
  remove(id: TaskId): void {
    if (this.#queue[this.#head] === id) this.#head += 1;
    else this.#struck.add(id);
    while (this.#struck.size > 0 && this.#struck.delete(this.#queue[this.#head] as TaskId)) this.#head += 1;
    const struck = Math.max(this.#struck.size, this.#head);
    if (struck > STRUCK_MIN && struck > Math.min(this.size / 2, STRUCK_MAX)) this.#tidy();
  }

  /** The first `count` tasks that wait. */
  first(count: number): TaskId[] {
    const ids: TaskId[] = [];
    for (let at = this.#head; at < this.#queue.length && ids.length < count; at++) {
      const id = this.#queue[at] as TaskId;
      if (!this.#struck.has(id)) ids.push(id);
    }
    return ids;
  }

  /** All that waits, in order. */
  all(): TaskId[] {
    return this.first(this.size);
  }

  /** Nobody waits to be told why. */
  get allExplained(): boolean {
    return this.#explained >= this.#queue.length;
  }

  /** What the group is explained by has changed: nobody is explained. */
  forgetExplained(): void {
    this.#explained = 0;
  }

  /**
   * Walks on through the tasks that are not explained yet, leaving out the first `skip` that wait, until `visit` has
   * had enough and returns false. Those visited count as explained.
   *
   * @returns whether all are explained now.
   */
  explain(skip: number, visit: (id: TaskId) => boolean): boolean {
    let at = this.#head;
    for (let skipped = 0; skipped < skip && at < this.#queue.length; at++) {
      if (!this.#struck.has(this.#queue[at] as TaskId)) skipped += 1;
    }
    for (at = Math.max(at, this.#explained); at < this.#queue.length; at++) {
      const id = this.#queue[at] as TaskId;
      if (!this.#struck.has(id) && !visit(id)) break;
    }
    this.#explained = at;
    return at >= this.#queue.length;
  }

  #tidy(): void {
    const queue: TaskId[] = [];
    let explained = 0;
    for (let at = this.#head; at < this.#queue.length; at++) {
      const id = this.#queue[at] as TaskId;
      if (this.#struck.has(id)) continue;
      queue.push(id);
      if (at < this.#explained) explained += 1;
    }
    this.#queue = queue;
    this.#head = 0;
    this.#explained = explained;
    this.#struck.clear();
  }
}
