/**
 * Requests that fail while a service is updated: real processes on this machine, a constant HTTP load that balances over
 * `cluster.endpoints`, one start-first rolling update after the other. A request counts as failed unless it was
 * answered with 200 in full; none is sent twice. A second round without the drain delay shows that the benchmark would
 * see failures.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, type ServiceSpecInput } from '@skep/core';
import { ProcessDriver } from '@skep/process-driver';
import { type Machine, machineInWords, type ReportPart, thisMachine } from './harness/results.ts';
import { quantile } from './harness/statistics.ts';
import { milliseconds, whole } from './harness/table.ts';
import { Load } from './requests/load.ts';
import { SERVER } from './requests/server.ts';

/** What is measured. */
export interface RequestsOptions {
  /** Requests that are sent at least, over all updates. */
  readonly requests: number;
  readonly perSecond: number;
  readonly updates: number;
  readonly replicas: number;
  /** How long after the feed the load learns of endpoints, milliseconds. */
  readonly lagMs: number;
}

/** One round. */
export interface RequestsRow {
  readonly drainDelayMs: number;
  readonly updates: number;
  readonly requests: number;
  readonly failed: number;
  readonly failures: readonly string[];
  readonly seconds: number;
  readonly fewestEndpoints: number;
  /** Versions of the service that answered. */
  readonly versions: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** All of it. */
export interface RequestsResult {
  readonly machine: Machine;
  readonly options: RequestsOptions;
  readonly rows: readonly RequestsRow[];
}

/** Updates of the round without a drain delay. */
const UPDATES_WITHOUT = 2;
const DRAIN_DELAY_MS = 2_000;

/** Measures. */
export async function benchRequests(options: RequestsOptions): Promise<RequestsResult> {
  const machine = thisMachine();
  const rows = [await round(options, DRAIN_DELAY_MS)];
  rows.push(await round({ ...options, updates: UPDATES_WITHOUT, requests: 0 }, 0));
  return { machine, options, rows };
}

/** The result for people. */
export function requestsReport({ machine, options, rows }: RequestsResult): readonly ReportPart[] {
  const { perSecond, replicas, lagMs } = options;
  const headings = [
    'drain delay',
    'updates',
    'requests',
    'failed',
    'seconds',
    'fewest endpoints',
    'p50 ms',
    'p99 ms',
    'max ms',
  ];
  const cells = (row: RequestsRow) => [
    `${row.drainDelayMs} ms`,
    whole(row.updates),
    whole(row.requests),
    whole(row.failed),
    whole(row.seconds),
    whole(row.fewestEndpoints),
    ...[row.latencyMs.p50, row.latencyMs.p99, row.latencyMs.max].map(milliseconds),
  ];
  // Those of the round without a drain delay are what it is there for.
  const failures = rows[0]?.failures ?? [];
  return [
    machineInWords(machine),
    `${replicas} replicas on 2 nodes, ${perSecond} requests/s, endpoints learned ${lagMs} ms after the feed`,
    { headings, rows: rows.map(cells) },
    ...(failures.length > 0 ? [`failures were, among others: ${failures.join('; ')}`] : []),
  ];
}

async function round(options: RequestsOptions, drainDelayMs: number): Promise<RequestsRow> {
  const { requests, perSecond, updates, replicas, lagMs } = options;
  const dir = await mkdtemp(join(tmpdir(), 'skep-bench-requests-'));
  const programs = { web: { command: process.execPath, args: ['-e', SERVER] } };
  const cluster = await Cluster.open({ dir });
  try {
    for (const hostname of ['one', 'two']) {
      await cluster.addNode({ hostname, driver: new ProcessDriver({ programs }) });
    }
    await cluster.services.create(specOf(0, replicas, drainDelayMs));
    await cluster.services.waitFor('web', 'running', { timeout: 120_000 });
    const load = new Load(cluster, 'web', lagMs);
    await new Promise((resolve) => setTimeout(resolve, lagMs + 100));
    const from = performance.now();
    load.start(perSecond);
    for (let version = 1; version <= updates; version++) {
      await cluster.services.update('web', specOf(version, replicas, drainDelayMs));
      await cluster.services.waitFor('web', 'running', { timeout: 300_000 });
    }
    while (load.count.requests < requests) await new Promise((resolve) => setTimeout(resolve, 100));
    await load.stop();
    const { count } = load;
    const sorted = Float64Array.from(count.latencies).sort();
    const at = (share: number) => quantile(sorted as unknown as readonly number[], share);
    return {
      drainDelayMs,
      updates,
      requests: count.requests,
      failed: count.failed,
      failures: count.failures,
      seconds: (performance.now() - from) / 1000,
      fewestEndpoints: count.fewest,
      versions: count.byVersion.size,
      latencyMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
    };
  } finally {
    await cluster.close();
    await rm(dir, { recursive: true, force: true });
  }
}

function specOf(version: number, replicas: number, drainDelayMs: number): ServiceSpecInput {
  return {
    name: 'web',
    replicas,
    ports: [{ target: 80 }],
    drainDelayMs,
    update: { order: 'start-first', monitorMs: 0 },
    task: {
      image: 'web',
      env: { VERSION: String(version) },
      health: { test: { kind: 'http', port: 80, path: '/health' }, startIntervalMs: 50 },
    },
  };
}
