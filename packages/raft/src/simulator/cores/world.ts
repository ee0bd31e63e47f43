/**
 * Everything that a simulation is made of, and the driver of each member: what a node does around a core, with a disk
 * that takes its time, and the rules checked wherever something can be seen from outside.
 */

import { configurationOf } from '../../core/membership.ts';
import type { Message } from '../../core/message.ts';
import { RaftCore } from '../../core/raft.ts';
import type { PersistBatch, Ready } from '../../core/ready.ts';
import type { LogIndex, MemberId } from '../../core/types.ts';
import { AbstractDisk } from '../abstract-disk.ts';
import { describe } from '../describe-message.ts';
import { EventQueue } from '../event-queue.ts';
import { Invariants } from '../invariants.ts';
import { SimulatedNetwork } from '../network.ts';
import type { SimulationPlan } from '../plan.ts';
import { optionsOf, TICK } from '../plan.ts';
import { countRole } from '../rare-states.ts';
import { randomStream } from '../seeded-random.ts';
import { Tally } from '../tally.ts';
import { AppliedStates } from './applied-states.ts';
import { SimulatedMember } from './simulated-member.ts';

/** Takes a line of what happened. */
export type Trace = (line: string) => void;

/** The members, the network between them, and time. */
export class World {
  readonly plan: SimulationPlan;
  readonly queue = new EventQueue();
  readonly tally = new Tally();
  readonly invariants = new Invariants();
  readonly states = new AppliedStates();
  readonly members = new Map<MemberId, SimulatedMember>();
  readonly network: SimulatedNetwork<Message>;
  readonly #seed: number;
  readonly #trace: Trace | undefined;
  readonly #diskRandom;
  #reads = 0;
  areFaultsOver = false;
  /** Called when a member begins to lead. */
  onLeader: () => void = () => {};

  constructor(seed: number, plan: SimulationPlan, trace?: Trace) {
    this.plan = plan;
    this.#seed = seed;
    this.#trace = trace;
    this.#diskRandom = randomStream(seed, 'disk');
    this.network = new SimulatedNetwork(plan, this.queue, randomStream(seed, 'network'), this.tally, {
      deliver: (message) => this.#deliver(message),
      lost: (message) => this.#lost(message),
    });
  }

  trace(text: () => string): void {
    this.#trace?.(`${this.queue.now.toFixed(1).padStart(8)} ${text()}`);
  }

  /** The members that begin together. */
  found(): void {
    const ids = Array.from({ length: this.plan.voters + this.plan.learners }, (_, at) => `n${at + 1}`);
    const voters = ids.slice(0, this.plan.voters);
    const configuration = configurationOf(voters, ids.slice(this.plan.voters));
    for (const id of ids) {
      const hardState = { term: 0, commit: 0 };
      const snapshot = { index: 0, term: 0, configuration };
      this.add(id, new AbstractDisk({ hardState, snapshot, entries: [] }));
    }
  }

  /** A member with this disk, or an empty one, comes to life. */
  add(id: MemberId, disk?: AbstractDisk): void {
    const member = new SimulatedMember(id, disk);
    const random = randomStream(this.#seed, `clock ${id}`);
    member.tickEvery = TICK * (1 + (random.next() * 2 - 1) * this.plan.clockSkew);
    this.members.set(id, member);
    this.start(member);
  }

  start(member: SimulatedMember): void {
    member.life++;
    const { id, life, disk } = member;
    const random = randomStream(this.#seed, `core ${id} ${life}`);
    member.core = new RaftCore({
      id,
      random,
      stored: disk.stored,
      options: optionsOf(this.plan, this.#seed, id),
    });
    member.appliedIndex = disk.snapshotIndex;
    member.state = this.states.at(disk.snapshotIndex);
    member.reads = new Map();
    member.diskBusyUntil = this.queue.now;
    member.applyBusyUntil = this.queue.now;
    this.trace(() => `${id} starts, its log ends at ${disk.lastIndex}`);
    this.#planTick(member);
    this.turn(member);
  }

  /** The process dies, and the machine with it: of the writes under way only some have reached the disk. */
  crash(member: SimulatedMember): void {
    const random = this.#diskRandom;
    const { disk, id } = member;
    if (disk.writesUnderWay > 0) this.tally.add('crashes with writes under way');
    const whole = random.between(0, disk.writesUnderWay);
    const part = random.chance(0.3) ? random.between(1, 4) : 0;
    if (part > 0 && whole < disk.writesUnderWay) this.tally.add('torn writes');
    this.tally.add('crashes');
    disk.crash(whole, part);
    this.invariants.wrote(id, disk, []);
    member.isDoomed = false;
    member.core = undefined;
    member.paused = undefined;
    member.life++;
    this.trace(() => `${id} crashes, its log ends at ${disk.lastIndex}`);
  }

  pause(member: SimulatedMember): void {
    member.paused = { since: this.queue.now, inbox: [] };
    this.trace(() => `${member.id} stands still`);
  }

  /** Time first, then what has arrived: the order that a driver owes its core. */
  resume(member: SimulatedMember): void {
    const { paused, core } = member;
    if (paused === undefined || core === undefined) return;
    member.paused = undefined;
    const missed = Math.floor((this.queue.now - paused.since) / member.tickEvery);
    this.trace(() => `${member.id} goes on after ${missed} ticks`);
    if (missed > 0) core.tick(missed);
    this.turn(member);
    // A client may ask before anything that waits has told it what was missed.
    if (!this.areFaultsOver) this.read(member, true);
    for (const happen of paused.inbox) happen();
  }

  read(member: SimulatedMember, lease: boolean): void {
    const read = ++this.#reads;
    const floor = this.invariants.committedUpTo;
    const ask = () => {
      member.reads.set(read, { floor, lease });
      if (lease && member.core?.status.hasLease) this.tally.add('reads under a lease');
      member.core?.readIndex(read, { lease });
      this.turn(member);
    };
    // A process that stands still is asked all the same, and answers when it goes on.
    if (member.paused === undefined) ask();
    else member.paused.inbox.push(ask);
  }

  snapshot(member: SimulatedMember): void {
    const { core, disk } = member;
    const snapshot = core?.describeSnapshot();
    if (core === undefined || snapshot === undefined || snapshot.index <= disk.snapshotIndex) return;
    this.invariants.snapshotTaken(member.id, snapshot);
    disk.storeSnapshot(snapshot, core.snapshotStored(snapshot));
    this.tally.add('snapshots taken');
    this.trace(() => `${member.id} takes a snapshot at ${snapshot.index}`);
    this.turn(member);
  }

  /** Does what the core asks for. Called after every input. */
  turn(member: SimulatedMember): void {
    const { core } = member;
    if (core === undefined) return;
    for (let ready = core.takeReady(); ready !== undefined; ready = core.takeReady()) {
      this.#handle(member, core, ready);
    }
    this.invariants.observe(member, this.members, this.plan.options);
  }

  /** Lets `happen` happen to a member when it is awake, unless it dies before. */
  #planAt(member: SimulatedMember, moment: number, happen: () => void): void {
    const { life } = member;
    const wake = () => {
      if (member.life !== life) return;
      if (member.paused !== undefined) member.paused.inbox.push(wake);
      else happen();
    };
    this.queue.planAt(moment, wake);
  }

  #planTick(member: SimulatedMember): void {
    const { life } = member;
    const tick = () => {
      if (member.life !== life) return;
      this.queue.plan(member.tickEvery, tick);
      // A process that stands still counts no ticks; it is told how many it missed.
      if (member.paused !== undefined) return;
      if (this.queue.now < member.clockStopsUntil && !this.areFaultsOver) return;
      member.core?.tick();
      this.turn(member);
    };
    this.queue.plan(member.tickEvery, tick);
  }

  #handle(member: SimulatedMember, core: RaftCore, ready: Ready): void {
    const { id } = member;
    if (ready.roleChange !== undefined) {
      const { role, term, leader = 'nobody' } = ready.roleChange;
      this.trace(() => `${id} is ${role} in term ${term}, led by ${leader}`);
      countRole(this.tally, role, core.status);
      if (role === 'leader') this.onLeader();
    }
    if (ready.persist !== undefined) {
      member.disk.write(ready.persist);
      this.#planWrite(member, ready.persist);
    }
    for (const message of ready.messages) this.#send(message);
    const { restore, apply } = ready;
    if (restore !== undefined) this.#planApply(member, () => this.#restore(member, core, restore.index));
    if (apply.length > 0) {
      this.#planApply(member, () => {
        for (const entry of apply) this.states.applied(member, entry);
        core.applied(member.appliedIndex);
        this.turn(member);
      });
    }
    for (const result of ready.reads) {
      const open = member.reads.get(result.read);
      member.reads.delete(result.read);
      if (result.kind === 'refused') this.tally.add('reads refused');
      else if (open !== undefined) {
        this.tally.add('reads served');
        this.trace(() => `${id} serves read ${result.read} at ${result.index}`);
        this.states.read(member, open, result.index);
      }
    }
    if (ready.transferFailure !== undefined) this.tally.add('transfers given up');
  }

  #restore(member: SimulatedMember, core: RaftCore, index: LogIndex): void {
    this.states.restored(member, index);
    this.tally.add('snapshots installed');
    this.trace(() => `${member.id} is restored from the snapshot at ${index}`);
    core.applied(index);
    this.turn(member);
  }

  #planWrite(member: SimulatedMember, batch: PersistBatch): void {
    const { writeMean, stallChance } = this.plan;
    const random = this.#diskRandom;
    // Behind a long queue a write is synced together with those before it.
    const joins = batch.hardState === undefined || member.diskBusyUntil - this.queue.now > 10 * TICK;
    let takes = this.areFaultsOver || joins ? 0 : 1 + random.exponential(writeMean);
    if (!this.areFaultsOver && !joins && random.chance(stallChance)) {
      takes += random.between(50, 2000);
      this.tally.add('disk stalls');
    }
    member.diskBusyUntil = Math.max(member.diskBusyUntil, this.queue.now) + takes;
    if (member.isDoomed && !this.areFaultsOver) {
      const { life } = member;
      this.queue.plan(random.next() * (member.diskBusyUntil - this.queue.now), () => {
        if (member.life === life && !this.areFaultsOver) this.crash(member);
      });
    }
    this.#planAt(member, member.diskBusyUntil, () => {
      const batch = member.disk.finishWrite();
      if (batch === undefined) return;
      this.invariants.wrote(member.id, member.disk, batch.entries);
      for (const message of batch.messages) this.#send(message);
      member.core?.persisted(batch.sequence);
      this.turn(member);
    });
  }

  /** Work for the state machine is done in order, at once if it is idle and quick. */
  #planApply(member: SimulatedMember, happen: () => void): void {
    // Slow, but never so far behind that catching up would be all that is left to simulate.
    const isBehind = member.applyBusyUntil - this.queue.now > 20 * TICK;
    const takes = this.areFaultsOver || isBehind ? 0 : this.#diskRandom.exponential(this.plan.applyMean);
    member.applyBusyUntil = Math.max(member.applyBusyUntil, this.queue.now) + takes;
    this.#planAt(member, member.applyBusyUntil, happen);
  }

  #send(message: Message): void {
    this.invariants.sent(message);
    this.network.send(message);
  }

  #deliver(message: Message): void {
    const member = this.members.get(message.to);
    if (member?.core === undefined) {
      this.#lost(message);
      return;
    }
    this.#planAt(member, this.queue.now, () => {
      this.trace(() => describe(message));
      member.core?.step(message);
      this.turn(member);
      if (message.type === 'install-snapshot') this.#report(message, 'delivered');
    });
  }

  #lost(message: Message): void {
    if (message.type === 'install-snapshot') {
      this.tally.add('snapshots interrupted');
      this.#report(message, 'failed');
    }
  }

  #report(message: Message, outcome: 'delivered' | 'failed'): void {
    const sender = this.members.get(message.from);
    if (sender?.core === undefined) return;
    this.#planAt(sender, this.queue.now + 1, () => {
      sender.core?.snapshotReport(message.to, outcome);
      if (outcome === 'failed') sender.core?.peerUnreachable(message.to);
      this.turn(sender);
    });
  }
}
