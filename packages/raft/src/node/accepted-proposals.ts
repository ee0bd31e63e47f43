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

/** What a leader knows of proposals in its term. */
export class AcceptedProposals {
  readonly #core: RaftCore;
  readonly #open = new Set<string>();
  readonly #refusals = new Map<string, ProposalRefusal>();

  constructor(core: RaftCore) {
    this.#core = core;
  }

  /** Appends the command if this member leads. @returns why not, or undefined. */
  accept(command: Uint8Array): ProposalRefusal | undefined {
    const { identity } = unwrap(command);
    const key = identity === undefined ? undefined : keyOf(identity);
    if (key !== undefined && this.#open.has(key) && this.#core.status.role === 'leader') return undefined;
    const result = this.#core.propose([command]);
    if (!result.ok) return result.reason;
    if (key !== undefined) this.#open.add(key);
    return undefined;
  }

  /** As {@link accept}, for an attempt of another member. */
  acceptFrom(from: MemberId, attempt: number, command: Uint8Array): ProposalRefusal | undefined {
    const name = `${from} ${attempt}`;
    const before = this.#refusals.get(name);
    if (before !== undefined) return before;
    const refusal = this.accept(command);
    if (refusal === undefined) return undefined;
    this.#refusals.set(name, refusal);
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size > REFUSALS_KEPT && oldest !== undefined) this.#refusals.delete(oldest);
    return refusal;
  }

  applied(identity: ProposalIdentity): void {
    // Followers have none open, and shall not pay for each entry.
    if (this.#open.size > 0) this.#open.delete(keyOf(identity));
  }

  /** The term is over: what was open may be lost, and has to be taken anew. */
  termEnded(): void {
    this.#open.clear();
  }
}

function keyOf({ session, number }: ProposalIdentity): string {
  return `${session} ${number}`;
}
