/**
 * What is told of a placement: why a task has no node, or why it has the one that it has. Made by the scheduler while
 * it decides, shared by all tasks that were decided about together, and bounded, so that telling a million tasks why
 * costs no more than telling a few.
 */

import type { NodeId } from './ids.ts';

/** What exactly of a filter turned nodes away. */
export interface RejectionCause {
  /**
   * `cpus`, `memory` or the name of a generic resource; a constraint as the spec has it; `8080/tcp`; `network/overlay`;
   * `down`, `unknown`, `drained` or `paused` for a node that takes no tasks.
   */
  readonly what: string;
  readonly nodes: number;
  /** Of a resource, what one task reserves: processors, bytes or pieces. */
  readonly asked?: number;
  /** Of a resource, the most that any of these nodes had free, in the same unit. Negative where one is overbooked. */
  readonly freeAtBest?: number;
}

/** Nodes that one filter turned away. The first filter that rejects a node is the one counted. */
export interface Rejection {
  /**
   * `ready`, `resources`, `plugin`, `constraint`, `platform`, `host-port`, `max-replicas`, `volume`, `affinity` or
   * `anti-affinity`; `lease` where the task waits for another of its slot, and no node was looked at.
   */
  readonly filter: string;
  readonly nodes: number;
  /** By what, most nodes first, {@link CAUSES_MAX} at most. Absent where older versions wrote it. */
  readonly by?: readonly RejectionCause[];
}

/** Most causes that are told of one filter. */
export const CAUSES_MAX = 4;

/** What a look at the nodes found, for tasks that could not be placed. */
export interface PlacementFinding {
  /** Nodes that were looked at. */
  readonly nodes: number;
  /** Most nodes first. */
  readonly rejected: readonly Rejection[];
  /** The whole in words: `no suitable node (insufficient resources on 2 nodes: cpus; …)`. */
  readonly message: string;
}

/** When something was decided. */
interface Decided {
  /** Index of the transaction. */
  readonly index: number;
  /** Milliseconds since 1970, the leader's clock. */
  readonly at: number;
}

/** Why a task has no node. */
export interface PlacementExplanation extends PlacementFinding, Decided {}

/** A node that a task could have been given, with all that nodes are compared by, in this order: less is better. */
export interface PlacementCandidate {
  readonly nodeId: NodeId;
  /** By spread preference, outermost first: tasks of the service in the branch that the node is in. */
  readonly spread?: readonly number[];
  /** Failures of the service there in the last minutes; 0 as long as they are too few to count. */
  readonly failures: number;
  /** Preferred rules of affinity that it breaks. Absent: the tasks have none. */
  readonly broken?: number;
  /** With `binpack`: the share of its processors and memory that a task leaves free. */
  readonly free?: number;
  /** Active tasks of the service there. With `binpack` more of all tasks are better, and these don't count. */
  readonly serviceTasks: number;
  /** Active tasks of all services there. Between equals, the node that joined first is taken. */
  readonly tasks: number;
}

/** Most candidates that are told. */
export const CANDIDATES_MAX = 3;

/** What is told of tasks of one service that were placed together. */
export interface PlacementChoice {
  /** How many tasks were placed together. */
  readonly placed: number;
  /** Nodes that were looked at. */
  readonly nodes: number;
  /** Those that could not take a task once the last of these was placed. */
  readonly rejected: readonly Rejection[];
  /** The best nodes for the first of these tasks, best first. */
  readonly candidates: readonly PlacementCandidate[];
}

/** Why a task has the node that it has. */
export interface PlacementDecision extends PlacementChoice, Decided {}
