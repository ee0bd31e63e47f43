import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, MemoryHistoryStore } from '@skep/core';
import { SimulatedDriver, systemClock } from '@skep/core/testing';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildPage } from '../../build-page.ts';
import { viewHandler } from '../http/view-handler.ts';
import { clusterSource } from '../source/cluster-source.ts';
import { chromiumMissing, keepScreenshot, launchChromium, openPage } from '../test-support/chromium.ts';

const missing = chromiumMissing();
const LONG_MS = 60_000;
const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';

describe.skipIf(missing !== undefined)(missing ?? 'given the page in Chromium', () => {
  let browser: Browser;
  let pageDir: string;
  let cluster: Cluster;
  let server: Server;
  let url: string;
  let isCut = false;

  beforeAll(async () => {
    pageDir = await mkdtemp(join(tmpdir(), 'skep-page-test-'));
    [browser] = await Promise.all([launchChromium(), buildPage(pageDir)]);
  }, LONG_MS);

  afterAll(async () => {
    await browser.close();
    await rm(pageDir, { recursive: true, force: true });
  });

  beforeEach(async () => {
    cluster = await Cluster.open({
      driver: new SimulatedDriver({ clock: systemClock }),
      node: { hostname: 'node-1' },
      history: { store: new MemoryHistoryStore() },
    });
    await cluster.nodes.update('node-1', { labels: { note: HOSTILE } });
    await cluster.services.create({ name: 'web', task: { image: HOSTILE }, replicas: 3 }, { user: HOSTILE });
    await cluster.services.waitFor('web', 'running', { timeout: 10_000 });
    const handler = viewHandler({
      source: clusterSource(() => cluster, { actions: true }),
      token: 'secret',
      pageDir,
    });
    isCut = false;
    server = createServer((request, response) => {
      if (isCut) request.socket.destroy();
      else handler(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await cluster.close();
  });

  const sees = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();
  const link = (page: Page, kind: string) => page.locator(`[data-link="${kind}"]`).waitFor();

  it(
    'when something changes, then it is seen without being asked for',
    async () => {
      const { page, faults } = await openPage(browser, url);
      await sees(page, '3/3 tasks run');
      await cluster.services.scale('web', 5);
      await sees(page, '5/5 tasks run');
      await keepScreenshot(page, 'page-live');
      expect(faults).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'when the stream drops, then it says so and shows nothing as live; back again, it goes on where it was',
    async () => {
      const { page } = await openPage(browser, url);
      await sees(page, '3/3 tasks run');
      const asked: string[] = [];
      page.on('request', (request) => asked.push(request.url()));
      const { index } = cluster.health;
      isCut = true;
      server.closeAllConnections();
      await sees(page, `What is shown was so at event ${index}`);
      await link(page, 'lost');
      await page.locator('main.stale').waitFor();
      await cluster.services.scale('web', 4);
      await cluster.services.waitFor('web', 'running', { timeout: 10_000 });
      isCut = false;
      await link(page, 'live');
      await sees(page, '4/4 tasks run');
      await page.locator('main:not(.stale)').waitFor();
      expect(asked.some((each) => each.endsWith(`api/stream?from=${index}`))).toBe(true);
    },
    LONG_MS,
  );

  it(
    'when the slider goes back, then a task that is gone is there, with who did it; the address leads there',
    async () => {
      const then = cluster.health.index;
      const [task] = cluster.tasks.list();
      await cluster.services.remove('web', { user: 'eve' });
      await cluster.services.waitFor('web', 'removed', { timeout: 10_000 });
      const { page, faults } = await openPage(browser, url);
      await sees(page, '0 services');
      await page.getByRole('slider').fill(String(then));
      await sees(page, `the past: event ${then}`);
      await sees(page, '3/3 tasks run');
      expect(page.url()).toContain(`#at=${then}`);
      const canvas = page.locator('canvas');
      await canvas.focus();
      await page.keyboard.press('ArrowDown');
      expect(await page.locator('#grid-told').textContent()).toBe('web.1 is running');
      await page.keyboard.press('Enter');
      await page.locator('.machine li[aria-current]', { hasText: 'running' }).waitFor();
      await keepScreenshot(page, 'page-past');
      await page.keyboard.press('Escape');
      await page.getByLabel('One event on').click();
      await sees(page, `user eve`);
      await sees(page, 'service web removed');
      const again = await openPage(browser, `${url}#at=${then}`);
      await sees(again.page, '3/3 tasks run');
      expect(task).toBeDefined();
      expect(faults).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'when the address names a moment that there is not, then it says so and shows the present',
    async () => {
      const { page } = await openPage(browser, `${url}#at=999999`);
      await sees(page, 'Event 999999 can not be shown');
      await link(page, 'live');
      expect(page.url()).not.toContain('#at');
    },
    LONG_MS,
  );

  it(
    'when the address names a moment that is kept no more, then it says so, and how far back it goes',
    async () => {
      const open = () =>
        Cluster.open({
          driver: new SimulatedDriver({ clock: systemClock }),
          node: { hostname: 'node-1' },
          dir: join(pageDir, 'state'),
          history: { maxBytes: 20_000, checkpointEvery: 20 },
        });
      const before = await open();
      for (let n = 0; n < 300; n++) await before.nodes.update('node-1', { labels: { n: String(n) } });
      await before.close();
      await cluster.close();
      cluster = await open();
      const { page } = await openPage(browser, `${url}#at=2`);
      await sees(page, /Event 2 can not be shown: .* is not in the history, which goes back to index \d+/);
      await link(page, 'live');
      expect(Number(await page.getByRole('slider').getAttribute('min'))).toBeGreaterThan(2);
    },
    LONG_MS,
  );

  it(
    'when names and labels are hostile, then they are text, and nothing runs',
    async () => {
      const { page, faults } = await openPage(browser, url, { viewport: { width: 390, height: 800 } });
      await sees(page, HOSTILE);
      await page.getByRole('button', { name: 'web', exact: true }).click();
      await sees(page, `user ${HOSTILE}`);
      await page.getByLabel('Close').click();
      await page.getByRole('button', { name: 'node-1' }).click();
      await sees(page, HOSTILE);
      expect(await page.evaluate(() => Reflect.get(window, 'hacked'))).toBeUndefined();
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      expect(tooWide).toBe(false);
      await keepScreenshot(page, 'page-phone');
      expect(faults).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'when a what-if is asked, then it is laid over the grid; done with the token, it comes true',
    async () => {
      const { page } = await openPage(browser, `${url}#token=secret`);
      await page.getByRole('button', { name: 'web', exact: true }).click();
      await page.getByRole('spinbutton').fill('6');
      await page.getByRole('button', { name: 'Scale?' }).click();
      await sees(page, '3 tasks would come, 0 tasks would be stopped.');
      await keepScreenshot(page, 'page-what-if');
      expect(cluster.services.status('web').desired).toBe(3);
      await page.getByRole('button', { name: 'Scale now' }).click();
      await sees(page, '6/6 tasks run');
      expect(page.url()).not.toContain('secret');
    },
    LONG_MS,
  );

  it(
    'when it loads, then it asks nobody else for anything',
    async () => {
      const context = await browser.newContext();
      const page = await context.newPage();
      const asked: string[] = [];
      page.on('request', (request) => asked.push(request.url()));
      await page.goto(url);
      await sees(page, '3/3 tasks run');
      expect(asked.filter((each) => !each.startsWith(url) && !each.startsWith('data:'))).toEqual([]);
    },
    LONG_MS,
  );
});
