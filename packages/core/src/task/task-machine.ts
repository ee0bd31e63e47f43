/**
 * A task's life, as one XState machine. Its states are the observed task states; its events are what happened to the
 * task, named after whoever may say so: `manager.*` or `worker.*`. It stands between the model and both sides:
 * executors run it as live actors, and the managers' table of allowed moves (`task-transitions.ts`) is derived from it.
 *
 * It has no effects and reads no clock. Where a state is left only forward, nothing here leads back.
 */

import { setup } from 'xstate';

/** What happened to a task, and who says so. */
export type TaskEvent =
  /** The allocator gave it what it needs. */
  | { readonly type: 'manager.allocated' }
  /** The scheduler gave it a node. */
  | { readonly type: 'manager.assigned' }
  /** It was given up before it had a node. */
  | { readonly type: 'manager.withdrawn' }
  /** Its node no longer meets its constraints. */
  | { readonly type: 'manager.evicted' }
  /** Its node is gone for good. */
  | { readonly type: 'manager.orphaned' }
  /** The agent took it. */
  | { readonly type: 'worker.accepted' }
  /** The driver was asked to prepare it. */
  | { readonly type: 'worker.preparing' }
  /** The driver has prepared it. */
  | { readonly type: 'worker.prepared' }
  /** The driver was asked to start it. */
  | { readonly type: 'worker.starting' }
  /** It runs, and is healthy where health is probed. */
  | { readonly type: 'worker.running' }
  /** It ended by itself with exit code 0. */
  | { readonly type: 'worker.completed' }
  /** It ended by itself otherwise, or could not go on. */
  | { readonly type: 'worker.failed' }
  /** It can't be started here. */
  | { readonly type: 'worker.refused' }
  /** It was stopped because it should not run any more. */
  | { readonly type: 'worker.stopped' };

/** The machine. States are named as {@link TaskState}; ended ones are final. */
export const taskMachine = setup({ types: { events: {} as TaskEvent } }).createMachine({
  id: 'task',
  initial: 'new',
  states: {
    new: {
      on: {
        'manager.allocated': 'pending',
        'manager.withdrawn': 'shutdown',
        'manager.orphaned': 'orphaned',
      },
    },
    pending: {
      on: {
        'manager.assigned': 'assigned',
        'manager.withdrawn': 'shutdown',
        'manager.orphaned': 'orphaned',
      },
    },
    assigned: {
      on: {
        'worker.accepted': 'accepted',
        'worker.refused': 'rejected',
        'worker.stopped': 'shutdown',
        'manager.evicted': 'rejected',
        'manager.orphaned': 'orphaned',
      },
    },
    accepted: {
      on: {
        'worker.preparing': 'preparing',
        'worker.refused': 'rejected',
        'worker.stopped': 'shutdown',
        'manager.evicted': 'rejected',
        'manager.orphaned': 'orphaned',
      },
    },
    preparing: {
      on: {
        'worker.prepared': 'ready',
        'worker.refused': 'rejected',
        'worker.stopped': 'shutdown',
        'manager.evicted': 'rejected',
        'manager.orphaned': 'orphaned',
      },
    },
    ready: {
      on: {
        'worker.starting': 'starting',
        'worker.refused': 'rejected',
        'worker.stopped': 'shutdown',
        'manager.evicted': 'rejected',
        'manager.orphaned': 'orphaned',
      },
    },
    starting: {
      on: {
        'worker.running': 'running',
        'worker.completed': 'complete',
        'worker.failed': 'failed',
        'worker.stopped': 'shutdown',
        'manager.evicted': 'rejected',
        'manager.orphaned': 'orphaned',
      },
    },
    running: {
      on: {
        'worker.completed': 'complete',
        'worker.failed': 'failed',
        'worker.stopped': 'shutdown',
        'manager.evicted': 'rejected',
        'manager.orphaned': 'orphaned',
      },
    },
    complete: { type: 'final' },
    shutdown: { type: 'final' },
    failed: { type: 'final' },
    rejected: { type: 'final' },
    orphaned: { type: 'final' },
  },
});
