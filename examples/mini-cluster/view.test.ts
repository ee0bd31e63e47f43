import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  chromiumMissing,
  keepScreenshot,
  launchChromium,
  openPage,
} from '../../packages/view/src/test-support/chromium.ts';
import { runExample } from '../run-example.ts';

/** Many processes on a busy machine take their time. */
const LONG_MS = 120_000;
const missing = chromiumMissing();

describe.skipIf(missing !== undefined)(missing ?? 'given the view of the mini-cluster in Chromium', () => {
  let browser: Browser;
  let home: string;

  beforeAll(async () => {
    browser = await launchChromium();
    home = await mkdtemp(join(tmpdir(), 'skep-view-test-'));
  });

  afterAll(async () => {
    await browser.close();
    await rm(home, { recursive: true, force: true });
  });

  it(
    'then it shows all that runs; when the leader is killed, then it goes on through another manager',
    async () => {
      const running = runExample('mini-cluster/main.ts', [], { TMPDIR: home });
      try {
        const [url = ''] = /http:\S+/.exec(await running.line(/See it live at http/)) ?? [];
        const hint = await running.line(/\(manager-\d, which leads\)/);
        const [, pid, leader = ''] = /kill -9 (\d+)` \((manager-\d), which leads/.exec(hint) ?? [];
        const { page, faults } = await openPage(browser, url);
        await page.getByText('5 nodes, 2 services, 5/5 tasks run').waitFor();
        const row = (name: string, text: string) =>
          page
            .locator('tr', { hasText: name })
            .filter({ hasText: text })
            .first()
            .waitFor({ timeout: LONG_MS });
        await row(leader, 'leader');
        await keepScreenshot(page, 'mini-cluster');
        const asked: string[] = [];
        page.on('request', (request) => asked.push(request.url()));
        process.kill(Number(pid), 'SIGKILL');
        await page.getByText(/The stream has dropped|No manager leads/).waitFor({ timeout: LONG_MS });
        await row('manager', '★ leader');
        await row(leader, 'follows');
        await page.locator('[data-link="live"]').waitFor({ timeout: LONG_MS });
        await page.getByText('5/5 tasks run').waitFor({ timeout: LONG_MS });
        expect(asked.some((each) => /api\/stream\?from=\d+$/.test(each))).toBe(true);
        expect(faults).toEqual([]);
      } finally {
        running.child.kill('SIGINT');
        await running.exit;
      }
    },
    LONG_MS,
  );
});
