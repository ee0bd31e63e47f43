/** Lets the scenarios and the simulations try to notice a planted bug. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Mutant } from './mutant.ts';
import { plant } from './plant.ts';

/** How a mutant ended. */
export interface MutantFate {
  readonly name: string;
  /** Scenarios that noticed it. */
  readonly scenarios: readonly string[];
  /** The first seed that noticed it, counted from the first that was tried. */
  readonly seedsToKill?: number;
  readonly seed?: number;
  readonly violation?: string;
}

/** How hard to try. */
export interface MutantLimits {
  readonly scenarios: boolean;
  readonly seedsMax: number;
  readonly steps: number;
  readonly firstSeed: number;
}

/** What is loaded from a patched copy. Its types are those of the original. */
type CoreSimulator = typeof import('../src/simulator/cores/simulate-cores.ts');
type NodeSimulator = typeof import('../src/simulator/nodes/simulate-nodes.ts');
type FileDisks = typeof import('../src/adapters/file-storage/simulated-file-disks.ts');
type Scenarios = typeof import('../src/scenario/run-scenario.ts');

/** One seed, to what it broke. */
type Simulate = (seed: number, steps: number) => Promise<string | undefined>;

/** Lets the scenarios, and the simulation of its layer, try to notice a bug, as far as they are asked to. */
export async function tryMutant(mutant: Mutant, limits: MutantLimits): Promise<MutantFate> {
  const { name, layer = 'core' } = mutant;
  const folder = await mkdtemp(join(tmpdir(), 'raft-mutant-'));
  try {
    await plant(mutant, folder);
    const load = (path: string) => import(/* @vite-ignore */ pathToFileURL(join(folder, 'src', path)).href);
    const scenarios =
      limits.scenarios && layer === 'core'
        ? await failingScenarios(await load('scenario/run-scenario.ts'))
        : [];
    if (limits.seedsMax === 0) return { name, scenarios };
    const simulate = await simulatorOf(layer, load);
    for (let tried = 0; tried < limits.seedsMax; tried++) {
      const seed = limits.firstSeed + tried;
      const violation = await simulate(seed, limits.steps);
      if (violation !== undefined) return { name, scenarios, seedsToKill: tried + 1, seed, violation };
    }
    return { name, scenarios };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function simulatorOf(
  layer: 'core' | 'node',
  load: (path: string) => Promise<unknown>,
): Promise<Simulate> {
  if (layer === 'core') {
    const { simulateCores } = (await load('simulator/cores/simulate-cores.ts')) as CoreSimulator;
    return async (seed, steps) => simulateCores({ seed, steps }).violation;
  }
  const { simulateNodes } = (await load('simulator/nodes/simulate-nodes.ts')) as NodeSimulator;
  const { SimulatedFileDisks } = (await load('adapters/file-storage/simulated-file-disks.ts')) as FileDisks;
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return async (seed, steps) =>
    (await simulateNodes({ seed, steps, turn, disks: new SimulatedFileDisks() })).violation;
}

async function failingScenarios({ runScenario }: Scenarios): Promise<string[]> {
  const folder = new URL('../scenarios/', import.meta.url);
  const failing: string[] = [];
  const files = (await readdir(folder)).filter((name) => name.endsWith('.txt'));
  for (const file of files.sort()) {
    try {
      runScenario(await readFile(new URL(file, folder), 'utf8'));
    } catch {
      failing.push(file.replace('.txt', ''));
    }
  }
  return failing;
}
