/** Simulates clusters of cores from seeds, and says what went wrong. */

export type { ActionName, SimulationPlan } from './plan.ts';
export { planOf } from './plan.ts';
export type { SimulationRequest, SimulationResult } from './simulation.ts';
export { simulate } from './simulation.ts';
export { Tally } from './tally.ts';
