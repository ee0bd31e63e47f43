/**
 * What each node must know, told when it changes: its role, the roots, who signs, where the managers are. One desk a
 * manager listens to the state once, for all the nodes that follow it.
 */

import type { Cluster, NodeId } from '@skep/core';
import { NodeError } from '../errors.ts';
import { signerOf, trustedRoots } from '../security/trust-record.ts';
import { type ManagerContext, managerAddresses } from './manager-context.ts';
import type { News } from './methods.ts';

/** What one node takes of the leader's time when all of them renew their certificates, in milliseconds. */
const SHARE_MS = 20;

/** Tells nodes the news. */
export class NewsDesk {
  readonly #context: ManagerContext;
  readonly #waiting = new Map<NodeId, Set<() => void>>();
  readonly #stops: (() => void)[];

  constructor(context: ManagerContext) {
    this.#context = context;
    const { cluster, raft, trust } = context;
    const nodes = cluster.watch({ kind: 'node' }).subscribe((event) => {
      this.#wake('object' in event ? event.object.id : undefined);
    });
    let members = '';
    this.#stops = [
      () => nodes.unsubscribe(),
      trust.onChange(() => this.#wake()),
      raft.onStatus(() => {
        const now = managerAddresses(context).join();
        if (now !== members) this.#wake();
        members = now;
      }),
    ];
  }

  /** The news of one node now. @throws NodeError `NODE_REMOVED`, `BUSY` */
  newsOf(node: NodeId): News {
    const { cluster, trust } = this.#context;
    const role = roleOf(this.#context, node);
    if (role === undefined) throw new NodeError('NODE_REMOVED', `node ${node} is not part of the cluster`);
    const { record } = trust;
    return {
      role,
      roots: trustedRoots(record),
      signer: signerOf(record).certificate,
      renewBefore: record.renewBefore,
      spreadMs: SHARE_MS * cluster.nodes.count,
      isRotating: record.rotation !== undefined,
      managers: [...managerAddresses(this.#context)],
    };
  }

  /** The news of a node now, and each time that they change. @throws NodeError `NODE_REMOVED`; the signal's reason. */
  async *follow(node: NodeId, signal: AbortSignal): AsyncGenerator<News, void, undefined> {
    let told = '';
    for (;;) {
      signal.throwIfAborted();
      const woken = this.#nextWake(node, signal);
      const news = this.newsOf(node);
      const text = JSON.stringify(news);
      if (text !== told) yield news;
      told = text;
      await woken;
    }
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#wake();
  }

  #nextWake(node: NodeId, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wakers = this.#waiting.get(node) ?? new Set();
      this.#waiting.set(node, wakers);
      const wake = () => {
        signal.removeEventListener('abort', wake);
        wakers.delete(wake);
        if (wakers.size === 0) this.#waiting.delete(node);
        resolve();
      };
      wakers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #wake(node?: NodeId): void {
    const woken = node === undefined ? [...this.#waiting.values()] : [this.#waiting.get(node) ?? []];
    for (const wakers of woken) for (const wake of [...wakers]) wake();
  }
}

/** The role that a node is to have; undefined if the cluster has no such node. */
export function roleOf(
  { cluster }: { readonly cluster: Pick<Cluster, 'nodes'> },
  node: NodeId,
): News['role'] | undefined {
  return cluster.nodes.get(node)?.spec.role;
}
