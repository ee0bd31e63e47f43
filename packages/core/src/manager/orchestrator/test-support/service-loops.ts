/** The control loops that see to services which run on, from what is asked for to where tasks stand. */

import { createAllocator } from '../../allocator/allocator.ts';
import { createScheduler } from '../../scheduler/scheduler.ts';
import { createConstraintEnforcer } from '../constraint-enforcer.ts';
import { createGlobalOrchestrator } from '../global.ts';
import { createReplicatedOrchestrator } from '../replicated.ts';
import { createTaskReaper } from '../task-reaper.ts';

/** New instances of them, as a leader that begins has. */
export const serviceLoops = () => [
  createReplicatedOrchestrator(),
  createGlobalOrchestrator(),
  createConstraintEnforcer(),
  createAllocator(),
  createScheduler(),
  createTaskReaper(),
];
