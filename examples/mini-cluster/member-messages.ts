/**
 * What the launcher and a node's process say to each other, over the pipe that Node opens between a process and its
 * child. Nobody else can read it, so join tokens and secrets go this way.
 */

import type { NodeId, SpecIssue } from '@skep/core';
import type { JoinTokens } from '@skep/node';
import type { Applied, StackPort } from '@skep/stack';
import type { NodeDriver } from './node-driver.ts';
import type { Picture } from './picture.ts';

/** What the launcher says. */
export type Order =
  | { readonly kind: 'begin'; readonly as: MemberOptions }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** Tell how the cluster is, now and after each change. */
  | { readonly kind: 'show' }
  | { readonly kind: 'end'; readonly tasks: TasksAtEnd };

/** What the node says. */
export type Report =
  /** `viewPort`: where a manager serves the view, on the node's host. */
  | { readonly kind: 'ready'; readonly nodeId: NodeId; readonly viewPort?: number }
  /** It could not become a node. Its process ends. */
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'picture'; readonly picture: Picture };

/** What a node is to be. */
export interface MemberOptions {
  /** The node's state directory. If it holds a node, that one is started again. */
  readonly dir: string;
  readonly hostname: string;
  /** Where it listens and is reached, `host:port`. */
  readonly address: string;
  readonly driver: NodeDriver;
  /** The view that managers serve; the launcher passes on what a browser asks. */
  readonly view: MemberView;
  /** Where the docker CLI finds the node. Absent: the path would be too long for a socket. */
  readonly socket?: string;
  /** How a node that is not there yet comes to be. */
  readonly origin: NodeOrigin;
  /** When the launcher is gone: keep all for the next time, or leave nothing behind. */
  readonly keep: boolean;
}

/** What managers serve the view with. */
export interface MemberView {
  /** The page's files. */
  readonly pageDir: string;
  /** For actions. Absent: the page only shows. */
  readonly token?: string;
}

/** As the first of a new cluster, or by joining one; `there`: it has to be there. */
export type NodeOrigin =
  | { readonly kind: 'there' }
  | { readonly kind: 'first' }
  | { readonly kind: 'join'; readonly token: string; readonly remotes: readonly string[] };

/** What becomes of a node's tasks when it ends: they end first, or run on until it is started again. */
export type TasksAtEnd = 'stop' | 'leave';

/** What a node is asked, most of it only managers. */
export type Question =
  | { readonly kind: 'tokens' }
  /** Asked of any node: that its tasks end, while there are managers to tell. */
  | { readonly kind: 'stop-tasks' }
  | { readonly kind: 'apply'; readonly collection: keyof StackPort; readonly args: readonly unknown[] };

/** The question of a kind. */
export type QuestionOf<K extends Question['kind']> = Extract<Question, { readonly kind: K }>;

/** What each question is answered with. */
export interface Values {
  readonly tokens: JoinTokens;
  readonly 'stop-tasks': 'stopped';
  readonly apply: Applied;
}

/** An answer, or why there is none. */
export type Answer =
  | { readonly kind: 'value'; readonly value: Values[Question['kind']] }
  | { readonly kind: 'failure'; readonly failure: Failure };

/** An error as plain data. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** The same may succeed when asked again. */
  readonly retryable: boolean;
  /** The rules that a spec breaks, if that is it. */
  readonly issues?: readonly SpecIssue[];
}
