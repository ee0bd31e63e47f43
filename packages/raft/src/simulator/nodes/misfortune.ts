/** What happens to nodes, chosen by the seed: to their processes, clocks, disks and links, and by who runs them. */

import { TICK } from '../plan.ts';
import type { RandomStream } from '../seeded-random.ts';
import { randomStream } from '../seeded-random.ts';
import type { Clients } from './clients.ts';
import type { NodeAction } from './node-plan.ts';
import { NODE_ACTIONS } from './node-plan.ts';
import type { NodeWorld } from './node-world.ts';
import type { Operator } from './operator.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** Calls of the disk within which a doomed process dies: a write, a snapshot, a start have about as many. */
const DOOM_CALLS = 25;

/** Acts on a world. */
export class Misfortune {
  readonly #world: NodeWorld;
  readonly #operator: Operator;
  readonly #clients: Clients;
  readonly #random: RandomStream;
  readonly #roomRandom: RandomStream;

  constructor(world: NodeWorld, operator: Operator, clients: Clients, seed: number) {
    this.#world = world;
    this.#operator = operator;
    this.#clients = clients;
    this.#random = randomStream(seed, 'misfortune');
    this.#roomRandom = randomStream(seed, 'room');
  }

  /** Plans the next action, and so on, until the faults are over. */
  begin(): void {
    this.#world.onOccasion = (member, what) => this.#pressOn(member, what);
    this.#continue();
  }

  #continue(): void {
    const { queue, plan } = this.#world;
    queue.plan(1 + this.#random.exponential(plan.actionMean), () => {
      if (this.#world.areFaultsOver) return;
      this.#act(this.#choose());
      this.#operator.replaceDamaged();
      this.#continue();
    });
  }

  #choose(): NodeAction {
    const { weights } = this.#world.plan;
    let left = this.#random.next() * NODE_ACTIONS.reduce((sum, name) => sum + weights[name], 0);
    for (const name of NODE_ACTIONS) {
      left -= weights[name];
      if (left < 0) return name;
    }
    return 'heal';
  }

  /** A leader was elected, or one has woken, and others may not know: commit at the one, and read at the other. */
  #pressOn(member: SimulatedNode, what: 'leads' | 'wakes'): void {
    if (this.#world.areFaultsOver) return;
    const { queue, tally } = this.#world;
    if (what === 'wakes') {
      this.#clients.press(member, true);
      return;
    }
    for (let round = 1; round <= 6; round++) {
      queue.plan(round * TICK, () => {
        if (this.#world.areFaultsOver) return;
        const leaders = this.#operator.leaders();
        leaders.sort((a, b) => (a.core?.status.term ?? 0) - (b.core?.status.term ?? 0));
        if (leaders.length < 2) return;
        tally.add('moments with two leaders');
        const newest = leaders.at(-1);
        const [oldest] = leaders;
        if (newest !== undefined) this.#clients.set(newest, () => {});
        if (oldest !== undefined) this.#clients.press(oldest, this.#random.chance(0.5));
      });
    }
  }

  #act(name: NodeAction): void {
    const world = this.#world;
    const random = this.#random;
    const operator = this.#operator;
    const anyone = random.pick(operator.up());
    const leader = random.pick(operator.leaders()) ?? anyone;
    switch (name) {
      case 'snapshot':
        if (anyone !== undefined) operator.snapshot(anyone);
        return;
      case 'crash':
        this.#crash(leader, anyone);
        return;
      case 'restart': {
        const member = random.pick(operator.down());
        if (member === undefined) return;
        operator.restart(member);
        if (random.chance(0.2)) this.#doom(member);
        return;
      }
      case 'stop':
        if (anyone !== undefined) world.stop(anyone);
        return;
      case 'pause': {
        const member = random.chance(0.5) ? leader : anyone;
        if (member !== undefined) this.#pause(member);
        return;
      }
      case 'transfer':
        if (leader === undefined) return;
        operator.transfer(leader);
        if (random.chance(0.4)) {
          world.queue.plan(random.between(0, 2 * TICK), () => this.#isolate(leader));
        }
        return;
      case 'campaign':
        // Nodes campaign by themselves only: a leader that is cut off makes them.
        if (leader !== undefined) this.#isolate(leader);
        return;
      case 'change-members':
        if (leader !== undefined) operator.changeMembers(leader);
        return;
      case 'clock-leaps':
        if (anyone === undefined) return;
        world.tally.add('clocks that leapt ahead');
        anyone.clock.leap(random.between(TICK, 100 * TICK));
        return;
      default:
        if (!this.#disturbDisk(name, anyone)) this.#disturbNetwork(name, leader);
    }
  }

  #crash(leader: SimulatedNode | undefined, anyone: SimulatedNode | undefined): void {
    const random = this.#random;
    const starting = random.pick(
      [...this.#world.members.values()].filter(({ state }) => state === 'starting'),
    );
    const victim = random.chance(0.4) ? leader : (starting ?? anyone);
    if (victim === undefined) return;
    if (random.chance(0.6)) this.#doom(victim);
    else this.#world.crash(victim, random.chance(0.7) ? 'power' : 'kill');
  }

  /** It dies at some call of its disk: within a write, a snapshot, a renaming, a start. */
  #doom(victim: SimulatedNode): void {
    const random = this.#random;
    victim.doom = { left: random.between(1, DOOM_CALLS), how: random.chance(0.7) ? 'power' : 'kill' };
  }

  #pause(member: SimulatedNode): void {
    const world = this.#world;
    const { life } = member;
    world.pause(member);
    world.queue.plan(this.#random.between(1, 60) * TICK, () => {
      if (member.life === life) world.resume(member);
    });
  }

  #disturbDisk(name: NodeAction, anyone: SimulatedNode | undefined): boolean {
    const { tally } = this.#world;
    const random = this.#random;
    switch (name) {
      case 'sync-fails':
      case 'write-fails':
        if (anyone === undefined) return true;
        this.#failNext(anyone, name);
        this.#world.trace(() => `the disk of ${anyone.id}: ${name}`);
        return true;
      case 'disk-fills':
        if (anyone === undefined) return true;
        anyone.machineDisk.leaveRoom(random.between(0, 3000));
        anyone.isDiskFull = true;
        tally.add('disks that fill up');
        this.#world.trace(() => `the disk of ${anyone.id} fills up`);
        return true;
      case 'disk-is-freed':
        for (const member of this.#world.members.values()) member.machineDisk.leaveRoom(undefined);
        return true;
      case 'bit-rots':
        this.#rot();
        return true;
      case 'key-rotates':
        if (anyone === undefined) return true;
        tally.add('keys rotated');
        anyone.machineDisk.rotateKey?.().catch(() => {});
        return true;
      default:
        return false;
    }
  }

  #failNext(member: SimulatedNode, name: 'sync-fails' | 'write-fails'): void {
    const { tally } = this.#world;
    if (name === 'write-fails' && this.#roomRandom.chance(0.5)) {
      member.machineDisk.failNext('room');
      member.isDiskFull = true;
      tally.add('writes that find no room');
      return;
    }
    member.machineDisk.failNext(name === 'sync-fails' ? 'sync' : 'write');
    member.isDiskFaulty = true;
    tally.add(name === 'sync-fails' ? 'syncs that fail once' : 'writes that fail');
  }

  /** A member that is down, or is taken down for it, finds a bit flipped when it comes back. */
  #rot(): void {
    const victim = this.#random.pick([...this.#world.members.values()]);
    if (victim === undefined || victim.state === 'damaged' || !this.#operator.mayRot(victim)) return;
    if (victim.state !== 'down') this.#world.crash(victim, 'power');
    const damage = victim.machineDisk.rot();
    if (damage === undefined) return;
    victim.isRotten = true;
    this.#world.tally.add(damage.kind);
    this.#world.trace(() => `the disk of ${victim.id} rots, ${damage.kind}: ${damage.where}`);
    this.#world.start(victim);
  }

  #disturbNetwork(name: NodeAction, leader: SimulatedNode | undefined): void {
    const { network, tally, plan } = this.#world;
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
        this.#isolate(leader);
        if (plan.clocksStop && random.chance(0.7)) {
          // It does not notice, and goes on leading while another is elected.
          tally.add('clocks stopped');
          leader.clock.stop(random.between(10, 60) * TICK);
        }
        return;
      case 'cut-one-way': {
        const [from, to] = [random.pick(ids), random.pick(ids)];
        if (from !== undefined && to !== undefined) network.cut(from, to);
        return;
      }
      case 'partition': {
        const side = ids.filter(() => random.chance(0.5));
        for (const a of side) {
          for (const b of ids) {
            if (side.includes(b)) continue;
            network.cut(a, b);
            network.cut(b, a);
          }
        }
        return;
      }
      case 'bridge': {
        // The leader reaches one member only, which reaches everyone.
        const bridge = random.pick(ids);
        if (leader !== undefined) this.#isolate(leader, bridge);
        return;
      }
      default:
        return;
    }
  }

  #isolate({ id }: SimulatedNode, except?: string): void {
    if (this.#world.areFaultsOver) return;
    for (const other of this.#world.members.keys()) {
      if (other === id || other === except) continue;
      this.#world.network.cut(id, other);
      this.#world.network.cut(other, id);
    }
  }
}
