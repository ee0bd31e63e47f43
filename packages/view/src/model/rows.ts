/**
 * What the page is told of a cluster: plain rows, small enough that ten thousand of them are sent at once. They hold
 * what is to be seen and nothing else: no environment, no secret, no file.
 */

import type { DesiredState, NodeState, TaskState, UpdateState } from '@skep/core';

/** A node: a column of the grid. */
export interface NodeRow {
  readonly id: string;
  /** Its hostname. */
  readonly name: string;
  readonly state: NodeState;
  /** Why it is in that state, in words. */
  readonly message: string;
  readonly availability: 'active' | 'pause' | 'drain';
  readonly role: 'manager' | 'worker';
  readonly address: string;
  /** Name of the driver that runs its tasks. */
  readonly driver: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** A published port of a service. */
export interface PortRow {
  /** Absent in host mode, where each node gives one. */
  readonly published?: number;
  readonly target: number;
  readonly protocol: string;
}

/** A service and how far it is. */
export interface ServiceRow {
  readonly id: string;
  readonly name: string;
  readonly mode: string;
  /** Its image, or its command where it has none. */
  readonly image: string;
  readonly desired: number;
  readonly running: number;
  /** Of those that run, the ones made from the newest spec. */
  readonly current: number;
  readonly converged: boolean;
  /** What stands in the way, in words. */
  readonly reasons: readonly string[];
  readonly ports: readonly PortRow[];
  /** Names of its networks. */
  readonly networks: readonly string[];
  readonly update?: {
    readonly state: UpdateState;
    readonly message: string;
    /** Slots that were to be replaced when it began. */
    readonly slots: number;
    readonly failures: number;
  };
}

/** A task: a cell of the grid. */
export interface TaskRow {
  readonly id: string;
  /** Id of its service. */
  readonly service: string;
  /** From 1; 0 in a global service, whose slot is the node. */
  readonly slot: number;
  /** Id of its node. Absent: it waits for one. */
  readonly node?: string;
  readonly state: TaskState;
  readonly desired: DesiredState;
  /** When its state came about; milliseconds since 1970. */
  readonly since: number;
  /** What went wrong, or why it waits, in words. */
  readonly error?: string;
}

/** A network. */
export interface NetworkRow {
  readonly id: string;
  readonly name: string;
}

/** A manager, as the member that is asked knows of it. */
export interface ManagerRow {
  readonly id: string;
  readonly name: string;
  readonly leads: boolean;
  /** Absent: not known here. */
  readonly reachable?: boolean;
}

/** The tables, by name. */
export interface Rows {
  readonly nodes: readonly NodeRow[];
  readonly services: readonly ServiceRow[];
  readonly tasks: readonly TaskRow[];
  readonly networks: readonly NetworkRow[];
}

/** Name of a table. */
export type TableName = keyof Rows;

/** All tables. */
export const TABLE_NAMES = ['nodes', 'services', 'tasks', 'networks'] as const satisfies readonly TableName[];

/** The cluster at one moment. */
export interface ViewSnapshot extends Rows {
  /** Index of the last transaction that it holds. */
  readonly index: number;
  /** When that was committed; milliseconds since 1970, the leader's clock. */
  readonly at: number;
}

/** Rows that changed in one table, as they are now, and the ids of those that are gone. */
export interface TableDelta<Row> {
  readonly put?: readonly Row[];
  readonly gone?: readonly string[];
}

/** What changed between two moments. A table that is absent did not change. */
export interface ViewDelta {
  /** Index of the last transaction that it holds. */
  readonly index: number;
  readonly at: number;
  readonly nodes?: TableDelta<NodeRow>;
  readonly services?: TableDelta<ServiceRow>;
  readonly tasks?: TableDelta<TaskRow>;
  readonly networks?: TableDelta<NetworkRow>;
}

/** How the member is that tells all this. */
export interface ViewStatus {
  /** Index of the newest transaction that it has applied. */
  readonly index: number;
  readonly managers: readonly ManagerRow[];
  /** A manager leads, as far as this member knows. Without one, what it shows may be old. */
  readonly hasLeader: boolean;
  /** The time here; milliseconds since 1970. */
  readonly now: number;
  /** What may be done from the page. */
  readonly actions: boolean;
  /** The past can be looked at. */
  readonly history: boolean;
}

/** One message of the stream. */
export type ViewMessage =
  | { readonly type: 'snapshot'; readonly snapshot: ViewSnapshot }
  | { readonly type: 'delta'; readonly delta: ViewDelta }
  /** Told at once, on each change, and every second as a sign of life. */
  | { readonly type: 'status'; readonly status: ViewStatus };
