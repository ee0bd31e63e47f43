/**
 * What the page costs, in a real Chromium without a screen: until it shows a large cluster, its work a frame while tasks
 * change, jumps to events of the past, and what is loaded.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { Cluster } from '@skep/core';
import { SimulatedDriver, systemClock } from '@skep/core/testing';
import { clusterSource, type ViewSource } from '@skep/view';
import { viewHandler } from '@skep/view/node';
import type { Browser, Page } from 'playwright-core';
import { buildPlayground } from '../examples/playground/build-playground.ts';
import { buildPage } from '../packages/view/build-page.ts';
import { launchChromium } from '../packages/view/src/test-support/chromium.ts';
import { median } from './harness/statistics.ts';
import { milliseconds, type Table, whole } from './harness/table.ts';
import { manyRows } from './view/many-rows.ts';

/** What to measure. */
export interface ViewBenchOptions {
  readonly nodes: number;
  readonly tasks: number;
  readonly changesPerSecond: number;
  /** How long changes are watched. */
  readonly seconds: number;
  /** Events in the history that is jumped about in. */
  readonly events: number;
  readonly jumps: number;
}

/** What came of it. */
export interface ViewBenchResult extends ViewBenchOptions {
  readonly loads: number;
  readonly firstPaintMs: number;
  /** Until all rows are there and drawn. */
  readonly shownMs: number;
  readonly frames: number;
  /** Work of the main thread a frame, all of it: mean. */
  readonly workMs: number;
  /** Drawing the grid, the longest. */
  readonly paintMaxMs: number;
  /** Tasks of the main thread of more than 50 ms. */
  readonly longTasks: number;
  readonly jumpP50Ms: number;
  readonly jumpMaxMs: number;
  readonly bundles: readonly { readonly name: string; readonly gzip: number; readonly brotli: number }[];
}

const LOADS = 5;
/** Changes that are under way at once while the past is made. */
const AT_ONCE = 500;
const TASKS_OF_THE_PAST = 1_000;

export async function benchView(options: ViewBenchOptions): Promise<ViewBenchResult> {
  const dir = await mkdtemp(join(tmpdir(), 'skep-bench-view-'));
  const browser = await launchChromium();
  try {
    const pageDir = join(dir, 'page');
    await buildPage(pageDir);
    await buildPlayground(join(dir, 'playground'));
    const live = await served(manyRows(options), pageDir, (url) =>
      measureLive(browser, url, options.seconds),
    );
    const jumps = await measureJumps(browser, pageDir, join(dir, 'state'), options);
    const bundles = [await bundle('page', pageDir), await bundle('playground', join(dir, 'playground'))];
    return { ...options, loads: LOADS, ...live, ...jumps, bundles };
  } finally {
    await browser.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function served<T>(source: ViewSource, pageDir: string, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(viewHandler({ source, pageDir }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Opens a page in a context of its own, with nothing in its cache. */
async function fresh(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 800 } });
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

async function measureLive(browser: Browser, url: string, seconds: number) {
  const paints: number[] = [];
  const shown: number[] = [];
  for (let load = 0; load <= LOADS; load++) {
    const page = await fresh(browser, url);
    await page.locator('[data-link="live"]').waitFor();
    const times = await page.evaluate(() => {
      const first = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0;
      // The rows came a moment ago, so the last drawing is the first that has them.
      const drawn = performance.getEntriesByName('skep-paint').at(-1);
      return { first, drawn: (drawn?.startTime ?? 0) + (drawn?.duration ?? 0) };
    });
    await page.context().close();
    // The first one warms the server.
    if (load === 0) continue;
    paints.push(times.first);
    shown.push(times.drawn);
  }
  const page = await fresh(browser, url);
  await page.locator('[data-link="live"]').waitFor();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable');
  const taskSeconds = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
  };
  await page.waitForTimeout(1_000);
  const before = await taskSeconds();
  const { frames, longTasks, paintMaxMs } = await page.evaluate(async (durationMs) => {
    let longTasks = 0;
    new PerformanceObserver((list) => {
      longTasks += list.getEntries().length;
    }).observe({ type: 'longtask' });
    performance.clearMeasures();
    const end = performance.now() + durationMs;
    let frames = 0;
    while (performance.now() < end) {
      await new Promise(requestAnimationFrame);
      frames += 1;
    }
    const paints = performance.getEntriesByName('skep-paint').map(({ duration }) => duration);
    return { frames, longTasks, paintMaxMs: Math.max(0, ...paints) };
  }, seconds * 1_000);
  const workMs = ((await taskSeconds()) - before) * 1_000;
  await page.context().close();
  return {
    firstPaintMs: median(paints),
    shownMs: median(shown),
    ...{ frames, longTasks, paintMaxMs, workMs: workMs / frames },
  };
}

async function measureJumps(browser: Browser, pageDir: string, dir: string, options: ViewBenchOptions) {
  const cluster = await Cluster.open({
    dir,
    driver: new SimulatedDriver({ clock: systemClock }),
    node: { hostname: 'node-1' },
  });
  try {
    for (let at = 0; at < 10; at++) {
      const replicas = TASKS_OF_THE_PAST / 10;
      await cluster.services.create({ name: `service-${at}`, task: { image: 'image' }, replicas });
    }
    for (let at = 0; at < options.events; at += AT_ONCE) {
      const changes = Array.from({ length: AT_ONCE }, (_, each) =>
        cluster.nodes.update('node-1', { labels: { n: String(at + each) } }),
      );
      await Promise.all(changes);
    }
    const { index } = cluster.health;
    return await served(clusterSource(cluster), pageDir, async (url) => {
      const page = await fresh(browser, url);
      await page.getByText('1000/1000 tasks run').waitFor();
      const took: number[] = [];
      for (let jump = 0; jump <= options.jumps; jump++) {
        // Spread over all of it, in an order that is none.
        const to = 1 + ((jump * 40_503 + 12_345) % index);
        await page.getByRole('slider').fill(String(to));
        await page.getByText(`the past: event ${to}`, { exact: true }).waitFor();
        const ms = await page.evaluate(() => performance.getEntriesByName('skep-jump').at(-1)?.duration ?? 0);
        if (jump > 0) took.push(ms);
      }
      return { jumpP50Ms: median(took), jumpMaxMs: Math.max(...took) };
    });
  } finally {
    await cluster.close({ tasks: 'leave' });
  }
}

async function bundle(name: string, dir: string) {
  let gzip = 0;
  let brotli = 0;
  for (const file of ['index.html', 'view.js', 'view.css', 'icon.svg']) {
    const bytes = await readFile(join(dir, file));
    gzip += gzipSync(bytes).length;
    brotli += brotliCompressSync(bytes).length;
  }
  return { name, gzip, brotli };
}

/** The result for people. */
export function viewTable(result: ViewBenchResult): Table {
  const size = `${whole(result.nodes)} nodes, ${whole(result.tasks)} tasks`;
  const load = `${size}, ${whole(result.changesPerSecond)} changes a second`;
  return {
    headings: ['what', 'measured'],
    rows: [
      [`first paint, median of ${result.loads} loads`, `${milliseconds(result.firstPaintMs)} ms`],
      [`all shown, ${size}`, `${milliseconds(result.shownMs)} ms`],
      [
        `work of the main thread a frame, mean of ${result.frames}, ${load}`,
        `${milliseconds(result.workMs)} ms`,
      ],
      ['the longest drawing of the grid meanwhile', `${milliseconds(result.paintMaxMs)} ms`],
      ['tasks of the main thread over 50 ms meanwhile', String(result.longTasks)],
      [
        `jump to one of ${whole(result.events)} past events, median of ${result.jumps}`,
        `${milliseconds(result.jumpP50Ms)} ms`,
      ],
      ['the longest jump', `${milliseconds(result.jumpMaxMs)} ms`],
      ...result.bundles.map(({ name, gzip, brotli }) => [
        `${name}, all of its files: gzip, brotli`,
        `${kib(gzip)}, ${kib(brotli)}`,
      ]),
    ],
  };
}

function kib(bytes: number): string {
  return `${(bytes / 1_000).toFixed(1)} kB`;
}
