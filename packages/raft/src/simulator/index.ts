/** Simulates clusters from seeds, of cores alone or of whole nodes, and says what went wrong. */

export type { SimulationRequest } from './cores/simulate-cores.ts';
export { simulateCores } from './cores/simulate-cores.ts';
export type { DiskCall, DiskPace, MemberDisk, MemberDisks, StreamOf } from './nodes/member-disk.ts';
export { SimulatedMemoryDisks } from './nodes/memory-disks.ts';
export type { NodeAction, NodePlan } from './nodes/node-plan.ts';
export { nodePlanOf } from './nodes/node-plan.ts';
export type { NodeSimulationRequest } from './nodes/simulate-nodes.ts';
export { simulateNodes } from './nodes/simulate-nodes.ts';
export type { ActionName, SimulationPlan } from './plan.ts';
export { planOf } from './plan.ts';
export type { RandomStream } from './seeded-random.ts';
export { hashText, randomStream } from './seeded-random.ts';
export type { SimulationResult } from './simulation-result.ts';
export { Tally } from './tally.ts';
export { Violation } from './violation.ts';
