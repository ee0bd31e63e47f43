/**
 * For whoever puts a cluster on several machines: the ports between managers and agents, the agent itself, the way of
 * commands to the leader, and the host's time and randomness.
 *
 * @packageDocumentation
 */

export type { AgentForwarder } from '../cluster/agent-route.ts';
export type { CommandForwarder, CommandRequest, CommandResponse } from '../cluster/command-forwarder.ts';
export type { SealedRecords } from '../cluster/sealed-records.ts';
export { asId, newId, type SessionId } from '../model/ids.ts';
export { withDeadline } from '../runtime/abort.ts';
export { sleep } from '../runtime/clock.ts';
export { silentLogger } from '../runtime/logger.ts';
export { systemClock } from '../runtime/system-clock.ts';
export { systemRandom } from '../runtime/system-random.ts';
export { Agent, type AgentCloseOptions, type AgentOptions, type AgentState } from '../worker/agent.ts';
export type { DataPlane } from '../worker/data-plane.ts';
export {
  type AssignedFile,
  type AssignedTask,
  type AssignmentsMessage,
  type DispatcherPort,
  type EndpointsMessage,
  type KnownAssignments,
  type ServiceEndpoint,
  type Session,
  SessionError,
  type SessionErrorCode,
  type SessionMessage,
  type SessionRequest,
  type StatusReport,
  type Told,
  type WorkerCalls,
} from '../worker/dispatcher-port.ts';
export { checkDescription } from '../worker/driver-answers.ts';
export type { ProbeNetwork } from '../worker/health/probe.ts';
export type { WorkerLimits } from '../worker/limits.ts';
