/**
 * One simulation from one seed: a phase of faults in which nothing may ever go wrong, then a phase without them in
 * which things must come right. The same seed gives the same events, in the same order, with the same trace.
 */

import { membersOf } from '../../core/membership.ts';
import type { SimulationPlan } from '../plan.ts';
import { planOf, TICK } from '../plan.ts';
import { hashText, randomStream } from '../seeded-random.ts';
import type { SimulationResult } from '../simulation-result.ts';
import { Violation } from '../violation.ts';
import { Actions } from './actions.ts';
import { World } from './world.ts';

/** What to simulate. */
export interface SimulationRequest {
  readonly seed: number;
  /** Events in the phase of faults. */
  readonly steps: number;
  /** `keep` returns the trace, `hash` only its hash, `none` neither. Default `none`. */
  readonly trace?: 'none' | 'hash' | 'keep';
  readonly plan?: SimulationPlan;
}

/** How many election time-outs a healthy cluster has to agree again. */
const RECOVERY_TIMEOUTS = 60;

/** Runs one seed to its end. Never throws for what the members do wrong: the result tells. */
export function simulateCores(request: SimulationRequest): SimulationResult {
  const { seed, steps, trace: mode = 'none', plan = planOf(seed) } = request;
  const lines: string[] = [];
  let traceHash = hashText('');
  const trace =
    mode === 'none'
      ? undefined
      : (line: string) => {
          traceHash = hashText(line, traceHash);
          if (mode === 'keep') lines.push(line);
        };
  const world = new World(seed, plan, trace);
  let done = 0;
  let violation: string | undefined;
  try {
    world.found();
    const actions = new Actions(world, randomStream(seed, 'actions'));
    actions.begin();
    while (done < steps && world.queue.next()) done++;
    done += recover(world, actions);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    violation = error instanceof Violation ? error.message : `${error.name}: ${error.message}`;
    trace?.(`VIOLATION ${violation}`);
  }
  world.tally.add('entries committed', world.invariants.committedUpTo);
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

/** The faults end. Within a few election time-outs one leader commits something new, and all members hold it. */
function recover(world: World, actions: Actions): number {
  world.areFaultsOver = true;
  world.network.isReliable = true;
  world.network.heal();
  world.trace(() => 'the faults are over');
  for (const member of world.members.values()) {
    if (member.core === undefined) world.start(member);
    else world.resume(member);
  }
  const { electionTicksMax } = world.plan.options;
  const deadline =
    world.queue.now +
    RECOVERY_TIMEOUTS * electionTicksMax * world.plan.timeoutSpread * TICK * (1 + world.plan.clockSkew);
  let steps = 0;
  let fresh: number | undefined;
  let nextTry = world.queue.now + 2 * electionTicksMax * TICK;
  while (world.queue.next()) {
    steps++;
    if (world.queue.now >= nextTry) {
      nextTry = world.queue.now + 2 * electionTicksMax * TICK;
      leaveJoint(world);
      fresh = actions.proposeFresh() ?? fresh;
    }
    if (fresh !== undefined && isAgreed(world, fresh)) return steps;
    if (world.queue.now > deadline) throw new Violation(`no agreement came back: ${portrait(world)}`);
  }
  throw new Violation('the simulation ran out of events');
}

function leaveJoint(world: World): void {
  for (const member of world.members.values()) {
    const status = member.core?.status;
    if (status?.role !== 'leader' || status.configuration.outgoing.length === 0) continue;
    // The others are left without being told to, or something is wrong.
    if (status.configuration.leaveAutomatically) continue;
    member.core?.leaveJoint();
    world.turn(member);
  }
}

/** One leader, whose members have all applied everything, and the same. */
function isAgreed(world: World, fresh: number): boolean {
  const leaders = [...world.members.values()].filter((member) => member.core?.status.role === 'leader');
  const leader = leaders[0];
  const status = leader?.core?.status;
  if (leaders.length !== 1 || leader === undefined || status === undefined) return false;
  if (status.committed < fresh || status.committed !== status.lastIndex) return false;
  const { configuration } = status;
  if (configuration.outgoing.length > 0 || !configuration.voters.includes(leader.id)) return false;
  return membersOf(configuration).every((id) => {
    const member = world.members.get(id);
    const other = member?.core?.status;
    return (
      member !== undefined &&
      other?.committed === status.committed &&
      other.lastIndex === status.lastIndex &&
      other.term === status.term &&
      other.configuration.voters.join() === configuration.voters.join() &&
      member.appliedIndex === status.committed &&
      member.state === leader.state
    );
  });
}

function portrait(world: World): string {
  const lines = [...world.members.values()].map(({ id, core, appliedIndex }) => {
    const status = core?.status;
    if (status === undefined) return `${id} down`;
    const { role, term, committed, lastIndex, configuration } = status;
    const voters = `${configuration.voters.join('+')}/${configuration.outgoing.join('+')}`;
    return `${id} ${role} term ${term} committed ${committed} of ${lastIndex} applied ${appliedIndex} voters ${voters}`;
  });
  return lines.join('; ');
}
