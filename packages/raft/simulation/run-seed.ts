/** Runs one seed in one of the layers, on this machine. */

import { SimulatedFileDisks } from '../src/adapters/file-storage/simulated-file-disks.ts';
import type { SimulationResult } from '../src/simulator/index.ts';
import { simulateCores, simulateNodes } from '../src/simulator/index.ts';

/** `node` simulates whole nodes with their storage and transport, `core` the bare cores, many times faster. */
export type Layer = 'core' | 'node';

/** What one run is. */
export interface SeedRun {
  readonly layer: Layer;
  readonly seed: number;
  readonly steps: number;
  readonly trace: 'none' | 'keep';
}

/** A turn of this process's event loop. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Runs it to its end. */
export async function runSeed({ layer, ...request }: SeedRun): Promise<SimulationResult> {
  if (layer === 'core') return simulateCores(request);
  return simulateNodes({ ...request, turn, disks: new SimulatedFileDisks() });
}
