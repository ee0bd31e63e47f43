/** A running node as the API needs it. */

import type { NodeId } from '@skep/core';
import type { SkepNode } from '@skep/node';
import type { Manager, Membership, Standing } from './membership.ts';
import { alreadyInSwarm } from './swarm-refusals.ts';

/** A node that is in its swarm for as long as it runs: it can leave, and not come back. */
export class NodeMembership implements Membership {
  readonly #node: SkepNode;
  readonly driver: string;

  /** @param driver - name of what runs tasks there */
  constructor(node: SkepNode, driver: string) {
    this.#node = node;
    this.driver = driver;
  }

  get hostname(): string {
    return this.#node.hostname;
  }

  get standing(): Standing {
    return standingOf(this.#node);
  }

  init(): Promise<NodeId> {
    return Promise.reject(alreadyInSwarm());
  }

  join(): Promise<void> {
    return Promise.reject(alreadyInSwarm());
  }

  unlock(): Promise<void> {
    return Promise.reject(alreadyInSwarm());
  }

  leave(options: { readonly force: boolean }): Promise<void> {
    return this.#node.leave(options);
  }
}

/** Where a node stands. */
export function standingOf(node: SkepNode): Standing {
  const { condition, role, nodeId, advertise } = node;
  if (condition === 'closed' || condition === 'removed') return { kind: 'inactive' };
  if (role === 'worker') return { kind: 'worker', nodeId, advertise, managers: node.managerAddresses };
  return { kind: 'manager', manager: node satisfies Manager };
}
