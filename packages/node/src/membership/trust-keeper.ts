/** The trust record as a manager works with it: read from the state here, changed by compare-and-set at the leader. */

import { type Cluster, PreconditionError } from '@skep/core';
import { NodeError } from '../errors.ts';
import { decodeTrust, encodeTrust, TRUST_RECORD, type TrustRecord } from '../security/trust-record.ts';

/** How often a change is made anew on top of one that came between. */
const ATTEMPTS = 20;

/** Keeps the trust record of one cluster. */
export class TrustKeeper {
  readonly #cluster: Cluster;
  #decoded: { readonly bytes: Uint8Array; readonly record: TrustRecord } | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The record as it is here. @throws NodeError `BUSY` if it has not come here yet; `STATE_UNREADABLE` */
  get record(): TrustRecord {
    const bytes = this.#cluster.records.get(TRUST_RECORD);
    if (bytes === undefined) throw new NodeError('BUSY', 'this manager does not know the cluster yet');
    if (this.#decoded?.bytes !== bytes) this.#decoded = { bytes, record: decodeTrust(bytes) };
    return this.#decoded.record;
  }

  /** Puts the first record there. */
  async create(record: TrustRecord): Promise<void> {
    await this.#cluster.records.replace(TRUST_RECORD, undefined, encodeTrust(record));
  }

  /**
   * Changes the record.
   *
   * @param change - gives the next record; the same one changes nothing. Called again if another change came between.
   */
  async update(change: (record: TrustRecord) => Promise<TrustRecord> | TrustRecord): Promise<TrustRecord> {
    for (let attempt = 1; ; attempt++) {
      const before = this.#cluster.records.get(TRUST_RECORD);
      const { record } = this;
      const next = await change(record);
      if (next === record) return record;
      try {
        await this.#cluster.records.replace(TRUST_RECORD, before, encodeTrust(next));
        return next;
      } catch (error) {
        if (!(error instanceof PreconditionError) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Calls back when the record has changed here. Returns the way to stop. */
  onChange(listener: () => void): () => void {
    return this.#cluster.records.onChange(TRUST_RECORD, listener);
  }
}
