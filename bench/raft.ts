/**
 * Measures `@skep/raft` as three processes with sealed disks over mutual TLS on loopback, beside etcd where that is
 * installed. See `npm run bench -- raft --help`, and `README.md` here for what is timed.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BesideEtcdOptions, besideEtcd, type ComparedRow, leaseReads } from './raft/beside-etcd.ts';
import type { LoopResult } from './raft/closed-loop.ts';
import { Etcd } from './raft/etcd.ts';
import { type LargeLogResult, largeLog } from './raft/large-log.ts';
import { beginLoad, type ChangeTimes, hiccups, kills, transfers } from './raft/leadership.ts';
import { startSkep } from './raft/skep.ts';

/** What to measure, and for how long. */
export interface RaftBenchOptions {
  /** Where the members keep their disks. Default: the system's directory for temporary files. */
  readonly dir?: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly kills: number;
  readonly transfers: number;
  /** Entries of the long log. */
  readonly entries: number;
  /** Parts to leave out. */
  readonly only?: readonly Part[];
}

/** The parts of the benchmark. */
export type Part = 'throughput' | 'leadership' | 'large-log';

/** Everything that was measured; a part that was left out is absent. */
export interface RaftBenchResult {
  readonly etcd?: string;
  readonly compared?: readonly ComparedRow[];
  readonly leaseReads?: LoopResult;
  readonly kills?: ChangeTimes;
  readonly transfers?: ChangeTimes;
  readonly electionsByHiccups?: number;
  readonly largeLog?: LargeLogResult;
}

/** Keys of the state while throughput is measured. */
const KEYS = 1000;

/** Reads under a lease need one: for 400 of the 500 ms for which followers are loyal. */
const LEASE_TICKS = 40;

/** Measures all parts, or those asked for. */
export async function benchRaft(options: RaftBenchOptions): Promise<RaftBenchResult> {
  const directory = await mkdtemp(path.join(options.dir ?? tmpdir(), 'skep-bench-raft-'));
  const isWanted = (part: Part) => options.only?.includes(part) ?? true;
  try {
    return {
      ...(isWanted('throughput') ? await throughput(directory, { ...options, keys: KEYS }) : {}),
      ...(isWanted('leadership') ? await leadership(directory, options) : {}),
      ...(isWanted('large-log') ? { largeLog: await largeLog(directory, options.entries) } : {}),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function throughput(directory: string, options: BesideEtcdOptions) {
  const cluster = await startSkep({ directory, keys: KEYS, raft: { leaseTicks: LEASE_TICKS } });
  const started = await Etcd.start(path.join(directory, 'etcd'), cluster.authority);
  const etcd = typeof started === 'string' ? undefined : started;
  try {
    return {
      etcd: typeof started === 'string' ? started : started.version,
      compared: await besideEtcd(cluster, etcd, options),
      leaseReads: await leaseReads(cluster, options),
    };
  } finally {
    await cluster.close();
    await etcd?.close();
  }
}

async function leadership(directory: string, options: RaftBenchOptions) {
  const cluster = await startSkep({ directory, keys: KEYS });
  try {
    await beginLoad(cluster);
    const electionsByHiccups = await hiccups(cluster);
    return {
      electionsByHiccups,
      transfers: await transfers(cluster, options.transfers),
      kills: await kills(cluster, options.kills),
    };
  } finally {
    await cluster.close();
  }
}

/** The result for people. */
export function formatRaftBench(result: RaftBenchResult): string {
  const lines: string[] = [];
  const { etcd, compared = [], largeLog: large, electionsByHiccups } = result;
  if (etcd !== undefined) lines.push(`etcd: ${etcd}`, '');
  if (compared.length > 0) {
    lines.push(
      '| three members, mutual TLS, sealed disks | skep | etcd | skep ÷ etcd | skep, embedded |',
      '| --- | --- | --- | --- | --- |',
    );
  }
  for (const { name, skep, etcd: theirs, embedded } of compared) {
    const ratio = theirs === undefined ? '' : `${(skep.perSecond / theirs.perSecond).toFixed(1)}`;
    const cells = [name, loop(skep), theirs === undefined ? '' : loop(theirs), ratio, loop(embedded)];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  if (result.leaseReads !== undefined) lines.push('', `lease reads, embedded: ${loop(result.leaseReads)}`);
  if (electionsByHiccups !== undefined) lines.push('', `elections by hiccups: ${electionsByHiccups}`);
  if (result.transfers !== undefined) lines.push(`planned transfer: ${change(result.transfers)}`);
  if (result.kills !== undefined) lines.push(`leader killed: ${change(result.kills)}`);
  if (large !== undefined) {
    lines.push('', `a log of ${large.entries.toLocaleString('en')} entries of 256 bytes`);
    for (const [name, value] of Object.entries(large)) {
      if (name !== 'entries') lines.push(`  ${name}: ${value.toFixed(0)}`);
    }
  }
  return lines.join('\n');
}

function loop({ perSecond, p50Ms, p99Ms }: LoopResult): string {
  const rate = Math.round(perSecond).toLocaleString('en');
  return `${rate}/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(1)} ms`;
}

function change({ count, p50Ms, p99Ms, longestMs }: ChangeTimes): string {
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  return `p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}, longest ${ms(longestMs)} (${count} times)`;
}
