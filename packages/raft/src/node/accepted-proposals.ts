/**
 * Proposals with an identity as the leader takes them, its own and those of others: one that is on its way to being
 * committed is not appended a second time, and what an attempt was told first stays true, though its message may arrive
 * twice.
 */

import type { ProposalRefusal } from '../core/leader.ts';
import type { RaftCore } from '../core/raft.ts';
import type { MemberId } from '../core/types.ts';
import { type ProposalIdentity, unwrap } from './command-envelope.ts';

/** Attempts that are remembered. A doubled message comes soon or not at all. */
const ATTEMPTS_KEPT = 4096;

/** Sessions of which nothing is open are forgotten beyond so many. */
const SESSIONS_KEPT = 64;

/** What a leader knows of proposals in its term. */
export class AcceptedProposals {
  readonly #core: RaftCore;
  /** Numbers by session. */
  readonly #open = new Map<string, Set<number>>();
  /** Why each was refused; undefined if it was taken. */
  readonly #attempts = new Map<string, ProposalRefusal | undefined>();

  constructor(core: RaftCore) {
    this.#core = core;
  }

  /** Appends the command if this member leads. @returns why not, or undefined. */
  accept(command: Uint8Array, identity: ProposalIdentity | undefined): ProposalRefusal | undefined {
    const open = identity === undefined ? undefined : this.#open.get(identity.session);
    const isOpen = identity !== undefined && open?.has(identity.number);
    if (isOpen && this.#core.ledTerm !== undefined) return undefined;
    const result = this.#core.propose([command]);
    if (!result.ok) return result.reason;
    if (identity === undefined) return undefined;
    if (open === undefined) this.#open.set(identity.session, new Set([identity.number]));
    else open.add(identity.number);
    return undefined;
  }

  /**
   * As {@link accept}, for an attempt of another member. One that was taken is never refused later: its proposer would
   * believe that the command is certainly not in the log.
   *
   * @param isFull - there is no room for anything new.
   */
  acceptFrom(
    from: MemberId,
    attempt: number,
    command: Uint8Array,
    isFull: boolean,
  ): ProposalRefusal | undefined {
    const name = `${from} ${attempt}`;
    if (this.#attempts.has(name)) return this.#attempts.get(name);
    const refusal = isFull ? 'busy' : this.accept(command, unwrap(command).identity);
    this.#attempts.set(name, refusal);
    if (this.#attempts.size <= ATTEMPTS_KEPT) return refusal;
    const [oldest] = this.#attempts.keys();
    if (oldest !== undefined) this.#attempts.delete(oldest);
    return refusal;
  }

  applied({ session, number }: ProposalIdentity): void {
    const open = this.#open.get(session);
    // What is open again a moment later keeps its set.
    if (open?.delete(number) && open.size === 0 && this.#open.size > SESSIONS_KEPT)
      this.#open.delete(session);
  }

  /** The term is over: what was open may be lost, and has to be taken anew. */
  termEnded(): void {
    this.#open.clear();
  }
}
