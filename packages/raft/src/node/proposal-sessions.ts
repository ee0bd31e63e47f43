/**
 * Which proposals have been applied, so that a retry is applied no second time. Part of the replicated state: every
 * member comes to the same answer at the same entry, and a snapshot carries it along.
 *
 * As in RIFL (Lee and others, SOSP 2015) a proposer says which of its numbers it will not ask about again. Sessions
 * that were silent for long are forgotten; a proposal that is so old that its session may have been is refused.
 */

import { Packr } from 'msgpackr';
import type { LogIndex } from '../core/types.ts';
import type { ProposalIdentity } from './command-envelope.ts';
import { RaftNodeError } from './errors.ts';

/** How a proposal with an identity stands at the entry that carries it. */
export type Admission =
  /** Apply it. */
  | { readonly kind: 'new' }
  /** It was applied before, there. */
  | { readonly kind: 'applied-before'; readonly index: LogIndex }
  /** Its proposer does not want it any more, or it is so old that nobody can tell. Not applied. */
  | { readonly kind: 'expired' };

interface Session {
  settled: number;
  lastUsed: LogIndex;
  readonly applied: Map<number, LogIndex>;
  /** How many may be remembered before those that are settled are looked for. */
  pruneAt: number;
}

/** Entries after which a session that was not used is forgotten. The same in every member, so not an option. */
export const SESSION_KEPT_ENTRIES = 100_000;

const SWEEP_EVERY = 10_000;
const PRUNE_LEAST = 256;
const packr = new Packr({ useRecords: false });

/** The table of sessions. */
export class ProposalSessions {
  #sessions = new Map<string, Session>();

  get size(): number {
    return this.#sessions.size;
  }

  /** Decides about the proposal at `index`, and remembers it if it is to be applied. */
  admit(index: LogIndex, identity: ProposalIdentity): Admission {
    const { session: name, number, settled, base } = identity;
    const known = this.#sessions.get(name);
    if (known === undefined && index - base > SESSION_KEPT_ENTRIES) return { kind: 'expired' };
    const session = known ?? newSession(1, index);
    session.lastUsed = index;
    if (known === undefined) this.#sessions.set(name, session);
    // First, so that it makes no difference when settled numbers are thrown away.
    if (number < session.settled) return { kind: 'expired' };
    const before = session.applied.get(number);
    if (before !== undefined) return { kind: 'applied-before', index: before };
    session.settled = Math.max(session.settled, settled);
    session.applied.set(number, index);
    if (session.applied.size >= session.pruneAt) prune(session);
    return { kind: 'new' };
  }

  /** Forgets sessions that were silent for long. To be called for each entry; acts at some of them. */
  passed(index: LogIndex): void {
    if (index % SWEEP_EVERY !== 0) return;
    for (const [name, { lastUsed }] of this.#sessions) {
      if (index - lastUsed > SESSION_KEPT_ENTRIES) this.#sessions.delete(name);
    }
  }

  /** The table as bytes, for a snapshot. */
  encode(): Uint8Array {
    const rows = [...this.#sessions].map(([name, session]) => {
      prune(session);
      const { settled, lastUsed, applied } = session;
      return [name, settled, lastUsed, [...applied].flat()];
    });
    return Uint8Array.from(packr.pack(rows));
  }

  /** Replaces the table. @throws RaftNodeError `corrupt-snapshot` if the bytes are none. */
  decode(bytes: Uint8Array): void {
    const sessions = new Map<string, Session>();
    for (const row of asArray(packr.unpack(bytes))) {
      const [name, settled, lastUsed, flat] = asArray(row);
      if (typeof name !== 'string' || typeof settled !== 'number' || typeof lastUsed !== 'number') damaged();
      const numbers = asArray(flat).map((each) => (typeof each === 'number' ? each : damaged()));
      const session = newSession(settled, lastUsed);
      for (let at = 0; at + 1 < numbers.length; at += 2) {
        session.applied.set(numbers[at] ?? 0, numbers[at + 1] ?? 0);
      }
      sessions.set(name, session);
    }
    this.#sessions = sessions;
  }
}

function newSession(settled: number, lastUsed: LogIndex): Session {
  return { settled, lastUsed, applied: new Map(), pruneAt: PRUNE_LEAST };
}

/** Throws away what is settled. Rarely enough that it costs little for each entry. */
function prune(session: Session): void {
  const { settled, applied } = session;
  for (const number of applied.keys()) if (number < settled) applied.delete(number);
  session.pruneAt = Math.max(PRUNE_LEAST, 2 * applied.size);
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : damaged();
}

function damaged(): never {
  throw new RaftNodeError('corrupt-snapshot', 'the table of proposals in a snapshot is damaged');
}
