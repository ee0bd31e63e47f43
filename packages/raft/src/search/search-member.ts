/** One member in a search: a core, its disk, and what is on the way to that disk. */

import type { Message } from '../core/message.ts';
import type { RaftOptions } from '../core/options.ts';
import { RaftCore } from '../core/raft.ts';
import type { PersistBatch } from '../core/ready.ts';
import type { Entry, MemberId } from '../core/types.ts';
import type { AbstractDisk } from '../simulator/abstract-disk.ts';
import { SimulatedMember } from '../simulator/cores/simulated-member.ts';

/** Time-outs never elapse by themselves in a search, and each entry travels alone, so that more can come between. */
export const SEARCH_OPTIONS: Partial<RaftOptions> = {
  heartbeatTicks: 1,
  electionTicksMin: 2,
  electionTicksMax: 2,
  campaignTicksMin: 1000,
  campaignTicksMax: 1000,
  commitStallTicks: 1_000_000,
  departingTicks: 1_000_000,
  transferTicks: 1_000_000,
  appendEntriesMax: 1,
  compactionReserve: 0,
};

/** Deadlines further away than this never come. */
export const HORIZON_TICKS = 1000;

/** Starts a member's next life. */
export function startCore(id: MemberId, life: number, disk: AbstractDisk): RaftCore {
  let draws = 0;
  const random = { next: () => (draws++ === 0 ? life / 1000 : 0) };
  return new RaftCore({ id, random, stored: disk.stored, options: SEARCH_OPTIONS });
}

/** Mutable; the world owns it. */
export class SearchMember extends SimulatedMember {
  /** While true, writes pile up. */
  isStalled = false;
  underWay: PersistBatch[] = [];

  /** Everything about it that the future depends on, as text. */
  get key(): string {
    const { hardState, stored } = this.disk;
    const entries = stored.entries.map(entryKey).join();
    return [
      this.life,
      this.isStalled ? 'stalled' : '',
      `${hardState.term} ${hardState.vote ?? ''} ${hardState.commit} ${this.disk.snapshotIndex}`,
      entries,
      ...this.underWay.map((batch) => [batch.entries.map(entryKey), batch.messages.map(messageKey)].join()),
      [...this.reads].map(([read, { floor }]) => `${read}>${floor}`).join(),
      this.core?.fingerprint(HORIZON_TICKS) ?? 'down',
    ].join('#');
  }
}

/** Everything that a message says; entries by their terms, and clocks not at all, since no lease is in use. */
export function messageKey(message: Message): string {
  return JSON.stringify(message, (name, value) => {
    if (name === 'sent' || name === 'addresses' || name === 'removed') return undefined;
    const isEntries = name === 'entries' && message.type === 'append-request';
    return isEntries ? message.entries.map(({ term }) => term) : value;
  });
}

function entryKey({ index, term }: Entry): string {
  return `${index}@${term}`;
}
