/** What runs a node's tasks, made from plain data: a node's process is told it, and its launcher clears up with it. */

import type { RuntimeDriver } from '@skep/core/driver';
import type { Programs } from './programs.ts';

/** What tasks run as, and what the node offers. */
export type NodeDriver = { readonly resources: NodeDriverResources } & (
  | { readonly kind: 'process'; readonly programs: Programs }
  /** Containers of the engine that listens there; all nodes share it. */
  | { readonly kind: 'docker'; readonly engine: string; readonly removeOnClose: boolean }
);

/** What a node offers: its share of this machine or of the engine, or what is given. */
export interface NodeDriverResources {
  readonly divideBy: number;
  readonly cpus?: number;
  readonly memoryBytes?: number;
}

/** Calls to an engine at a time, of all nodes together: more make it slower. */
const ENGINE_CALLS = 16;

/** Makes the driver of one node. Loads only what that takes. */
export async function driverFrom(driver: NodeDriver): Promise<RuntimeDriver> {
  const { resources } = driver;
  if (driver.kind === 'process') {
    const { ProcessDriver } = await import('@skep/process-driver');
    return new ProcessDriver({ programs: driver.programs, resources });
  }
  const { CallLimit, DockerDriver } = await import('@skep/docker-driver');
  const { engine, removeOnClose } = driver;
  const callLimit = new CallLimit(Math.max(1, Math.floor(ENGINE_CALLS / resources.divideBy)));
  return new DockerDriver({ engine, removeOnClose, callLimit, init: true, resources });
}
