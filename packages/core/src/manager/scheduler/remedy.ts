/** What would make a task fit that fits nowhere, as data and in words. */

import type { NodeId } from '../../model/ids.ts';

/** One thing that would have to change on a node. */
export type RemedyChange =
  /** It offers, or has free, so much more: processors, bytes, or pieces of a generic resource. */
  | { readonly kind: 'resource'; readonly resource: string; readonly more: number }
  /** A label of the node, or of its engine, has this value. */
  | { readonly kind: 'label'; readonly label: string; readonly value: string }
  /** A label of the node, or of its engine, has none of these values. */
  | { readonly kind: 'other-label'; readonly label: string; readonly not: readonly string[] }
  /** It meets this constraint, in one of several ways: `node.labels.cores > 8`. */
  | { readonly kind: 'constraint'; readonly constraint: string }
  | { readonly kind: 'role'; readonly role: 'manager' | 'worker' }
  /** What holds this port of the host ends: `8080/tcp`. */
  | { readonly kind: 'host-port'; readonly port: string }
  /** It is ready, not down or unheard of. */
  | { readonly kind: 'ready' }
  /** It is active, not paused or drained. */
  | { readonly kind: 'active' }
  /** The service allows so many replicas on one node, or so many of those there end. */
  | { readonly kind: 'replicas'; readonly most: number; readonly ending: number }
  | { readonly kind: 'plugin'; readonly plugin: string }
  /** It is forgotten where these volumes live: they are empty elsewhere. */
  | { readonly kind: 'volume'; readonly volumes: readonly string[] }
  /** Tasks that a rule of affinity is about come near, or those near end: `a task of service cache on the node`. */
  | { readonly kind: 'near' | 'away'; readonly wanted: string };

/** What a new node would have to offer. */
export interface NewNode {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly generic: Readonly<Record<string, number>>;
  readonly constraints: readonly string[];
  /** As `linux/amd64`; any of them. Empty: any at all. */
  readonly platforms: readonly string[];
}

/** One way to make the task fit. */
export type Remedy =
  | {
      readonly kind: 'change';
      /** All of this, on one of the nodes. Fewest first among remedies. */
      readonly changes: readonly RemedyChange[];
      /** Nodes on any one of which it would do, {@link REMEDY_NODES_MAX} at most. */
      readonly nodes: readonly { readonly id: NodeId; readonly name: string }[];
      /** How many nodes those are in all. */
      readonly count: number;
      /** In words: `2 more CPUs on any of 3 nodes`. */
      readonly message: string;
    }
  | { readonly kind: 'new-node'; readonly node: NewNode; readonly message: string };

/** Most nodes that a remedy names. */
export const REMEDY_NODES_MAX = 5;
/** Most remedies that are told, a new node apart. */
export const REMEDIES_MAX = 5;

const MIB = 1024 * 1024;

/** A change of a node in words. */
export function changeInWords(change: RemedyChange): string {
  switch (change.kind) {
    case 'resource':
      return amountInWords(change.resource, change.more);
    case 'label':
      return `label ${change.label}=${change.value}`;
    case 'other-label':
      return `label ${change.label} other than ${change.not.join(', ')}`;
    case 'constraint':
      return `meeting ${change.constraint}`;
    case 'role':
      return `role ${change.role}`;
    case 'host-port':
      return `host port ${change.port} freed`;
    case 'ready':
      return 'being ready';
    case 'active':
      return 'being active';
    case 'replicas':
      return `${change.most} replicas per node allowed, or ${change.ending} fewer there`;
    case 'plugin':
      return `plugin ${change.plugin}`;
    case 'volume':
      return `${change.volumes.length === 1 ? 'volume' : 'volumes'} ${change.volumes.join(', ')} forgotten`;
    case 'near':
    case 'away':
      return change.wanted;
  }
}

/** So much more of a resource, in words. */
export function amountInWords(resource: string, more: number): string {
  if (resource === 'cpus') return `${more} more ${more === 1 ? 'CPU' : 'CPUs'}`;
  if (resource === 'memory') return `${Math.ceil((more / MIB) * 10) / 10} MiB more memory`;
  return `${more} more ${resource}`;
}

/** A new node in words. */
export function newNodeInWords({ cpus, memoryBytes, generic, constraints, platforms }: NewNode): string {
  const asked = [
    ...(cpus > 0 ? [`${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}`] : []),
    ...(memoryBytes > 0 ? [`${Math.ceil((memoryBytes / MIB) * 10) / 10} MiB of memory`] : []),
    ...Object.entries(generic).map(([name, amount]) => `${amount} ${name}`),
    ...constraints,
    ...(platforms.length > 0 ? [platforms.join(' or ')] : []),
  ];
  return asked.length === 0 ? 'a new node' : `a new node with ${asked.join(', ')}`;
}
