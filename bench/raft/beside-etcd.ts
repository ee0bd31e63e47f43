/** Writes and reads of both, turn about: each round measures one after the other, and a row is the median of rounds. */

import type { ProcessCluster } from '../../packages/raft/src/adapters/test-support/process-cluster.ts';
import { type LoopResult, median } from './closed-loop.ts';
import type { Etcd } from './etcd.ts';
import { loadFromOutside } from './skep.ts';

/** How long to measure. */
export interface BesideEtcdOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly keys: number;
}

/** One kind of load, on each of the three. */
export interface ComparedRow {
  readonly name: string;
  /** Clients in a process of their own, over one connection with mutual TLS. */
  readonly skep: LoopResult;
  /** The same for etcd, through its Go client. */
  readonly etcd?: LoopResult;
  /** Loops inside of the leader's process: how a library is used. */
  readonly embedded: LoopResult;
}

const LOADS = [
  { op: 'put', clients: 1 },
  { op: 'put', clients: 100 },
  { op: 'put', clients: 1000 },
  { op: 'read', clients: 1 },
  { op: 'read', clients: 1000 },
] as const;

/** Measures all loads. */
export async function besideEtcd(
  cluster: ProcessCluster,
  etcd: Etcd | undefined,
  { rounds, seconds, keys }: BesideEtcdOptions,
): Promise<ComparedRow[]> {
  const rows: ComparedRow[] = [];
  for (const { op, clients } of LOADS) {
    const results: Record<'skep' | 'etcd' | 'embedded', LoopResult[]> = { skep: [], etcd: [], embedded: [] };
    for (let round = 0; round < rounds; round++) {
      const shared = { clients, connections: 1, seconds, keys };
      results.skep.push(await loadFromOutside(cluster, { request: op, ...shared }));
      if (etcd !== undefined) {
        results.etcd.push(await etcd.load(op === 'put' ? 'put' : 'get', clients, seconds, shared));
      }
      const leader = await cluster.serving();
      results.embedded.push(
        op === 'put'
          ? await leader.call<LoopResult>('put', clients, seconds)
          : await leader.call<LoopResult>('read', clients, seconds, 'linearizable'),
      );
    }
    rows.push({
      name: op === 'put' ? `durable writes, ${clients} at once` : `linearizable reads, ${clients} at once`,
      skep: medians(results.skep),
      embedded: medians(results.embedded),
      ...(etcd === undefined ? {} : { etcd: medians(results.etcd) }),
    });
  }
  return rows;
}

/** Reads under the leader's lease, inside of its process. */
export async function leaseReads(
  cluster: ProcessCluster,
  { rounds, seconds }: BesideEtcdOptions,
): Promise<LoopResult> {
  const leader = await cluster.serving();
  const results: LoopResult[] = [];
  for (let round = 0; round < rounds; round++) {
    results.push(await leader.call<LoopResult>('read', 1000, seconds, 'lease'));
  }
  return medians(results);
}

function medians(results: readonly LoopResult[]): LoopResult {
  return {
    perSecond: median(results.map(({ perSecond }) => perSecond)),
    p50Ms: median(results.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(results.map(({ p99Ms }) => p99Ms)),
  };
}
