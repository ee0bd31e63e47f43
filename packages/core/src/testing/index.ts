/**
 * What tests of a cluster, a driver or an embedding program need: virtual time and simulated runtimes. Runs in a
 * browser as well, and needs no test library.
 *
 * @packageDocumentation
 */

export { decodeTransaction, encodeTransaction } from '../events/codec.ts';
export { countUp } from '../manager/orchestrator/drain/disruption-budgets.ts';
export { maxUnavailable, mayStartFirst, serves } from '../manager/orchestrator/drain/must-leave.ts';
export { meetsConstraints } from '../model/constraint-match.ts';
export { newId } from '../model/ids.ts';
export { type TaskSpecInput, taskSpecSchema } from '../model/task-spec.ts';
export { isDesiredAfter, isMeantToRun, taskStateRank } from '../model/task-state.ts';
export { type LogFields, type Logger, silentLogger } from '../runtime/logger.ts';
export { type Random, seededRandom } from '../runtime/random.ts';
export { systemClock } from '../runtime/system-clock.ts';
export type { ClusterState } from '../state/cluster-state.ts';
export { Replica } from '../state/replica.ts';
export type { SimulatedBehaviour, SimulatedDuration, SimulatedStep } from './simulated-behaviour.ts';
export { SIMULATED_EPOCH_MS, SimulatedClock } from './simulated-clock.ts';
export {
  type SimulatedDescription,
  SimulatedDriver,
  type SimulatedDriverOptions,
} from './simulated-driver.ts';
export { SimulatedHost, type SimulatedHostOptions } from './simulated-host.ts';
export type { SimulatedRuntime } from './simulated-runtime.ts';
