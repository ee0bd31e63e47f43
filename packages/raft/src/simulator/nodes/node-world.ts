/**
 * Everything that a simulation of nodes is made of: whole nodes with their storage on simulated disks, a network, time,
 * and the rules, checked wherever something can be seen from outside. What happens is chosen elsewhere.
 */

import { configurationOf } from '../../core/membership.ts';
import type { Message } from '../../core/message.ts';
import type { Configuration, Entry, MemberId } from '../../core/types.ts';
import type { RaftLogger } from '../../node/ports.ts';
import { RaftNode } from '../../node/raft-node.ts';
import { decodeFrame } from '../../transport/frame.ts';
import type { PeerMessage } from '../../transport/peer-message.ts';
import { describe } from '../describe-message.ts';
import { EventQueue } from '../event-queue.ts';
import { Invariants } from '../invariants.ts';
import { SimulatedNetwork } from '../network.ts';
import { optionsOf, TICK } from '../plan.ts';
import type { RandomStream } from '../seeded-random.ts';
import { randomStream } from '../seeded-random.ts';
import { Tally } from '../tally.ts';
import { Violation } from '../violation.ts';
import { AppliedLedger } from './applied-ledger.ts';
import { type DiskTime, diskTimes } from './disk-times.ts';
import type { DiskCall, MemberDisks } from './member-disk.ts';
import type { CarriedFrame } from './node-network.ts';
import { NodeTransport } from './node-network.ts';
import type { NodePlan } from './node-plan.ts';
import { NodeWatch, nodeMetrics } from './node-watch.ts';
import { ProcessClock } from './process-clock.ts';
import { RegisterMachine } from './register-machine.ts';
import type { Arrival } from './simulated-node.ts';
import { SimulatedNode } from './simulated-node.ts';
import { WatchedStorage } from './watched-storage.ts';
import { type WireDamage, wireDamage } from './wire-damage.ts';

/** A call that never comes back: its process is dead. */
const NEVER = new Promise<never>(() => {});

/** What a world is made of. */
export interface NodeWorldParts {
  readonly seed: number;
  readonly plan: NodePlan;
  readonly disks: MemberDisks;
  readonly trace?: ((line: string) => void) | undefined;
}

/** The members, the network between them, and time. */
export class NodeWorld {
  readonly plan: NodePlan;
  readonly queue = new EventQueue();
  readonly tally = new Tally();
  readonly invariants = new Invariants();
  readonly ledger = new AppliedLedger();
  readonly members = new Map<MemberId, SimulatedNode>();
  readonly network: SimulatedNetwork<CarriedFrame>;
  readonly disks: MemberDisks;
  areFaultsOver = false;
  /** What was broken first. */
  violation: string | undefined;
  /** Called when a member begins to lead, and when one wakes from a pause. */
  onOccasion: (member: SimulatedNode, what: 'leads' | 'wakes') => void = () => {};
  readonly #seed: number;
  readonly #trace: ((line: string) => void) | undefined;
  readonly #watch: NodeWatch;
  readonly #transports = new Map<MemberId, NodeTransport>();
  readonly #damage: WireDamage;
  readonly #timeOf: DiskTime;
  readonly #wakeRandom: RandomStream;
  readonly #bootstrap: Configuration;
  /** While the first members are made, nothing takes time. */
  #isFounding = true;
  #touched = new Set<SimulatedNode>();

  constructor({ seed, plan, disks, trace }: NodeWorldParts) {
    this.plan = plan;
    this.disks = disks;
    this.#seed = seed;
    this.#trace = trace;
    this.#damage = wireDamage(plan.damageChance, randomStream(seed, 'wire damage'), this.tally);
    this.#timeOf = diskTimes(plan, randomStream(seed, 'disk times'), this.tally);
    this.#wakeRandom = randomStream(seed, 'wake');
    this.#watch = new NodeWatch(this);
    const ids = Array.from({ length: plan.voters + plan.learners }, (_, at) => `n${at + 1}`);
    this.#bootstrap = configurationOf(ids.slice(0, plan.voters), ids.slice(plan.voters));
    this.network = new SimulatedNetwork(plan, this.queue, randomStream(seed, 'network'), this.tally, {
      deliver: (frame) => this.#deliver(frame),
      lost: () => {},
    });
  }

  trace(text: () => string): void {
    this.#trace?.(`${this.queue.now.toFixed(1).padStart(8)} ${text()}`);
  }

  /** Brings the first members to life; `turn` lets them do what they have to. */
  async found(turn: () => Promise<void>): Promise<void> {
    const { voters, learners } = this.#bootstrap;
    for (const id of [...voters, ...learners]) this.add(id);
    await turn();
    this.#isFounding = false;
  }

  /** A member with an empty disk comes to life. */
  add(id: MemberId): SimulatedNode {
    const { clockSkew } = this.plan;
    const rate = 1 + (randomStream(this.#seed, `clock ${id}`).next() * 2 - 1) * clockSkew;
    const clock = new ProcessClock(
      {
        now: () => this.queue.now,
        plan: (delay, happen) => this.planFor(member, delay, 'timer', happen),
      },
      rate,
    );
    const streamOf = (name: string) => randomStream(this.#seed, `${name} ${id}`);
    const disk = this.disks.make(streamOf, (call) => this.#pace(member, call));
    const member: SimulatedNode = new SimulatedNode(id, clock, disk);
    this.members.set(id, member);
    this.start(member);
    return member;
  }

  /** A process begins on the member's disk. */
  start(member: SimulatedNode): void {
    member.life++;
    member.state = 'starting';
    const { id, life, clock, image } = member;
    const { plan } = this;
    this.trace(() => `${id} starts`);
    const isPresent = () => member.life === life;
    const random = randomStream(this.#seed, `node ${id} ${life}`);
    const transport = new NodeTransport({
      id,
      clock,
      random,
      shipping: plan.shipping,
      carry: (frame) => {
        if (isPresent()) this.network.send(frame);
      },
      onMessage: (message) => {
        if (isPresent()) this.#leaves(message);
      },
      onShipping: (to, frame) => this.#watch.shipping(id, to, frame),
      onShipped: (outcome) => {
        if (isPresent() && outcome === 'interrupted') this.tally.add('snapshots interrupted');
      },
      onRefused: (from, reason) => {
        this.tally.add(`frames refused: ${reason}`);
        this.#undelivered(from, id);
      },
    });
    const storage = new WatchedStorage(member.machineDisk.boot(), image, {
      durable: (entries) => this.#durable(member, entries),
      diskFull: () => this.tally.add('writes refused by a full disk'),
      resumed: (begun) => this.tally.add(`snapshots gone on with that had begun ${begun}`),
    });
    const machine = new RegisterMachine(
      {
        applied: (index, command, after) => {
          if (isPresent()) this.check(() => this.ledger.applied(id, index, command, after));
        },
        restored: (index, state) => {
          this.tally.add('states restored from a snapshot');
          this.check(() => this.ledger.restored(id, index, state));
        },
      },
      plan.chunkBytes,
    );
    const isFounder = [...this.#bootstrap.voters, ...this.#bootstrap.learners].includes(id);
    const node = new RaftNode({
      id,
      machine,
      storage,
      transport,
      clock,
      random,
      ...(isFounder ? { bootstrap: this.#bootstrap } : {}),
      raft: optionsOf(plan, this.#seed, id),
      tickMs: TICK,
      proposalTimeoutMs: plan.proposalTimeoutMs,
      readTimeoutMs: plan.readTimeoutMs,
      snapshotEntries: plan.snapshotEntries,
      promotionLag: 3,
      logger: this.#loggerOf(member),
      metrics: nodeMetrics(this.tally),
    });
    const core = {
      get status() {
        return node.coreStatus;
      },
      entryAt: (index: number) => node.entryAt(index),
    };
    member.running = { node, machine, core };
    this.#transports.set(id, transport);
    node.onStatus(({ state }) => {
      if (isPresent() && state === 'failed' && member.state === 'running') this.#failed(member, node.failure);
    });
    node.start().then(
      ({ tornBytes }) => {
        if (!isPresent()) return;
        member.state = 'running';
        if (tornBytes > 0) this.tally.add('torn tails repaired');
        this.trace(() => `${id} runs, its log ends at ${member.disk.lastIndex}`);
        this.check(() => this.invariants.wrote(id, member.disk, []));
      },
      (error: unknown) => {
        if (isPresent()) this.#failed(member, error);
      },
    );
  }

  /** The process dies at once; with `power` so does its machine. */
  crash(member: SimulatedNode, how: 'kill' | 'power'): void {
    const { id, state } = member;
    this.tally.add(how === 'power' ? 'crashes with loss of power' : 'crashes of the process alone');
    if (state === 'starting' && !this.#isFounding) this.tally.add('crashes while starting');
    if (state === 'stopping') this.tally.add('crashes while stopping');
    this.trace(() => `${id} ${how === 'power' ? 'loses power' : 'is killed'}, ${state}`);
    this.#end(member);
    member.machineDisk.crash(how);
  }

  /** The process ends in order. */
  stop(member: SimulatedNode): void {
    const { life, running, id } = member;
    if (running === undefined) return;
    member.state = 'stopping';
    this.tally.add('processes stopped in order');
    this.trace(() => `${id} stops`);
    void running.node.close().then(() => {
      if (member.life !== life) return;
      this.trace(() => `${id} has stopped`);
      this.#end(member);
      member.machineDisk.crash('kill');
    });
  }

  pause(member: SimulatedNode): void {
    member.paused = { inbox: [] };
    this.tally.add('pauses');
    this.trace(() => `${member.id} stands still`);
  }

  /** Goes on: with its timers and with what has arrived, in whichever order the host looks at them. */
  resume(member: SimulatedNode): void {
    const { paused, id } = member;
    if (paused === undefined) return;
    member.paused = undefined;
    member.wokeAt = this.queue.now;
    this.trace(() => `${id} goes on`);
    const { inbox } = paused;
    const of = (kind: Arrival['kind']) => inbox.filter((arrival) => arrival.kind === kind);
    if (!this.areFaultsOver && this.#wakeRandom.chance(0.5)) this.onOccasion(member, 'wakes');
    const order = this.#wakeRandom.chance(0.5) ? [...of('io'), ...of('timer')] : inbox;
    for (const { happen } of order) this.queue.plan(0, happen);
  }

  /** Lets something happen to the present process of a member, when it is awake, unless it dies before. */
  planFor(member: SimulatedNode, delay: number, kind: Arrival['kind'], happen: () => void): void {
    const { life } = member;
    const wake = () => {
      if (member.life !== life) return;
      if (member.paused !== undefined) member.paused.inbox.push({ kind, happen: wake });
      else {
        this.#touched.add(member);
        happen();
      }
    };
    this.queue.plan(delay, wake);
  }

  /** The member may have changed by what is happening. */
  touch(member: SimulatedNode): void {
    this.#touched.add(member);
  }

  /** Checks all rules on what has changed. Called when an event, and all that it led to at once, is over. */
  observe(): void {
    for (const member of this.#touched) this.check(() => this.#watch.observe(member));
    this.#touched.clear();
    const { brokenRule } = this.disks;
    if (brokenRule !== undefined) this.report(brokenRule);
  }

  /** Remembers that a rule was broken: what does so may be deep within a node, which would take it for its own. */
  report(violation: string): void {
    if (this.violation !== undefined) return;
    this.violation = violation;
    this.trace(() => `VIOLATION ${violation}`);
  }

  check(rule: () => void): void {
    try {
      rule();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.report(error.message);
    }
  }

  #end(member: SimulatedNode): void {
    member.life++;
    member.state = 'down';
    member.running = undefined;
    member.paused = undefined;
    member.doom = undefined;
    member.isDiskFaulty = false;
    this.#transports.delete(member.id);
  }

  #failed(member: SimulatedNode, error: unknown): void {
    const { id } = member;
    const codes = codesOf(error);
    const message = error instanceof Error ? error.message : String(error);
    this.trace(() => `${id} has failed: ${message}`);
    member.state = 'failed';
    if (error instanceof Violation) this.report(`${id}: ${message}`);
    else if (codes.includes('corrupt') && member.isRotten) {
      this.tally.add('corruption found and refused');
      member.state = 'damaged';
    } else if (codes.includes('disk-full') && member.isDiskFull)
      this.tally.add('starts refused by a full disk');
    else if (codes.includes('EIO') && member.isDiskFaulty)
      this.tally.add('nodes that stopped for an I/O error');
    else this.report(`${id} failed, and nothing was wrong with its disk: ${message}`);
  }

  #pace(member: SimulatedNode, call: DiskCall): Promise<void> | undefined {
    const { doom, running } = member;
    if (running === undefined) return NEVER;
    if (doom !== undefined && --doom.left <= 0) {
      this.crash(member, doom.how);
      return NEVER;
    }
    if (this.#isFounding) return undefined;
    const takes = this.#timeOf(call, this.areFaultsOver);
    if (takes === undefined) return undefined;
    return new Promise((resolve) => this.planFor(member, takes, 'io', resolve));
  }

  #durable(member: SimulatedNode, entries: readonly Entry[]): void {
    this.#touched.add(member);
    this.check(() => this.invariants.wrote(member.id, member.disk, entries));
  }

  #leaves(message: PeerMessage): void {
    if (message.type === 'proposal' || message.type === 'proposal-refused') return;
    this.check(() => this.invariants.sent(message));
  }

  #deliver(frame: CarriedFrame): void {
    const { from, to } = frame;
    const receiver = this.members.get(to);
    const transport = this.#transports.get(to);
    const bytes = this.areFaultsOver ? frame.bytes : this.#damage(frame.bytes);
    if (receiver === undefined || transport === undefined || !transport.isOpen || bytes === undefined) {
      this.#undelivered(from, to);
      return;
    }
    this.planFor(receiver, 0, 'io', () => {
      this.trace(() => {
        if (bytes !== frame.bytes) return `${from} > ${to} a damaged ${frame.type}`;
        const read = decodeFrame(bytes) as Message;
        return describe({ ...read, from, to });
      });
      transport.arrived(from, bytes);
    });
  }

  /** The sender notices that its connection is no more. */
  #undelivered(from: MemberId, to: MemberId): void {
    const sender = this.members.get(from);
    if (sender === undefined) return;
    this.planFor(sender, 1, 'io', () => this.#transports.get(from)?.undelivered(to));
  }

  #loggerOf({ id }: SimulatedNode): RaftLogger {
    const say = (fields: Readonly<Record<string, unknown>>, message: string) =>
      this.trace(() => {
        const { err } = fields;
        return `${id} says: ${message}${err instanceof Error ? ` (${err.message})` : ''}`;
      });
    return { debug: say, info: say, warn: say, error: say };
  }
}

/** The codes of an error and of what caused it. */
function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let each = error; each instanceof Error; each = each.cause) {
    if ('code' in each && typeof each.code === 'string') codes.push(each.code);
  }
  return codes;
}
