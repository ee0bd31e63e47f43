/**
 * A member of a Skep cluster on a real machine: who it is, how it proves that, and how it speaks with the others.
 *
 * @packageDocumentation
 */

export { isNodeError, NodeError, type NodeErrorCode } from './errors.ts';
export type { NodeIdentity, NodeRole } from './security/identity.ts';
