/**
 * A member of a Skep cluster on a real machine: who it is, how it proves that, and how it speaks with the others.
 *
 * @packageDocumentation
 */

export type { RaftMetrics } from '@skep/raft';
export { isNodeError, NodeError, type NodeErrorCode } from './errors.ts';
export { lineLogger } from './line-logger.ts';
export { closeAll } from './node/close-all.ts';
export { type InitOptions, init } from './node/init.ts';
export { type JoinOptions, join } from './node/join.ts';
export type { NodeOptions, OpenDataPlane, TasksAtClose } from './node/options.ts';
export type { NodeCondition } from './node/running-node.ts';
export { type JoinTokens, type KnownManager, SkepNode } from './node/skep-node.ts';
export { forget, type StartOptions, start } from './node/start.ts';
export type { NodeIdentity, NodeRole } from './security/identity.ts';
export type { OwnAuthority } from './security/own-authority.ts';
