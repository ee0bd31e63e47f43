/** What clients, operators and misfortune do to a simulated cluster, chosen by the seed. */

import type { MemberChange } from '../../core/membership.ts';
import { membersOf } from '../../core/membership.ts';
import type { MemberId } from '../../core/types.ts';
import type { ActionName } from '../plan.ts';
import { ACTION_NAMES, TICK } from '../plan.ts';
import type { RandomStream } from '../seeded-random.ts';
import type { SimulatedMember } from './simulated-member.ts';
import type { World } from './world.ts';

/** More ids than this are not given out in one simulation. */
const MEMBERS_MAX = 9;

/** Acts on a world. */
export class Actions {
  readonly #world: World;
  readonly #random: RandomStream;
  #commands = 0;

  constructor(world: World, random: RandomStream) {
    this.#world = world;
    this.#random = random;
  }

  /** Plans the next action, and so on for ever, until the faults are over. */
  begin(): void {
    const { queue, plan } = this.#world;
    this.#world.onLeader = () => this.#pressOn();
    this.#continue(queue, plan);
  }

  /** A leader was elected, and another may not know: commit at the one, and read at the other. */
  #pressOn(): void {
    if (this.#world.areFaultsOver) return;
    for (let half = 1; half <= 24; half++) {
      this.#world.queue.plan((half * TICK) / 2, () => {
        if (this.#world.areFaultsOver) return;
        const leaders = [...this.#world.members.values()]
          .filter((member) => member.core?.status.role === 'leader')
          .sort((a, b) => (a.core?.status.term ?? 0) - (b.core?.status.term ?? 0));
        const newest = leaders[leaders.length - 1];
        if (leaders.length > 1) this.#world.tally.add('moments with two leaders');
        if ((leaders[0]?.core?.status.committed ?? 0) < this.#world.invariants.committedUpTo)
          this.#world.tally.add('moments with a leader that is behind');
        if (newest?.isUp) this.#propose(newest, 1);
        const oldest = leaders[0];
        if (oldest !== undefined && oldest !== newest) this.#world.read(oldest, this.#random.chance(0.5));
      });
    }
  }

  #continue(queue: World['queue'], plan: World['plan']): void {
    queue.plan(1 + this.#random.exponential(plan.actionMean), () => {
      if (this.#world.areFaultsOver) return;
      this.#act(this.#choose());
      this.#continue(queue, plan);
    });
  }

  /** Asks one leader, if there is any, to commit something new. Returns its index. */
  proposeFresh(): number | undefined {
    const leader = this.#leaders()[0];
    if (leader === undefined) return undefined;
    return this.#propose(leader, 1);
  }

  #choose(): ActionName {
    const { weights } = this.#world.plan;
    let left = this.#random.next() * ACTION_NAMES.reduce((sum, name) => sum + weights[name], 0);
    for (const name of ACTION_NAMES) {
      left -= weights[name];
      if (left < 0) return name;
    }
    return 'propose';
  }

  #up(): SimulatedMember[] {
    return [...this.#world.members.values()].filter((member) => member.isUp);
  }

  #leaders(): SimulatedMember[] {
    return this.#up().filter((member) => member.core?.status.role === 'leader');
  }

  #act(name: ActionName): void {
    const world = this.#world;
    const random = this.#random;
    const anyone = random.pick(this.#up());
    const leader = random.pick(this.#leaders()) ?? anyone;
    switch (name) {
      case 'propose':
        if (leader !== undefined) this.#propose(leader, random.between(1, 3));
        return;
      case 'read': {
        const reader = random.chance(0.6) ? leader : anyone;
        if (reader !== undefined) world.read(reader, random.chance(0.5));
        return;
      }
      case 'snapshot':
        if (anyone !== undefined) world.snapshot(anyone);
        return;
      case 'crash': {
        const victim = random.chance(0.4) ? leader : anyone;
        if (victim === undefined) return;
        if (random.chance(0.5)) victim.isDoomed = true;
        else world.crash(victim);
        return;
      }
      case 'restart': {
        const down = [...world.members.values()].filter((member) => member.core === undefined);
        const member = random.pick(down);
        if (member !== undefined) world.start(member);
        return;
      }
      case 'pause':
        if (leader !== undefined) this.#pause(random.chance(0.5) ? leader : (anyone ?? leader));
        return;
      case 'transfer': {
        const target = random.pick([...world.members.keys()]);
        if (leader?.core === undefined || target === undefined) return;
        if (leader.core.transferLeadership(target).ok) {
          world.tally.add('transfers begun');
          if (random.chance(0.4)) this.#isolateSoon(leader);
        }
        world.turn(leader);
        return;
      }
      case 'campaign':
        if (anyone?.core?.campaign() === true) world.turn(anyone);
        return;
      case 'change-members':
        if (leader !== undefined) this.#changeMembers(leader);
        return;
      case 'leave-joint':
        if (leader?.core === undefined) return;
        if (leader.core.leaveJoint().ok) world.tally.add('joint configurations left by hand');
        world.turn(leader);
        return;
      default:
        this.#disturbNetwork(name, leader);
    }
  }

  #propose(member: SimulatedMember, count: number): number | undefined {
    const world = this.#world;
    const payloads = Array.from({ length: count }, () => new TextEncoder().encode(`c${++this.#commands}`));
    const result = member.core?.propose(payloads);
    world.turn(member);
    if (result?.ok !== true) return undefined;
    world.tally.add('commands proposed', count);
    return result.last;
  }

  /** Cut off just when it has told another to take over. */
  #isolateSoon(leader: SimulatedMember): void {
    const world = this.#world;
    world.queue.plan(this.#random.between(0, 2 * TICK), () => {
      if (world.areFaultsOver) return;
      world.tally.add('network: isolate-leader');
      for (const id of world.members.keys()) this.#cutBoth(leader.id, id);
    });
  }

  #pause(member: SimulatedMember): void {
    const world = this.#world;
    const { life } = member;
    world.tally.add('pauses');
    world.pause(member);
    world.queue.plan(this.#random.between(1, 60) * TICK, () => {
      if (member.life === life) world.resume(member);
    });
  }

  #changeMembers(leader: SimulatedMember): void {
    const world = this.#world;
    const random = this.#random;
    const { core } = leader;
    if (core === undefined) return;
    const { configuration } = core.status;
    const known = membersOf(configuration);
    const changes = new Map<MemberId, MemberChange>();
    for (let count = random.between(1, 3); count > 0; count--) {
      const change = this.#wish(known, configuration.learners, configuration.removed);
      if (change !== undefined) changes.set(change.member, change);
    }
    const result = core.changeConfiguration(
      [...changes.values()],
      random.pick(['automatic', 'automatic', 'joint', 'joint-until-left'] as const),
    );
    if (result.ok) {
      world.tally.add('configuration changes begun');
      if (core.status.configuration.outgoing.length > 0) world.tally.add('joint configurations entered');
      world.trace(() => `${leader.id} changes ${JSON.stringify([...changes.values()])}`);
      for (const { kind, member } of changes.values()) {
        if (kind !== 'remove' && !world.members.has(member)) world.add(member);
      }
    }
    world.turn(leader);
  }

  #wish(
    known: readonly MemberId[],
    learners: readonly MemberId[],
    removed: readonly MemberId[],
  ): MemberChange | undefined {
    const random = this.#random;
    const fresh = Array.from({ length: MEMBERS_MAX }, (_, at) => `n${at + 1}`).find(
      (id) => !known.includes(id) && !removed.includes(id),
    );
    const someone = random.pick(known);
    switch (random.between(0, 3)) {
      case 0:
        return fresh === undefined ? undefined : { kind: 'add-voter', member: fresh };
      case 1:
        return fresh === undefined ? undefined : { kind: 'add-learner', member: fresh };
      case 2:
        if (someone === undefined) return undefined;
        return { kind: learners.includes(someone) ? 'add-voter' : 'add-learner', member: someone };
      default:
        return someone === undefined || known.length < 3 ? undefined : { kind: 'remove', member: someone };
    }
  }

  #disturbNetwork(name: ActionName, leader: SimulatedMember | undefined): void {
    const { network, tally } = this.#world;
    const random = this.#random;
    const ids = [...this.#world.members.keys()];
    this.#world.trace(() => `the network: ${name}`);
    tally.add(`network: ${name}`);
    switch (name) {
      case 'heal':
        network.heal();
        return;
      case 'isolate-leader':
        if (leader === undefined) return;
        for (const id of ids) this.#cutBoth(leader.id, id);
        if (this.#world.plan.clocksStop && random.chance(0.7)) {
          // It does not notice, and goes on leading while another is elected.
          tally.add('clocks stopped');
          leader.clockStopsUntil = this.#world.queue.now + random.between(10, 60) * TICK;
        }
        return;
      case 'cut-one-way': {
        const [from, to] = [random.pick(ids), random.pick(ids)];
        if (from !== undefined && to !== undefined) network.cut(from, to);
        return;
      }
      case 'partition': {
        const side = ids.filter(() => random.chance(0.5));
        for (const a of side) for (const b of ids) if (!side.includes(b)) this.#cutBoth(a, b);
        return;
      }
      case 'bridge': {
        // The leader reaches one member only, which reaches everyone.
        const bridge = random.pick(ids);
        for (const id of ids) {
          if (leader !== undefined && id !== bridge && id !== leader.id) this.#cutBoth(leader.id, id);
        }
        return;
      }
      default:
        return;
    }
  }

  #cutBoth(a: MemberId, b: MemberId): void {
    this.#world.network.cut(a, b);
    this.#world.network.cut(b, a);
  }
}
