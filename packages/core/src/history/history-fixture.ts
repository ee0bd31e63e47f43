/** A member without its log, for tests of history: a replica that is fed transactions, and what became of them. */

import { encodeTransaction } from '../events/codec.ts';
import type { Transaction } from '../events/event.ts';
import type { Position } from '../log/event-log.ts';
import { Lifetime } from '../runtime/lifetime.ts';
import type { LogFields, Logger } from '../runtime/logger.ts';
import type { ChangeSet } from '../state/change.ts';
import { ChangeFeed } from '../state/change-feed.ts';
import { ClusterState } from '../state/cluster-state.ts';
import { Replica } from '../state/replica.ts';
import { snapshotChunks } from '../state/snapshot.ts';
import { stateWithoutValues } from '../state/without-values.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { History } from './history.ts';
import type { HistoryStore } from './history-store.ts';
import type { HistoryOptions } from './options.ts';

/** One member that keeps a history. */
export class HistoryFixture {
  readonly replica = new Replica();
  readonly clock: SimulatedClock;
  readonly warnings: LogFields[] = [];
  /** States by index, from the empty one on, as history should give them. */
  readonly states: ClusterState[] = [ClusterState.empty];
  readonly changes: ChangeSet[] = [];
  #history: History | undefined;
  #position: Position = 0;

  constructor(clock = new SimulatedClock()) {
    this.clock = clock;
    this.replica.onCommit((changes, state) => {
      this.states[state.index] = stateWithoutValues(state);
      this.changes.push(changes);
    });
  }

  get history(): History {
    if (!this.#history) throw new Error('the fixture is not open');
    return this.#history;
  }

  async open(store: HistoryStore, options: HistoryOptions = {}): Promise<this> {
    const warn = (fields: LogFields) => void this.warnings.push(fields);
    const logger: Logger = { debug() {}, info() {}, warn, error: warn, child: () => logger };
    const parts = {
      clock: this.clock,
      logger,
      lifetime: new Lifetime(),
      replica: this.replica,
    };
    this.#history = await History.open({ ...parts, store, options });
    // No change is left in memory but the last, so that what is asked for is read.
    this.#history.serve(new ChangeFeed(this.replica, 1));
    return this;
  }

  /** Commits these, in order. */
  commit(...transactions: readonly Transaction[]): void {
    for (const transaction of transactions) {
      this.#position += 1;
      this.replica.apply({
        position: this.#position,
        epoch: 1,
        sequence: this.#position,
        at: transaction.at,
        payload: encodeTransaction(transaction),
      });
    }
  }

  /** Resolves with the work's result while virtual time goes on. */
  run<T>(work: Promise<T>): Promise<T> {
    return this.clock.run(work);
  }
}

/** A state as one text: equal for states that say the same. */
export function textOf(state: ClusterState): string {
  return [...snapshotChunks(state)].map((chunk) => chunk.join()).join('\n');
}

/** All of a stream. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
