/**
 * For tests: what a member's disk holds, as the plainest program has it, and random work on a storage that keeps to the
 * rules of Raft. It remembers every state that was handed over and how far they were acknowledged, so that it can judge
 * what comes back.
 */

import { deepStrictEqual } from 'node:assert/strict';
import type { PersistBatch } from '../../core/ready.ts';
import type { Entry, HardState, Random, SnapshotDescription, StoredState } from '../../core/types.ts';
import { FileStorageError } from './errors.ts';
import type { FileStorage } from './file-storage.ts';
import { batchOf, below, command, configurationOf, description } from './storage-fixture.ts';

interface ModelState {
  readonly hardState: HardState;
  readonly snapshot?: SnapshotDescription;
  readonly entries: readonly Entry[];
}

const MEMBERS = ['a', 'b', 'c'];

/** See the head of this file. */
export class LogModel {
  /** How often work was refused, by code. */
  readonly refusals = new Map<string, number>();
  readonly #random: Random;
  /** Every state since the last recovery, in the order in which it was handed over. */
  #states: ModelState[] = [{ hardState: { term: 0, commit: 0 }, entries: [] }];
  /** How many of them are certain to be on disk. */
  #acknowledged = 0;
  #batches: PersistBatch[] = [];
  #sequence = 0;
  readonly #contents = new Map<string, Uint8Array>();
  #underWay: Promise<unknown>[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Judges what was recovered, and goes on from there. */
  async adopt(
    stored: StoredState,
    read: (snapshot: SnapshotDescription) => Promise<Uint8Array>,
  ): Promise<void> {
    const texts = this.#states.map((state) => JSON.stringify(plain(state)));
    const found = texts.indexOf(JSON.stringify(plain(stored)), this.#acknowledged);
    if (found < 0) {
      // Not a state of those that are allowed: shown beside the last one that was acknowledged.
      deepStrictEqual(plain(stored), plain(this.#states[this.#acknowledged] ?? this.#latest));
    }
    if (stored.snapshot !== undefined) {
      deepStrictEqual(await read(stored.snapshot), this.#contents.get(nameOf(stored.snapshot)));
    }
    this.#states = [stored];
    this.#acknowledged = 0;
    this.#batches = [];
  }

  /** Does something, and sometimes waits for it. */
  async step(storage: FileStorage): Promise<void> {
    const draw = this.#random.next();
    let done: Promise<unknown>;
    if (draw < 0.75) done = this.#persist(storage, this.#randomBatch());
    else if (draw < 0.9) done = this.#compact(storage);
    else done = this.#install(storage);
    this.note(done);
    if (this.#random.next() < 0.5) await done.catch(() => {});
  }

  /** Hands over again, in order, what a full disk refused. */
  async retry(storage: FileStorage): Promise<void> {
    await this.settled();
    const from = storage.status?.retryFrom;
    if (from === undefined) return;
    this.#states = this.#states.slice(0, this.#acknowledged + 1);
    const refused = this.#batches.filter(({ sequence }) => sequence >= from);
    this.#batches = [];
    for (const batch of refused) {
      // Compactions between them were refused as well and are not repeated: snapshots that batches refer to are there.
      this.note(this.#persist(storage, batch));
    }
    await this.settled();
  }

  /** Work that {@link LogModel.settled} waits for. */
  note(work: Promise<unknown>): void {
    this.#underWay.push(work.catch(() => {}));
  }

  async settled(): Promise<void> {
    while (this.#underWay.length > 0) await Promise.all(this.#underWay.splice(0));
    const codes = new Set(['failed', 'disk-full', 'closed']);
    deepStrictEqual(
      [...this.refusals.keys()].filter((code) => !codes.has(code)),
      [],
    );
  }

  get #latest(): ModelState {
    return this.#states[this.#states.length - 1] ?? { hardState: { term: 0, commit: 0 }, entries: [] };
  }

  async #persist(storage: FileStorage, batch: PersistBatch): Promise<void> {
    if (storage.status?.failure !== undefined) return;
    const { hardState, snapshot, entries } = batch;
    let after = this.#latest;
    if (hardState !== undefined) after = { ...after, hardState };
    if (snapshot !== undefined) after = { ...after, snapshot, entries: [] };
    const [first] = entries;
    if (first !== undefined) {
      after = {
        ...after,
        entries: [...after.entries.filter(({ index }) => index < first.index), ...entries],
      };
    }
    this.#batches.push(batch);
    await this.#handOver(after, storage.persist(batch));
  }

  #handOver(after: ModelState, work: Promise<void>): Promise<void> {
    this.#states.push(after);
    const states = this.#states;
    const place = states.length - 1;
    return work.then(
      () => {
        if (states === this.#states) this.#acknowledged = Math.max(this.#acknowledged, place);
      },
      (error: unknown) => {
        this.#refused(error);
        throw error;
      },
    );
  }

  /** What keeps to the rules may be refused because of the disk, never because of the rules. */
  #refused(error: unknown): void {
    const code = error instanceof FileStorageError ? error.code : String(error);
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  #randomBatch(): PersistBatch {
    const random = this.#random;
    const state = this.#latest;
    const { term, vote, commit } = state.hardState;
    const last = Math.max(state.entries.at(-1)?.index ?? 0, state.snapshot?.index ?? 0);
    const newTerm = random.next() < 0.3 ? term + 1 + below(random, 2) : term;
    const oldVote = newTerm === term ? vote : undefined;
    const newVote = oldVote ?? (random.next() < 0.5 ? MEMBERS[below(random, MEMBERS.length)] : undefined);
    const firm = Math.max(commit, state.snapshot?.index ?? 0);
    const first = random.next() < 0.2 ? firm + 1 + below(random, last - firm + 1) : last + 1;
    const count = random.next() < 0.8 ? below(random, 6) : 0;
    const entries = Array.from({ length: count }, (_, at) => this.#randomEntry(first + at, newTerm));
    const newLast = entries.at(-1)?.index ?? last;
    const newCommit = Math.max(firm, random.next() < 0.5 ? firm + below(random, newLast - firm + 1) : firm);
    this.#sequence += 1;
    return batchOf(this.#sequence, {
      ...(random.next() < 0.8
        ? {
            hardState: {
              term: newTerm,
              commit: newCommit,
              ...(newVote === undefined ? {} : { vote: newVote }),
            },
          }
        : {}),
      entries,
    });
  }

  #randomEntry(index: number, term: number): Entry {
    const draw = this.#random.next();
    if (draw < 0.1) return { kind: 'empty', index, term };
    if (draw < 0.2)
      return { kind: 'configuration', index, term, configuration: configurationOf('a', `m${index}`) };
    const size = below(this.#random, this.#random.next() < 0.1 ? 1500 : 60);
    return command(index, term, `${index}:${'x'.repeat(size)}`);
  }

  /** A snapshot of the member's own, written while other things go on. */
  async #compact(storage: FileStorage): Promise<void> {
    const { hardState, snapshot, entries } = this.#latest;
    const candidates = entries.filter(
      ({ index }) => index <= hardState.commit && index > (snapshot?.index ?? 0),
    );
    const chosen = candidates[below(this.#random, candidates.length)];
    if (chosen === undefined) return;
    const own = description(chosen.index, chosen.term);
    await this.#write(storage, own);
    const latest = this.#latest;
    const keepFrom = Math.max(1, own.index + 1 - below(this.#random, 8));
    const { failure, retryFrom } = storage.status ?? {};
    if (failure !== undefined || retryFrom !== undefined) return;
    if ((latest.snapshot?.index ?? 0) > own.index) {
      await storage.compact(own, keepFrom);
      return;
    }
    // It may have been refused by a full disk meanwhile, and then its entries are not in the log.
    if ((latest.entries.at(-1)?.index ?? 0) < own.index) return;
    const first = Math.max(latest.entries[0]?.index ?? 1, keepFrom);
    const after = { ...latest, snapshot: own, entries: latest.entries.filter(({ index }) => index >= first) };
    await this.#handOver(after, storage.compact(own, keepFrom));
  }

  /** A snapshot from the leader. */
  async #install(storage: FileStorage): Promise<void> {
    const before = this.#latest;
    const index =
      Math.max(before.hardState.commit, before.snapshot?.index ?? 0) + 1 + below(this.#random, 10);
    const received = description(index, before.hardState.term + 1);
    await this.#write(storage, received);
    const { hardState, snapshot } = this.#latest;
    if (hardState.commit >= index || (snapshot?.index ?? 0) >= index) return;
    this.#sequence += 1;
    const term = Math.max(hardState.term, received.term);
    const vote = term === hardState.term ? hardState.vote : undefined;
    const batch = batchOf(this.#sequence, {
      hardState: { term, commit: index, ...(vote === undefined ? {} : { vote }) },
      snapshot: received,
      entries: this.#random.next() < 0.3 ? [command(index + 1, term)] : [],
    });
    await this.#persist(storage, batch);
  }

  async #write(storage: FileStorage, snapshot: SnapshotDescription): Promise<void> {
    // The same for the same place, as a state machine's would be.
    const length = (snapshot.index * 37 + snapshot.term * 101) % 2000;
    const contents = Uint8Array.from({ length }, (_, at) => (at * snapshot.index) % 251);
    this.#contents.set(nameOf(snapshot), contents);
    const writer = storage.writeSnapshot(snapshot);
    for (let at = 0; at < contents.length; at += 300) await writer.write(contents.subarray(at, at + 300));
    await writer.complete();
  }
}

function nameOf({ index, term }: SnapshotDescription): string {
  return `${index}/${term}`;
}

/** A state that can be compared as text. */
function plain({ hardState, snapshot, entries }: ModelState): unknown {
  const { term, vote, commit } = hardState;
  return {
    hardState: { term, vote, commit },
    snapshot,
    entries: entries.map((entry) =>
      entry.kind === 'command' ? { ...entry, payload: Buffer.from(entry.payload).toString('latin1') } : entry,
    ),
  };
}
