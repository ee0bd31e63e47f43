/**
 * A whole cluster in one process under virtual time, for tests of what you build on Skep, and for demonstrations. Runs
 * in a browser as well.
 *
 * @packageDocumentation
 */

export { Calls, ConnectionError, Endpoint } from './calls.ts';
export { CommittedLog, type TransactionListener } from './committed-log.ts';
export { type LatencyRange, Links } from './links.ts';
export type { DispatcherWrapper } from './routes.ts';
export { SimulatedCluster, type SimulatedClusterOptions, type TimeLimit } from './simulated-cluster.ts';
export type { WorkerOptions } from './simulated-worker.ts';
export type { LogLine } from './world.ts';
