/**
 * A whole cluster in one process under virtual time, for tests of what you build on Skep, and for demonstrations. Runs
 * in a browser as well.
 *
 * @packageDocumentation
 */

export { Calls, ConnectionError, Endpoint } from './calls.ts';
export { CommittedLog, type TransactionListener } from './committed-log.ts';
export { Gates } from './gate.ts';
export { type LatencyRange, Links } from './links.ts';
export type { SimulatedClusterOptions } from './options.ts';
export type { DispatcherWrapper, ForwarderWrapper, LogWrapper } from './routes.ts';
export { SimulatedCluster, type TimeLimit } from './simulated-cluster.ts';
export type { WorkerOptions } from './simulated-worker.ts';
export { PLANTED_BUGS, type PlantedBug } from './simulation/planted-bugs.ts';
export { type Simulation, type SimulationRequest, simulate } from './simulation/simulate.ts';
export type { LogLine } from './world.ts';
