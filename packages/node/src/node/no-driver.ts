/**
 * Stands in for the driver of a node that has none: the managers hear that the node lives all the same, and that it can
 * run nothing.
 */

import { type NodeDescription, PreconditionError, type SpecIssue } from '@skep/core';
import type { DriverContext, RecoveredTask, RuntimeDriver, TaskRuntime } from '@skep/core/driver';

/** What the list of nodes says in the place of the driver's name. */
export const NO_DRIVER = 'none';

/** Runs nothing. */
export class NoDriver implements RuntimeDriver {
  readonly name = NO_DRIVER;
  #hostname = '';

  open({ hostname }: DriverContext): Promise<readonly RecoveredTask[]> {
    this.#hostname = hostname;
    return Promise.resolve([]);
  }

  describe(): Promise<NodeDescription> {
    return Promise.resolve({
      hostname: this.#hostname,
      platform: { os: '', architecture: '' },
      resources: { cpus: 0, memoryBytes: 0, generic: {} },
      engine: { driver: NO_DRIVER, version: '', labels: {} },
      capabilities: { exec: false, stats: false, limits: { cpus: false, memory: false, pids: false } },
    });
  }

  check(): readonly SpecIssue[] {
    return [{ field: 'placement', rule: 'must lead to a node with a driver: this one has none' }];
  }

  runtime(): TaskRuntime {
    throw new PreconditionError('this node has no driver: it runs no tasks');
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
