/** Changes of Raft's configuration, one after the other, each tried again while another one is in its way. */

import { sleep } from '@skep/core/member';
import type { ChangeOutcome } from '@skep/raft';
import { isVoter, membersOf } from '@skep/raft';
import { NodeError } from '../errors.ts';
import type { ManagerContext } from './manager-context.ts';

/** Between two attempts, and how many there are. */
const AGAIN_MS = 50;
const ATTEMPTS = 100;
/** A new manager that has not caught up in this time is told so, in ms. */
const CATCH_UP_MS = 50_000;

/** What may pass by itself: a change before that is not committed yet. */
const PASSING: ReadonlySet<string> = new Set(['change-pending', 'not-ready', 'transferring']);

/** Changes who takes part in Raft. */
export class MemberChanges {
  readonly #context: Pick<ManagerContext, 'raft' | 'clock'>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(context: Pick<ManagerContext, 'raft' | 'clock'>) {
    this.#context = context;
  }

  /** Makes a member a voter with this address: added, or moved if it is one. @throws NodeError */
  add(member: string, address: string): Promise<void> {
    return this.#inTurn(async () => {
      const { raft } = this.#context;
      const { configuration } = raft.status;
      if (membersOf(configuration).includes(member) && configuration.addresses[member] !== address) {
        await this.#made(() => raft.changeMembers([{ kind: 'set-address', member, address }]));
      }
      if (isVoter(raft.status.configuration, member)) return;
      await this.#made(() => raft.addMember(member, { address, timeoutMs: CATCH_UP_MS }));
    });
  }

  /** Ends a membership for good. One that is over already is no error. @throws NodeError */
  remove(member: string): Promise<void> {
    return this.#inTurn(async () => {
      const { raft } = this.#context;
      if (!membersOf(raft.status.configuration).includes(member)) return;
      await this.#made(() => raft.removeMember(member));
    });
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run, run);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #made(change: () => Promise<ChangeOutcome>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await change();
      if (outcome.kind === 'committed') return;
      const { reason, message } = outcome;
      const mayPass = outcome.kind === 'rejected' && PASSING.has(reason) && attempt < ATTEMPTS;
      if (!mayPass) throw refusal(outcome.kind, reason, message);
      await sleep(this.#context.clock, AGAIN_MS);
    }
  }
}

function refusal(kind: 'rejected' | 'unknown', reason: string, message: string): NodeError {
  if (kind === 'unknown') return new NodeError('CONNECTION_LOST', message);
  if (reason === 'not-leader' || reason === 'closed') return new NodeError('NOT_LEADER', message);
  if (reason === 'not-caught-up') return new NodeError('DEADLINE_EXCEEDED', message);
  return new NodeError('BUSY', `${reason}: ${message}`);
}
