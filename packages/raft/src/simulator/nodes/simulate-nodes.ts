/**
 * One simulation of whole nodes from one seed: a phase of faults in which nothing may ever go wrong, then a phase
 * without them in which things must come right, and at the end the question whether all that clients saw could have
 * happened on a single machine. The same seed gives the same events, in the same order, with the same trace.
 */

import { isJoint, membersOf } from '../../core/membership.ts';
import { TICK } from '../plan.ts';
import { hashText, randomStream } from '../seeded-random.ts';
import type { SimulationResult } from '../simulation-result.ts';
import { Clients } from './clients.ts';
import type { MemberDisks } from './member-disk.ts';
import { Misfortune } from './misfortune.ts';
import type { NodePlan } from './node-plan.ts';
import { nodePlanOf } from './node-plan.ts';
import { NodeWorld } from './node-world.ts';
import { Operator } from './operator.ts';

/** What to simulate. */
export interface NodeSimulationRequest {
  readonly seed: number;
  /** Events in the phase of faults. */
  readonly steps: number;
  /** The disks, with a storage on each, made for this simulation. */
  readonly disks: MemberDisks;
  /** A turn of the host's event loop: everything that waits for promises only has happened when it resolves. */
  readonly turn: () => Promise<void>;
  /** `keep` returns the trace, `hash` only its hash, `none` neither. Default `none`. */
  readonly trace?: 'none' | 'hash' | 'keep';
  readonly plan?: NodePlan;
}

/** How many election time-outs a healthy cluster has to agree again. */
const RECOVERY_TIMEOUTS = 60;

/** Runs one seed to its end. Never rejects for what the members do wrong: the result tells. */
export async function simulateNodes(request: NodeSimulationRequest): Promise<SimulationResult> {
  const { seed, steps, trace: mode = 'none', plan = nodePlanOf(seed), disks, turn } = request;
  const lines: string[] = [];
  let traceHash = hashText('');
  const trace = (line: string) => {
    traceHash = hashText(line, traceHash);
    if (mode === 'keep') lines.push(line);
  };
  const world = new NodeWorld({ seed, plan, disks, trace: mode === 'none' ? undefined : trace });
  const clients = new Clients(world, randomStream(seed, 'clients'));
  const operator = new Operator(world, randomStream(seed, 'operator'));
  const misfortune = new Misfortune(world, operator, clients, seed);
  let done = 0;
  const step = async (): Promise<boolean> => {
    if (world.violation !== undefined || !world.queue.next()) return false;
    done++;
    await turn();
    world.observe();
    return world.violation === undefined;
  };
  await world.found(turn);
  clients.begin();
  misfortune.begin();
  while (done < steps && (await step()));
  const recovery = new Recovery(world, operator, clients);
  if (world.violation === undefined) {
    recovery.begin();
    while (!recovery.isDone && (await step())) recovery.look();
  }
  if (world.violation === undefined) judge(world, clients);
  world.tally.add('entries committed', world.invariants.committedUpTo);
  const { violation } = world;
  return {
    seed,
    ...(violation === undefined ? {} : { violation, violatedAt: done }),
    steps: done,
    ticks: Math.round(world.queue.now / TICK),
    tally: world.tally,
    trace: lines,
    traceHash,
  };
}

/** Whether all that clients saw could have happened on a single machine. */
function judge(world: NodeWorld, { history }: Clients): void {
  const judgement = history.judge();
  world.tally.add('operations of clients in histories', history.size);
  if (judgement.kind === 'undecided') world.tally.add('histories that were too hard to judge');
  if (judgement.kind !== 'contradictory') return;
  world.report(`the history of the clients is not linearizable:\n${judgement.why}`);
}

/** The faults end. Within a few election time-outs one leader commits something new, and all members hold it. */
class Recovery {
  readonly #world: NodeWorld;
  readonly #operator: Operator;
  readonly #clients: Clients;
  #deadline = 0;
  #nextTry = 0;
  #hasCommitted = false;
  #readsLeft: number | undefined;

  constructor(world: NodeWorld, operator: Operator, clients: Clients) {
    this.#world = world;
    this.#operator = operator;
    this.#clients = clients;
  }

  /** All members agree, and each was read from since. */
  get isDone(): boolean {
    return this.#readsLeft === 0;
  }

  begin(): void {
    const { plan, members, network, queue } = this.#world;
    this.#world.areFaultsOver = true;
    network.isReliable = true;
    network.heal();
    this.#world.trace(() => 'the faults are over');
    for (const member of members.values()) {
      member.doom = undefined;
      member.machineDisk.leaveRoom(undefined);
      member.clock.go();
      if (member.state === 'down' || member.state === 'failed') this.#operator.restart(member);
      else this.#world.resume(member);
    }
    this.#deadline = queue.now + RECOVERY_TIMEOUTS * this.#round * plan.timeoutSpread;
    this.#nextTry = queue.now + this.#round;
  }

  /** Called after each event. */
  look(): void {
    const { queue } = this.#world;
    if (queue.now >= this.#nextTry) {
      this.#nextTry = queue.now + this.#round;
      this.#help();
    }
    if (this.#readsLeft === undefined && this.#hasCommitted && this.#areAgreed()) this.#readEverywhere();
    if (queue.now > this.#deadline) this.#world.report(`no agreement came back: ${this.#portrait()}`);
  }

  get #round(): number {
    const { plan } = this.#world;
    return 2 * plan.options.electionTicksMax * TICK * (1 + plan.clockSkew);
  }

  /** What an operator would do: bring back what fell, replace what is lost, and see whether the cluster works. */
  #help(): void {
    for (const member of this.#operator.down()) this.#operator.restart(member);
    this.#operator.replaceDamaged();
    const [leader] = this.#operator.leaders();
    if (leader === undefined || this.#hasCommitted) return;
    const before = this.#world.ledger.size;
    this.#clients.set(leader, () => {
      if (this.#world.ledger.size > before) this.#hasCommitted = true;
    });
  }

  #readEverywhere(): void {
    const [leader] = this.#operator.leaders();
    const configuration = leader?.core?.status.configuration;
    const members = configuration === undefined ? [] : membersOf(configuration);
    this.#readsLeft = members.length;
    for (const id of members) {
      const member = this.#world.members.get(id);
      const read = () => {
        this.#readsLeft = (this.#readsLeft ?? 0) - 1;
      };
      if (member !== undefined) this.#clients.readAll(member, read);
    }
  }

  /** One leader, whose members have all applied everything, and the same. */
  #areAgreed(): boolean {
    const leaders = this.#operator.leaders();
    const [leader] = leaders;
    const status = leader?.core?.status;
    if (leaders.length !== 1 || status === undefined || leader?.running === undefined) return false;
    if (status.committed !== status.lastIndex || isJoint(status.configuration)) return false;
    const { hash } = leader.running.machine.state;
    return membersOf(status.configuration).every((id) => {
      const member = this.#world.members.get(id);
      const other = member?.core?.status;
      return (
        other?.committed === status.committed &&
        other.lastIndex === status.lastIndex &&
        other.term === status.term &&
        other.configuration.voters.join() === status.configuration.voters.join() &&
        member?.running?.node.status.applied === status.committed &&
        member.running.machine.state.hash === hash
      );
    });
  }

  #portrait(): string {
    return [...this.#world.members.values()]
      .map(({ id, state, core, running }) => {
        if (core === undefined) return `${id} ${state}`;
        const { role, term, committed, lastIndex, configuration } = core.status;
        const voters = `${configuration.voters.join('+')}/${configuration.outgoing.join('+')}`;
        const applied = running?.node.status.applied;
        return `${id} ${role} term ${term} committed ${committed} of ${lastIndex} applied ${applied} voters ${voters}`;
      })
      .join('; ');
  }
}
