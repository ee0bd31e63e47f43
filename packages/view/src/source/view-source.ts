/**
 * What the page asks for, whoever answers: a server over HTTP, or a cluster in the very same tab.
 */

import type { HistoryEvent, Plan, ServiceDiagnosis, TaskExplanation } from '@skep/core';
import type { ViewMessage, ViewSnapshot } from '../model/rows.ts';

/** What may be planned, and, but for a loss, done. */
export type ViewAction =
  | { readonly kind: 'scale'; readonly service: string; readonly replicas: number }
  | { readonly kind: 'drain' | 'activate' | 'lose'; readonly node: string };

/** Moments of the log that can be looked at. */
export interface MomentRange {
  readonly first: number;
  readonly last: number;
}

/** One transaction of the log, in words. */
export interface ViewTransaction {
  readonly index: number;
  /** Milliseconds since 1970, the leader's clock. */
  readonly at: number;
  /** Who did it: `user ann`, `scheduler`, `node worker-1`. */
  readonly actor: string;
  /** Index of the transaction that led to it. */
  readonly cause?: number;
  /** What it changed, in words; {@link CHANGES_TOLD} at most. */
  readonly changes: readonly ViewChange[];
  /** How many changes it had in all, as far as they were read. */
  readonly count: number;
}

/** One change of one object. */
export interface ViewChange {
  readonly kind: string;
  readonly id: string;
  readonly text: string;
}

/** Most changes of a transaction that are told one by one. */
export const CHANGES_TOLD = 20;

/** A transaction and what came of it. */
export interface ViewTransactionDetail {
  /** Absent: nothing changed at this index that anyone can see. */
  readonly transaction?: ViewTransaction;
  /** Transactions that name it as their cause, of the next ones. */
  readonly caused: readonly ViewTransaction[];
}

/** One step of a task's life. */
export interface LifeStep {
  readonly index?: number;
  readonly at: number;
  readonly state: string;
  readonly desired: string;
  readonly actor?: string;
  /** Why, in words. */
  readonly message: string;
}

/** A task, in full. */
export interface TaskDetail {
  readonly id: string;
  readonly service: string;
  readonly serviceId: string;
  readonly slot: number;
  readonly node?: { readonly id: string; readonly name: string };
  readonly image: string;
  /** Where it listens: `127.0.0.1:8080 -> 80/tcp`. */
  readonly ports: readonly string[];
  readonly runtime?: string;
  readonly replaces?: string;
  /** Oldest first. */
  readonly life: readonly LifeStep[];
  /** Absent when it is asked of the past. */
  readonly explanation?: TaskExplanation;
}

/** A service, in full. */
export interface ServiceDetail {
  readonly id: string;
  readonly name: string;
  /** Absent when it is gone, or asked of the past. */
  readonly diagnosis?: ServiceDiagnosis;
  /** What happened to it, newest last. */
  readonly history: readonly ViewTransaction[];
}

/** A piece of a task's output. */
export interface LogText {
  readonly at: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** Answers the page. Errors are those of the cluster. */
export interface ViewSource {
  /** From a snapshot, or from behind `from` where that is still known, on to what happens. */
  stream(options: { readonly from?: number; readonly signal: AbortSignal }): AsyncIterable<ViewMessage>;
  /** The cluster as it was. @throws HistoryPrunedError */
  at(moment: number | Date, signal?: AbortSignal): Promise<ViewSnapshot>;
  range(signal?: AbortSignal): Promise<MomentRange>;
  /** Transactions around a moment: so many that end with it. */
  events(to: number, limit: number, signal?: AbortSignal): Promise<readonly ViewTransaction[]>;
  event(index: number, signal?: AbortSignal): Promise<ViewTransactionDetail>;
  task(id: string, signal?: AbortSignal): Promise<TaskDetail>;
  service(id: string, signal?: AbortSignal): Promise<ServiceDetail>;
  logs(task: string, signal: AbortSignal): AsyncIterable<LogText>;
  plan(action: ViewAction, signal?: AbortSignal): Promise<Plan>;
  /** Does it. @throws PreconditionError where actions are not allowed */
  act(action: ViewAction, signal?: AbortSignal): Promise<void>;
}

/** A story's change. */
export type StoryChange = Exclude<HistoryEvent, { readonly type: 'gap' }>;
