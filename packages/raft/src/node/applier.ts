/**
 * Brings committed entries to the state machine, in order, in slices that let the event loop breathe, with the
 * replacement of the whole state by a snapshot in its place among them. It decides nothing but which proposals are
 * repetitions.
 */

import type { Entry, LogIndex, SnapshotDescription } from '../core/types.ts';
import type { ProposalIdentity } from './command-envelope.ts';
import { unwrap } from './command-envelope.ts';
import type { RaftClock } from './ports.ts';
import type { Admission, ProposalSessions } from './proposal-sessions.ts';
import type { RaftStateMachine } from './state-machine.ts';

/** What the applier sits between. */
export interface ApplierParts {
  readonly machine: RaftStateMachine;
  readonly sessions: ProposalSessions;
  readonly clock: RaftClock;
  readonly restore: (snapshot: SnapshotDescription) => Promise<void>;
  /** After each entry; with what became of the proposal that it carried, if it has an identity. */
  readonly onEntry: (entry: Entry, identity?: ProposalIdentity, admission?: Admission) => void;
  /** After each slice. */
  readonly onApplied: (index: LogIndex) => void;
  readonly onFailure: (error: unknown) => void;
}

type Work =
  | { readonly kind: 'entries'; readonly entries: readonly Entry[]; next: number }
  | { readonly kind: 'restore'; readonly snapshot: SnapshotDescription };

const SLICE_ENTRIES = 2048;
const SLICE_MS = 8;
const CLOCK_EVERY = 64;

/** One queue, one worker. */
export class Applier {
  readonly #parts: ApplierParts;
  #queue: Work[] = [];
  #isBusy = false;
  #isStopped = false;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
  }

  /** Adds what a `Ready` has handed out; the snapshot comes before the entries. */
  add(snapshot: SnapshotDescription | undefined, entries: readonly Entry[]): void {
    if (snapshot !== undefined) this.#queue.push({ kind: 'restore', snapshot });
    if (entries.length > 0) this.#queue.push({ kind: 'entries', entries, next: 0 });
    this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue = [];
  }

  #run(): void {
    const { clock, restore, onApplied, onFailure } = this.#parts;
    const work = this.#queue[0];
    if (work === undefined || this.#isBusy || this.#isStopped) return;
    this.#isBusy = true;
    const goOn = () => {
      this.#isBusy = false;
      this.#run();
    };
    if (work.kind === 'restore') {
      this.#queue.shift();
      restore(work.snapshot).then(() => {
        if (this.#isStopped) return;
        onApplied(work.snapshot.index);
        goOn();
      }, onFailure);
      return;
    }
    try {
      const last = this.#applySlice(work);
      if (work.next >= work.entries.length) this.#queue.shift();
      onApplied(last);
    } catch (error) {
      onFailure(error);
      return;
    }
    if (this.#queue.length === 0) this.#isBusy = false;
    else clock.defer(goOn);
  }

  #applySlice(work: Extract<Work, { kind: 'entries' }>): LogIndex {
    const { clock } = this.#parts;
    const end = Math.min(work.entries.length, work.next + SLICE_ENTRIES);
    const began = clock.monotonic();
    let last: LogIndex = 0;
    while (work.next < end) {
      const entry = work.entries[work.next];
      if (entry === undefined) break;
      this.#apply(entry);
      last = entry.index;
      work.next++;
      if (work.next % CLOCK_EVERY === 0 && clock.monotonic() - began > SLICE_MS) break;
    }
    return last;
  }

  #apply(entry: Entry): void {
    const { machine, sessions, onEntry } = this.#parts;
    const { index, term } = entry;
    sessions.passed(index);
    if (entry.kind !== 'command') {
      onEntry(entry);
      return;
    }
    const { identity, payload } = unwrap(entry.payload);
    const admission = identity === undefined ? undefined : sessions.admit(index, identity);
    if (admission === undefined || admission.kind === 'new') machine.apply({ index, term, payload });
    onEntry(entry, identity, admission);
  }
}
