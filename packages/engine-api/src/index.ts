/**
 * The Docker Engine API in front of a Skep node, so that the docker CLI, dockerode, docker-py and what is made for them
 * drive it.
 *
 * @packageDocumentation
 */

export { DaemonMembership, type DaemonMembershipOptions } from './daemon/daemon-membership.ts';
export { EngineApi, type EngineApiOptions, type TcpOptions } from './engine-api.ts';
export type {
  InitRequest,
  JoinRequest,
  KnownManager,
  Manager,
  Membership,
  Standing,
} from './membership/membership.ts';
export { NodeMembership } from './membership/node-membership.ts';
export type { ServerTls } from './server/engine-server.ts';
