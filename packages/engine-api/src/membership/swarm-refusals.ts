/** Refusals that say where a node stands, in the engine's words. */

import { Refusal } from '../server/refusal.ts';
import type { Manager, Membership } from './membership.ts';

const NOT_A_MANAGER = 'This node is not a swarm manager.';
const NO_SWARM = `${NOT_A_MANAGER} Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`;
const WORKER = `${NOT_A_MANAGER} Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.`;
const PENDING = `${NOT_A_MANAGER} Manager is being prepared or has trouble connecting to the cluster.`;
const LOCKED =
  'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.';

/** The node as a manager. @throws Refusal 503 if it is none */
export function managerOf({ standing }: Membership): Manager {
  if (standing.kind === 'manager') return standing.manager;
  throw noManager(standing.kind);
}

/** Why what managers do can't be done here. */
export function noManager(kind: Exclude<Membership['standing']['kind'], 'manager'>): Refusal {
  const told = { inactive: NO_SWARM, error: NO_SWARM, worker: WORKER, pending: PENDING, locked: LOCKED };
  return new Refusal(503, told[kind]);
}

/** What is only for a node that is in no swarm. */
export function alreadyInSwarm(): Refusal {
  return new Refusal(
    503,
    'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
  );
}
