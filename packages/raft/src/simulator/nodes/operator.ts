/**
 * Who runs the cluster: adds and removes members, hands leadership over, brings back what went down, and replaces, under
 * a new id, a member whose disk has rotted.
 */

import type { MemberChange, Transition } from '../../core/membership.ts';
import { membersOf } from '../../core/membership.ts';
import type { Configuration, MemberId } from '../../core/types.ts';
import type { RandomStream } from '../seeded-random.ts';
import type { NodeWorld } from './node-world.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** More ids than this are not given out in one simulation. */
const MEMBERS_MAX = 10;

/** Acts on the members of a world through the methods that a node has for it. */
export class Operator {
  readonly #world: NodeWorld;
  readonly #random: RandomStream;
  /** A replacement is under way. */
  #isReplacing = false;

  constructor(world: NodeWorld, random: RandomStream) {
    this.#world = world;
    this.#random = random;
  }

  up(): SimulatedNode[] {
    return [...this.#world.members.values()].filter((member) => member.isUp);
  }

  leaders(): SimulatedNode[] {
    return this.up().filter((member) => member.core?.status.role === 'leader');
  }

  /** Members that a process could be started on. */
  down(): SimulatedNode[] {
    return [...this.#world.members.values()].filter(({ state }) => state === 'down' || state === 'failed');
  }

  damaged(): SimulatedNode[] {
    return [...this.#world.members.values()].filter(({ state }) => state === 'damaged');
  }

  /** Brings one back. What has failed is given up first. */
  restart(member: SimulatedNode): void {
    if (member.state === 'failed') this.#world.crash(member, 'kill');
    this.#world.start(member);
  }

  /** A bit may rot only where enough is left: of three voters or more, one, and never while members change. */
  mayRot(member: SimulatedNode): boolean {
    const leader = this.leaders()[0]?.core?.status;
    if (leader === undefined || [...this.#world.members.values()].some(({ isRotten }) => isRotten))
      return false;
    const { configuration, configurationIndex, committed } = leader;
    return (
      configuration.voters.length >= 3 &&
      configuration.outgoing.length === 0 &&
      configurationIndex <= committed &&
      [...this.#world.members.values()].every(
        ({ core }) => core === undefined || core.status.configurationIndex <= configurationIndex,
      ) &&
      configuration.voters.includes(member.id)
    );
  }

  /** Members come, go, and are promoted and demoted. */
  changeMembers(leader: SimulatedNode): void {
    const { core, running } = leader;
    if (core === undefined || running === undefined) return;
    const { configuration } = core.status;
    const changes = new Map<MemberId, MemberChange>();
    for (let count = this.#random.between(1, 3); count > 0; count--) {
      const change = this.#wish(configuration);
      if (change !== undefined) changes.set(change.member, change);
    }
    const transition: Transition =
      this.#random.pick(['automatic', 'automatic', 'joint'] as const) ?? 'automatic';
    this.#change(leader, [...changes.values()], transition);
  }

  /** One whose disk has rotted is replaced, if a leader is there to do it. */
  replaceDamaged(): void {
    const leader = this.leaders()[0];
    const damaged = this.damaged().find(({ id }) => {
      const configuration = leader?.core?.status.configuration;
      return configuration !== undefined && membersOf(configuration).includes(id);
    });
    const fresh = this.#freshId(leader?.core?.status.configuration);
    if (leader?.running === undefined || damaged === undefined || this.#isReplacing) return;
    const { node } = leader.running;
    const { life } = leader;
    this.#world.touch(leader);
    const remove = () => {
      this.#isReplacing = false;
      if (leader.life !== life) return;
      this.#world.touch(leader);
      void node.removeMember(damaged.id).then(({ kind }) => {
        if (kind === 'committed') this.#world.tally.add('members replaced under a new id');
      });
    };
    if (fresh === undefined) {
      remove();
      return;
    }
    this.#isReplacing = true;
    this.#world.trace(() => `${damaged.id} is to be replaced by ${fresh}`);
    this.#world.add(fresh);
    // Nobody answers if the leader dies.
    this.#world.queue.plan(3000, () => {
      this.#isReplacing = false;
    });
    void node.addMember(fresh, { timeoutMs: 2000 }).then(remove);
  }

  /** Leadership is handed over. */
  transfer(leader: SimulatedNode): void {
    const { running, life } = leader;
    const target = this.#random.pick([...this.#world.members.keys()]);
    if (running === undefined || target === undefined) return;
    this.#world.touch(leader);
    this.#world.tally.add('transfers asked for');
    void running.node.transferLeadership(target).then(({ kind }) => {
      if (leader.life === life)
        this.#world.tally.add(`transfers ${kind === 'transferred' ? 'done' : 'refused'}`);
    });
  }

  /** A snapshot is taken. */
  snapshot(member: SimulatedNode): void {
    this.#world.touch(member);
    member.running?.node.snapshot({ discard: this.#random.chance(0.2) }).catch(() => {});
  }

  #change(leader: SimulatedNode, changes: readonly MemberChange[], transition: Transition): void {
    const { running, life } = leader;
    if (running === undefined || changes.length === 0) return;
    const { tally } = this.#world;
    const before = leader.core?.status.configurationIndex;
    this.#world.touch(leader);
    void running.node.changeMembers(changes, transition).then(({ kind }) => {
      if (leader.life === life) tally.add(`configuration changes ${kind}`);
    });
    if (leader.core?.status.configurationIndex === before) return;
    this.#world.trace(() => `${leader.id} changes ${JSON.stringify(changes)}`);
    tally.add('configuration changes begun');
    for (const { kind, member } of changes) {
      if (kind !== 'remove' && !this.#world.members.has(member)) this.#world.add(member);
    }
  }

  #wish({ voters, outgoing, learners, removed }: Configuration): MemberChange | undefined {
    const random = this.#random;
    const known = [...new Set([...voters, ...outgoing, ...learners])];
    const fresh = Array.from({ length: MEMBERS_MAX }, (_, at) => `n${at + 1}`).find(
      (id) => !known.includes(id) && !removed.includes(id) && this.#world.members.get(id)?.isRotten !== true,
    );
    const someone = random.pick(known);
    // While one disk is lost no voter may go or lose its vote: the others are needed.
    const isOneLost = [...this.#world.members.values()].some(
      ({ id, isRotten }) => isRotten && known.includes(id),
    );
    switch (random.between(0, 3)) {
      case 0:
        return fresh === undefined ? undefined : { kind: 'add-voter', member: fresh };
      case 1:
        return fresh === undefined ? undefined : { kind: 'add-learner', member: fresh };
      case 2:
        if (someone === undefined) return undefined;
        if (learners.includes(someone)) return { kind: 'add-voter', member: someone };
        return isOneLost ? undefined : { kind: 'add-learner', member: someone };
      default:
        return someone === undefined || known.length < 3 || isOneLost
          ? undefined
          : { kind: 'remove', member: someone };
    }
  }

  #freshId(configuration: Configuration | undefined): MemberId | undefined {
    return Array.from({ length: MEMBERS_MAX + 4 }, (_, at) => `n${at + 1}`).find(
      (id) => !this.#world.members.has(id) && configuration?.removed.includes(id) !== true,
    );
  }
}
