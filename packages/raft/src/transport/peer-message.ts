/** Everything that passes between two nodes: what the cores say, and proposals that are handed to the leader. */

import type { ProposalRefusal } from '../core/leader.ts';
import type { Message } from '../core/message.ts';
import type { MemberId } from '../core/types.ts';

/**
 * A proposal on its way to the leader. That it was applied the proposer sees in its own log; only a refusal is
 * answered.
 */
export interface ForwardedProposal {
  readonly type: 'proposal';
  readonly from: MemberId;
  readonly to: MemberId;
  /** Names this attempt among all of the proposer's. Never used twice. */
  readonly attempt: number;
  /** The command with its identity, as it will lie in the log. */
  readonly command: Uint8Array;
}

/** The leader did not take a proposal. It is not in the log by this attempt, and never will be. */
export interface ProposalRefused {
  readonly type: 'proposal-refused';
  readonly from: MemberId;
  readonly to: MemberId;
  readonly attempt: number;
  readonly reason: ProposalRefusal;
}

/** Any message between nodes. */
export type PeerMessage = Message | ForwardedProposal | ProposalRefused;
