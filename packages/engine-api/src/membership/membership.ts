/** The node behind the API, as the API needs it: what it is in its swarm, and how it becomes something else. */

import type { Cluster, NodeId } from '@skep/core';
import type { KnownManager } from '@skep/node';

export type { KnownManager } from '@skep/node';

/** What a node can do as a manager. */
export interface Manager {
  readonly nodeId: NodeId;
  /** Where it is reached, `host:port`. */
  readonly advertise: string;
  readonly cluster: Cluster;
  /** Managers that take part in consensus now. */
  readonly managers: readonly KnownManager[];
  /** Certificate of the root that is trusted, PEM. */
  readonly trustRoot: string;
  readonly isRotatingRoot: boolean;
  readonly certificateValidityMs: number;
  /** Absent while autolock is off. */
  readonly unlockKey: string | undefined;
  joinTokens(): { readonly manager: string; readonly worker: string };
  rotateJoinToken(role: 'manager' | 'worker'): Promise<unknown>;
  rotateRoot(options?: {
    readonly ca?: { readonly certificate: string; readonly privateKey: string };
  }): Promise<void>;
  setCertificateValidity(ms: number): Promise<void>;
  /** Turns autolock on, or makes another unlock key. */
  lock(): Promise<string>;
  /** Turns autolock off. */
  unlock(): Promise<void>;
  promote(node: string): Promise<void>;
  demote(node: string): Promise<void>;
  remove(node: string, options?: { readonly force?: boolean }): Promise<void>;
}

/** What a node is in its swarm just now. */
export type Standing =
  /** In no swarm. */
  | { readonly kind: 'inactive' }
  /** What it keeps is sealed, and the unlock key was not given yet. */
  | { readonly kind: 'locked' }
  /** On its way in. */
  | { readonly kind: 'pending' }
  /** It could not be taken up. */
  | { readonly kind: 'error'; readonly message: string }
  | {
      readonly kind: 'worker';
      readonly nodeId: NodeId;
      readonly advertise: string;
      /** Addresses of managers, `host:port`. */
      readonly managers: readonly string[];
    }
  | { readonly kind: 'manager'; readonly manager: Manager };

/** How a swarm is made. */
export interface InitRequest {
  readonly listen?: string;
  readonly advertise?: string;
  readonly availability?: 'active' | 'pause' | 'drain';
  readonly forceNewCluster: boolean;
  readonly autolock: boolean;
  readonly taskHistoryLimit?: number;
  readonly heartbeatMs?: number;
  readonly certificateValidityMs?: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** How a swarm is joined. */
export interface JoinRequest {
  readonly listen?: string;
  readonly advertise?: string;
  readonly remotes: readonly string[];
  readonly token: string;
  readonly availability?: 'active' | 'pause' | 'drain';
}

/** The node behind the API. */
export interface Membership {
  readonly standing: Standing;
  readonly hostname: string;
  /** What runs tasks here. */
  readonly driver: string;
  /** Makes a swarm. Called only while the node is in none. */
  init(request: InitRequest): Promise<NodeId>;
  /** Joins a swarm. Called only while the node is in none. */
  join(request: JoinRequest): Promise<void>;
  /** Leaves the swarm. Called only while the node is in one. */
  leave(options: { readonly force: boolean }): Promise<void>;
  /** Opens what is sealed. Called only while the node is locked. */
  unlock(key: string): Promise<void>;
}
