/** What a node is made of while it is a worker: it listens on nothing and follows the news of one manager. */

import type { Clock, Logger, Random } from '@skep/core';
import { sleep } from '@skep/core/member';
import { isNodeError } from '../errors.ts';
import { followNews, type News } from '../membership/methods.ts';
import type { ManagerLink } from '../rpc/manager-link.ts';

/** What a worker is made of. */
export interface WorkerPartOptions {
  readonly link: ManagerLink;
  /** Takes each piece of news. */
  readonly onNews: (news: News) => Promise<void>;
  /** The node was removed from the cluster. */
  readonly onRemoved: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Waits between two attempts to reach a manager, in ms: doubling, drawn at random below. */
const AGAIN_MS = 100;
const AGAIN_MS_MAX = 8_000;

/** A running worker. */
export class WorkerPart {
  readonly #options: WorkerPartOptions;
  readonly #life = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: WorkerPartOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#life.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { link, onNews, onRemoved, clock, random, logger } = this.#options;
    const { signal } = this.#life;
    let waitMs = AGAIN_MS;
    while (!signal.aborted) {
      try {
        for await (const news of await link.serverStream(followNews, undefined, { signal })) {
          waitMs = AGAIN_MS;
          await onNews(news);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (isNodeError(error) && error.code === 'NODE_REMOVED') {
          onRemoved();
          return;
        }
        logger.debug({ err: error }, 'no news from the managers');
      }
      await sleep(clock, random.next() * waitMs, signal).catch(() => {});
      waitMs = Math.min(AGAIN_MS_MAX, waitMs * 2);
    }
  }
}
