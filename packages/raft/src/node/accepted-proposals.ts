/**
 * Proposals with an identity as the leader takes them, its own and those of others: one that is on its way to being
 * committed is not appended a second time, and an attempt that was refused once stays refused, though its message may
 * arrive twice.
 */

import type { ProposalRefusal } from '../core/leader.ts';
import type { RaftCore } from '../core/raft.ts';
import type { MemberId } from '../core/types.ts';
import { type ProposalIdentity, unwrap } from './command-envelope.ts';

/** Refused attempts that are remembered. A doubled message comes soon or not at all. */
const REFUSALS_KEPT = 4096;

/** Sessions of which nothing is open are forgotten beyond so many. */
const SESSIONS_KEPT = 64;

/** What a leader knows of proposals in its term. */
export class AcceptedProposals {
  readonly #core: RaftCore;
  /** Numbers by session. */
  readonly #open = new Map<string, Set<number>>();
  readonly #refusals = new Map<string, ProposalRefusal>();

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

  /** As {@link accept}, for an attempt of another member. */
  acceptFrom(from: MemberId, attempt: number, command: Uint8Array): ProposalRefusal | undefined {
    const name = `${from} ${attempt}`;
    const before = this.#refusals.get(name);
    if (before !== undefined) return before;
    const refusal = this.accept(command, unwrap(command).identity);
    if (refusal === undefined) return undefined;
    this.#refusals.set(name, refusal);
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size > REFUSALS_KEPT && oldest !== undefined) this.#refusals.delete(oldest);
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
