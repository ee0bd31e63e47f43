/** Which managers take part in Raft: changed at whoever leads, tried again until it is committed. */

import { sleep } from '@skep/core/member';
import { isVoter, membersOf } from '@skep/raft';
import type { SimulatedManager } from './simulated-manager.ts';
import type { World } from './world.ts';

/** Between two attempts, in ms; and how long a new member has to catch up before it is tried again. */
const AGAIN_MS = 200;
const CATCH_UP_MS = 10_000;

type Raft = NonNullable<SimulatedManager['raft']>;

/** Changes Raft's members. */
export class Membership {
  readonly #world: World;
  readonly #leading: () => SimulatedManager | undefined;

  constructor(world: World, leading: () => SimulatedManager | undefined) {
    this.#world = world;
    this.#leading = leading;
  }

  /** Resolves once the member votes. */
  async add(member: string): Promise<void> {
    await this.#until(async (raft) => {
      if (isSettled(raft) && isVoter(raft.status.configuration, member)) return true;
      return (await raft.addMember(member, { timeoutMs: CATCH_UP_MS })).kind === 'committed';
    });
  }

  /** Resolves once the member takes part no more. A leader hands over first. */
  async remove(member: string): Promise<void> {
    await this.#until(async (raft, leader) => {
      if (isSettled(raft) && !membersOf(raft.status.configuration).includes(member)) return true;
      if (leader === member) {
        await raft.transferLeadership();
        return false;
      }
      return (await raft.removeMember(member)).kind === 'committed';
    });
  }

  async #until(isDone: (raft: Raft, leader: string) => Promise<boolean>): Promise<void> {
    for (;;) {
      const leader = this.#leading();
      if (leader?.raft !== undefined && !leader.isPaused && (await isDone(leader.raft, leader.name))) return;
      await sleep(this.#world.clock, AGAIN_MS);
    }
  }
}

/** The newest configuration that a leader has is committed: it can't be taken back. */
function isSettled(raft: Raft): boolean {
  const { configurationIndex, committed } = raft.coreStatus;
  return configurationIndex <= committed;
}
