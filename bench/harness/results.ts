/** Where results go: JSON for programs, beside the machine that they were measured on, and plots for people. */

import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { markdownTable, type Table, textTable } from './table.ts';

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

/** A result as people read it: paragraphs and tables, in the order in which they come. */
export type ReportPart = string | Table;

/** What a benchmark found. */
export interface Outcome {
  /** Name of its files. */
  readonly name: string;
  readonly result: unknown;
  readonly report: readonly ReportPart[];
  /** A plot, as SVG. */
  readonly plot?: string;
}

/** What its options say of where it goes. */
export interface Publishing {
  /** Print JSON instead of the report. */
  readonly json: boolean;
  /** The folder for the files; absent: none are written. */
  readonly out?: string;
}

/** Prints what a benchmark found, and writes it as JSON, as Markdown and, if it has one, its plot. */
export async function publish(
  { name, result, report, plot }: Outcome,
  { json, out }: Publishing,
): Promise<void> {
  const told = (form: (table: Table) => string) =>
    report.map((part) => (typeof part === 'string' ? part : form(part))).join('\n\n');
  if (json) process.stdout.write(toJson(result));
  else console.log(told(textTable));
  if (out === undefined) return;
  const paths = await writeResults(out, {
    [`${name}.json`]: toJson(result),
    [`${name}.md`]: `${told(markdownTable)}${plot === undefined ? '' : `\n\n![${name}](results/${name}.svg)`}\n`,
    ...(plot === undefined ? {} : { [`${name}.svg`]: plot }),
  });
  for (const path of paths) process.stderr.write(`wrote ${path}\n`);
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
