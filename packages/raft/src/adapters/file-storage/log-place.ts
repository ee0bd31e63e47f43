/**
 * What is known of the log without its entries: promises, the newest snapshot, and where the entries begin and end.
 * Decides what a batch does to it and whether it may. Pure: it reads and writes nothing.
 */

import type { PersistBatch } from '../../core/ready.ts';
import type { Entry, HardState, LogIndex, SnapshotDescription } from '../../core/types.ts';
import { FileStorageError } from './errors.ts';

/** A snapshot that the log refers to, and the file that holds it. */
export interface SnapshotReference {
  readonly description: SnapshotDescription;
  /** Its name in the directory of snapshots; absent for the snapshot at index 0, which may have no bytes. */
  readonly file?: string;
  /** Size of that file in bytes. */
  readonly fileBytes: number;
}

/** Invariant: snapshot.index + 1 ≥ first, and first ≤ next. */
export interface LogPlace {
  readonly hardState: HardState;
  readonly snapshot?: SnapshotReference;
  /** The first entry that is kept, if there is any. */
  readonly first: LogIndex;
  /** The index of the entry that comes next. */
  readonly next: LogIndex;
}

/** A disk on which nothing was ever written. */
export const NOTHING: LogPlace = { hardState: { term: 0, commit: 0 }, first: 1, next: 1 };

/** One fact in the log. Recovery repeats them in order. */
export type LogRecord =
  | { readonly kind: 'hard-state'; readonly hardState: HardState }
  /** Entries at `from` and behind are no more. What they said stays in the file. */
  | { readonly kind: 'truncated'; readonly from: LogIndex }
  | { readonly kind: 'entries'; readonly first: LogIndex; readonly entries: readonly Entry[] }
  /** A snapshot from the leader took the place of the whole log. */
  | { readonly kind: 'installed'; readonly snapshot: SnapshotReference }
  /** A snapshot of this member's own stands for the log up to its index, and entries before `first` are dropped. */
  | { readonly kind: 'compacted'; readonly snapshot: SnapshotReference; readonly first: LogIndex }
  /** The first record of each segment: everything that the segments before it said, but for their entries. */
  | { readonly kind: 'base'; readonly place: LogPlace; readonly previous: PreviousSegment | undefined }
  /** The last record of a segment that was closed in order: nothing behind it is missing. */
  | { readonly kind: 'end' };

/** The segment before a segment, as it was left. */
export interface PreviousSegment {
  readonly number: number;
  readonly frames: number;
}

/** What a batch means for the log. */
export interface Accepted {
  readonly records: readonly LogRecord[];
  readonly after: LogPlace;
}

/**
 * Takes a batch as the next one.
 *
 * @param findSnapshot - the file of a completed snapshot.
 * @throws FileStorageError `hard-state-regressed`, `invalid-batch`, or what `findSnapshot` throws.
 */
export function acceptBatch(
  place: LogPlace,
  batch: PersistBatch,
  findSnapshot: (description: SnapshotDescription) => SnapshotReference,
): Accepted {
  const records: LogRecord[] = [];
  let after = place;
  const { hardState, snapshot, entries } = batch;
  if (hardState !== undefined) {
    checkHardState(place.hardState, hardState);
    after = { ...after, hardState };
    records.push({ kind: 'hard-state', hardState });
  }
  if (snapshot !== undefined) {
    const newest = place.snapshot?.description.index ?? -1;
    if (snapshot.index <= newest) {
      throw invalid(`the snapshot at ${snapshot.index} is not newer than the one at ${newest}`);
    }
    const reference = findSnapshot(snapshot);
    const next = snapshot.index + 1;
    after = { ...after, snapshot: reference, first: next, next };
    records.push({ kind: 'installed', snapshot: reference });
  }
  const [first] = entries;
  if (first === undefined) return { records, after };
  checkEntries(after, place.hardState.commit, entries);
  if (first.index < after.next) records.push({ kind: 'truncated', from: first.index });
  records.push({ kind: 'entries', first: first.index, entries });
  return { records, after: { ...after, next: first.index + entries.length } };
}

/**
 * Takes a snapshot of the member's own state. Undefined if a newer one stands for the log already and nothing changes.
 *
 * @throws FileStorageError `invalid-batch`, or what `findSnapshot` throws.
 */
export function acceptCompaction(
  place: LogPlace,
  description: SnapshotDescription,
  keepFrom: LogIndex,
  findSnapshot: (description: SnapshotDescription) => SnapshotReference,
): Accepted | undefined {
  const newest = place.snapshot?.description.index ?? -1;
  if (description.index < newest) return undefined;
  if (!Number.isSafeInteger(keepFrom)) throw invalid(`entries can't be kept from ${keepFrom} on`);
  if (description.index >= place.next) {
    throw invalid(`a snapshot at ${description.index} is beyond the last entry, ${place.next - 1}`);
  }
  const known = description.index === newest ? place.snapshot : undefined;
  const snapshot = known ?? findSnapshot(description);
  const first = Math.max(place.first, Math.min(keepFrom, description.index + 1));
  if (known !== undefined && first === place.first) return undefined;
  const record: LogRecord = { kind: 'compacted', snapshot, first };
  return { records: [record], after: { ...place, snapshot, first } };
}

/** Whether two places say the same. */
export function isSamePlace(one: LogPlace, other: LogPlace): boolean {
  const asText = ({ hardState, snapshot, first, next }: LogPlace) =>
    JSON.stringify([hardState.term, hardState.vote, hardState.commit, snapshot, first, next]);
  return asText(one) === asText(other);
}

function checkHardState(old: HardState, { term, vote, commit }: HardState): void {
  const regressed = (what: string) => {
    throw new FileStorageError('hard-state-regressed', what);
  };
  if (!Number.isSafeInteger(term) || !Number.isSafeInteger(commit)) {
    throw invalid(`term ${term} or commit index ${commit} is no whole number`);
  }
  if (term < old.term) regressed(`term ${term} lies behind term ${old.term} on disk`);
  if (term === old.term && old.vote !== undefined && vote !== old.vote) {
    regressed(`the vote of term ${term} went to ${old.vote} and can't be changed`);
  }
  if (commit < old.commit) regressed(`commit index ${commit} lies behind ${old.commit} on disk`);
}

function checkEntries(place: LogPlace, committed: LogIndex, entries: readonly Entry[]): void {
  const first = entries[0]?.index ?? place.next;
  if (!Number.isSafeInteger(first) || first > place.next) {
    throw invalid(`entry ${first} does not follow the last one, ${place.next - 1}`);
  }
  const firm = Math.max(place.snapshot?.description.index ?? 0, place.first - 1, committed);
  if (first <= firm) throw invalid(`entry ${first} would overwrite what is committed, up to ${firm}`);
  let due = first;
  for (const { index } of entries) {
    if (index !== due) throw invalid(`entry ${index} came where ${due} was due`);
    due += 1;
  }
}

function invalid(what: string): FileStorageError {
  return new FileStorageError('invalid-batch', what);
}
