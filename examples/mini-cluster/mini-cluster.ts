/**
 * The mini-cluster: one manager and some workers in one process, each with a driver of its own. What
 * `npm start` shows, as a library of two functions.
 */

import { Cluster, type ServiceStatus, TimeoutError } from '@skep/core';
import type { RuntimeDriver } from '@skep/core/driver';
import { CallLimit, DockerDriver } from '@skep/docker-driver';
import { ProcessDriver } from '@skep/process-driver';
import type { Stack } from '@skep/stack';
import { programs } from './programs.ts';

/** Options of {@link openMiniCluster}. */
export interface MiniClusterOptions {
  /** Where the cluster keeps its log and its nodes their tasks' files. */
  readonly dir: string;
  /** Nodes beside the manager's own. */
  readonly workers: number;
  readonly signal?: AbortSignal;
  /** What a node's driver runs tasks as. Default: child processes. */
  readonly driver?: NodeDriver;
  /** What each node offers. Default: its share of this machine, or of the engine. */
  readonly resources?: { readonly cpus?: number; readonly memoryBytes?: number };
}

/** What tasks run as. */
export type NodeDriver =
  | { readonly kind: 'process' }
  /** Containers of the engine that listens there; all nodes share it. */
  | { readonly kind: 'docker'; readonly engine: string; readonly removeOnClose: boolean };

/** Opens the cluster of this directory, or makes it, and waits until its nodes are ready. */
export async function openMiniCluster(options: MiniClusterOptions): Promise<Cluster> {
  const { dir, workers, signal } = options;
  const waiting = signal === undefined ? {} : { signal };
  const driver = driversOf(options);
  const cluster = await Cluster.open({
    ...waiting,
    dir,
    driver: driver(),
    node: { hostname: 'manager-1', spec: { role: 'manager' } },
  });
  try {
    for (let number = 1; number <= workers; number += 1) {
      await cluster.addNode({ ...waiting, driver: driver(), hostname: `worker-${number}` });
    }
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/** Makes the drivers of the nodes, one at each call. */
function driversOf({
  driver = { kind: 'process' },
  workers,
  resources = {},
}: MiniClusterOptions): () => RuntimeDriver {
  const shared = { resources: { divideBy: workers + 1, ...resources } };
  if (driver.kind === 'process') return () => new ProcessDriver({ programs, ...shared });
  const { engine, removeOnClose } = driver;
  const callLimit = new CallLimit();
  return () => new DockerDriver({ engine, removeOnClose, callLimit, init: true, ...shared });
}

/** What became of waiting for a stack. */
export interface Convergence {
  readonly converged: boolean;
  /** Why not, service by service. */
  readonly reasons: readonly string[];
}

/** Waits until every service of the stack has converged, or tells why it has not. */
export async function converge(
  cluster: Cluster,
  stack: Stack,
  options: { readonly timeout: number; readonly signal?: AbortSignal },
): Promise<Convergence> {
  const waits = stack.services.map(({ name }) =>
    cluster.services.waitFor(name, 'running', options).then(
      () => [],
      (error: unknown) => {
        if (!(error instanceof TimeoutError)) throw error;
        return [unmet(name, cluster.services.status(name))];
      },
    ),
  );
  const reasons = (await Promise.all(waits)).flat();
  return { converged: reasons.length === 0, reasons };
}

function unmet(name: string, status: ServiceStatus): string {
  const why = status.reasons.length === 0 ? 'it needs more time' : status.reasons.join('; ');
  return `${name}: ${status.running} of ${status.desired} tasks run: ${why}`;
}
