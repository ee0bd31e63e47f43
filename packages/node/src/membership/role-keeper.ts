/**
 * Keeps Raft's members to what the list of nodes says: whoever is no manager any more, or no node, is taken out. It
 * works at the leader alone, and finishes there what a leader before has begun. A leader that is to go hands over.
 */

import type { CancelTimer } from '@skep/core';
import { membersOf } from '@skep/raft';
import { NodeError } from '../errors.ts';
import { nodeOfMember } from '../security/identity.ts';
import type { ManagerContext } from './manager-context.ts';
import type { MemberChanges } from './member-changes.ts';
import { roleOf } from './news-desk.ts';

/** What failed is tried again after so long, in ms. */
const AGAIN_MS = 1_000;

/** Takes out of Raft who should not be in it. */
export class RoleKeeper {
  readonly #context: ManagerContext;
  readonly #changes: MemberChanges;
  readonly #stops: (() => void)[];
  #isBusy = false;
  #isMarked = false;
  #isClosed = false;
  #cancelTimer: CancelTimer = () => {};

  constructor(context: ManagerContext, changes: MemberChanges) {
    this.#context = context;
    this.#changes = changes;
    const nodes = context.cluster.watch({ kind: 'node' }).subscribe(() => this.#mark());
    this.#stops = [() => nodes.unsubscribe(), context.raft.onStatus(() => this.#mark())];
    this.#mark();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    for (const stop of this.#stops) stop();
  }

  #mark(): void {
    this.#isMarked = true;
    if (!this.#isBusy && !this.#isClosed) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    this.#cancelTimer();
    try {
      while (this.#isMarked && !this.#isClosed) {
        this.#isMarked = false;
        await this.#reconcile();
      }
    } catch (error) {
      this.#context.logger.warn({ err: error }, 'could not take a member out of Raft; trying again');
      this.#cancelTimer = this.#context.clock.setTimer(AGAIN_MS, () => this.#mark());
    } finally {
      this.#isBusy = false;
    }
  }

  async #reconcile(): Promise<void> {
    const { raft, memberId, logger } = this.#context;
    // Not whether the cluster's loops run already: that comes a moment later, and nobody would tell of it.
    if (!raft.status.isServing) return;
    const stale = membersOf(raft.status.configuration).filter(
      (member) => roleOf(this.#context, nodeOfMember(member)) !== 'manager',
    );
    for (const member of stale) {
      if (!raft.status.isServing) return;
      logger.info({ member }, 'takes a member out of Raft whose node is no manager');
      if (member !== memberId) await this.#changes.remove(member);
      else await this.#handOver();
    }
  }

  /** @throws NodeError `BUSY` if nobody took it: it is tried again. */
  async #handOver(): Promise<void> {
    const outcome = await this.#context.raft.transferLeadership();
    if (outcome.kind === 'refused') throw new NodeError('BUSY', `could not hand over: ${outcome.reason}`);
  }
}
