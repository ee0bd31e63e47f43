/** Where results go: JSON for programs, beside the machine that they were measured on, and plots for people. */

import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The machine, as far as it explains a figure. */
export interface Machine {
  readonly processors: string;
  readonly memoryGiB: number;
  readonly node: string;
  readonly platform: string;
  /** Load average of the last minute when the measurement began: 0 is a quiet machine. */
  readonly load: number;
}

/** The machine as it is now. */
export function thisMachine(): Machine {
  const all = cpus();
  return {
    processors: `${all.length} x ${all[0]?.model ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

/** One line about the machine. */
export function machineInWords({ processors, memoryGiB, node, platform, load }: Machine): string {
  return `${processors}, ${memoryGiB} GiB, ${platform}, Node ${node}, load ${load} when it began`;
}

/** The folder beside the benchmarks that keeps the results of whole runs. */
export const RESULTS = fileURLToPath(new URL('../results', import.meta.url));

/** Writes files into a folder, and returns their paths. */
export async function writeResults(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    await writeFile(path, text);
    paths.push(path);
  }
  return paths;
}

/** JSON with a line end, as files have it. */
export function toJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
