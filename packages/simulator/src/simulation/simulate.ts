/**
 * One seed of the whole orchestrator: users at work, things going wrong, every rule looked at after each transaction
 * and each step; then faults stop, and all must come to be as was asked for.
 */

import { randomStream, Tally, Violation } from '@skep/raft/simulator';
import type { SimulatedClusterOptions } from '../options.ts';
import { SimulatedCluster } from '../simulated-cluster.ts';
import { checkConvergence } from './convergence.ts';
import { checkMachines, checkManagers, checkTransaction } from './invariants.ts';
import { ManagerChanges } from './manager-changes.ts';
import { Misfortune } from './misfortune.ts';
import { ACTIONS, type ActionName, CALM_IMAGES, planOf, type SimulationPlan } from './plan.ts';
import { SecretWatch } from './secret-watch.ts';
import { StopWatch } from './stop-watch.ts';
import { SECRET_MARK } from './user.ts';
import { Users } from './users.ts';

/** A task that ends by itself does so within this time, in ms. */
const FAILED_BY_MS = 40_000;

/** What to simulate. */
export interface SimulationRequest {
  readonly seed: number;
  /** How many things users and misfortune do. Default 60. */
  readonly steps?: number;
  /** A bug, to see whether it is noticed. */
  readonly bug?: Pick<SimulatedClusterOptions, 'wrapDispatcher' | 'wrapLog' | 'wrapForwarder'>;
}

/** What came of it. */
export interface Simulation {
  readonly seed: number;
  /** Which rule was broken, if any was. */
  readonly violation: string | undefined;
  /** Virtual time that passed, in milliseconds. */
  readonly elapsedMs: number;
  readonly tally: Tally;
  readonly trace: readonly string[];
  readonly traceHash: number;
}

/** Simulates one seed, to its end or to the first broken rule. */
export async function simulate(request: SimulationRequest): Promise<Simulation> {
  const { seed, steps = 60, bug = {} } = request;
  const plan = planOf(seed);
  const tally = new Tally();
  const stops = new StopWatch(plan.workers);
  let sim: SimulatedCluster | undefined;
  const failed: unknown[] = [];
  const fail = (violation: unknown) => {
    failed.push(violation);
    sim?.committed.fail(violation);
  };
  const secrets = new SecretWatch(tally, fail);
  const { wrapDispatcher = (port) => port } = bug;
  try {
    sim = await SimulatedCluster.open({
      ...plan,
      workers: stops.workers,
      ...bug,
      seed,
      wrapDispatcher: (port, worker) => secrets.watched(wrapDispatcher(port, worker), worker),
      onLog: (source, _level, fields, message) => {
        if (`${message} ${JSON.stringify(fields)}`.includes(SECRET_MARK)) {
          fail(new Violation(`${source} logged a secret: ${message.replace(SECRET_MARK, '…')}`));
        }
      },
    });
    sim.onTransaction((changes, state) => checkTransaction(changes, state, tally));
    stops.watch(sim, tally, fail);
    await play({ sim, plan, seed, steps, tally });
  } catch (error) {
    fail(error);
  }
  const { violation = failed[0] } = sim?.committed ?? {};
  if (violation !== undefined) sim?.note(`VIOLATION ${tellViolation(violation)}`);
  const result = {
    seed,
    violation: violation === undefined ? undefined : tellViolation(violation),
    elapsedMs: sim?.clock.monotonic() ?? 0,
    tally,
    trace: [...(sim?.trace ?? [])],
    traceHash: sim?.traceHash ?? 0,
  };
  await sim?.close();
  return result;
}

async function play(parts: {
  readonly sim: SimulatedCluster;
  readonly plan: SimulationPlan;
  readonly seed: number;
  readonly steps: number;
  readonly tally: Tally;
}): Promise<void> {
  const { sim, plan, seed, steps, tally } = parts;
  const random = randomStream(seed, 'steps');
  const users = new Users(seed, parts);
  const misfortune = new Misfortune(seed, sim, tally);
  const managers = new ManagerChanges(seed, { sim, users, tally });
  const check = () => {
    if (sim.committed.violation !== undefined) throw sim.committed.violation;
    checkManagers(sim);
    checkMachines(sim);
  };
  const actions = weighted(plan);
  for (let step = 0; step < steps; step++) {
    const action = random.pick(actions) ?? 'command';
    if (action === 'command') users.act();
    else if (action === 'change-managers') managers.take();
    else await misfortune.take(action);
    await sim.advance(random.exponential(plan.stepMs));
    check();
  }
  await misfortune.end(CALM_IMAGES);
  await sim.run(users.settled());
  await sim.run(managers.settled());
  // A removal that was on its way may have been carried out only now.
  await misfortune.bringBack();
  await users.restoreNodes();
  // Tasks that were made while they failed have failed by then.
  await sim.advance(FAILED_BY_MS);
  await users.resumeUpdates();
  check();
  await checkConvergence(sim, users.expected);
  check();
  tally.add('managers that led', sim.trace.filter((line) => line.includes(' a new leader ')).length);
}

function weighted({ weights }: SimulationPlan): readonly ActionName[] {
  return ACTIONS.flatMap((name) => Array.from({ length: weights.get(name) ?? 0 }, () => name));
}

function tellViolation(error: unknown): string {
  if (error instanceof Violation) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
