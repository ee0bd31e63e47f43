import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  chromiumMissing,
  keepScreenshot,
  launchChromium,
  openPage,
} from '../../packages/view/src/test-support/chromium.ts';
import { buildPlayground } from './build-playground.ts';

const LONG_MS = 120_000;
const missing = chromiumMissing();

describe.skipIf(missing !== undefined)(missing ?? 'given the playground in Chromium, from the disk', () => {
  let browser: Browser;
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skep-playground-test-'));
    [browser] = await Promise.all([launchChromium(), buildPlayground(dir)]);
  }, LONG_MS);

  afterAll(async () => {
    await browser.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** The manager that leads, once one does that is not among these. */
  async function leader(page: Page, not: readonly string[] = []): Promise<string> {
    const led = page.locator('.process', { hasText: '★' });
    for (const name of not) {
      await page
        .locator(`.process[data-process="${name}"]:not(:has-text("★"))`)
        .waitFor({ timeout: LONG_MS });
    }
    await led.waitFor({ timeout: LONG_MS });
    return (await led.getAttribute('data-process')) ?? '';
  }

  it(
    'when it is opened, then it elects a leader and runs tasks; cut off, another leads; healed, all is well',
    async () => {
      const { page, faults } = await openPage(browser, pathToFileURL(join(dir, 'index.html')).href);
      const before = await leader(page);
      await page.getByText('13/13 tasks run').waitFor({ timeout: LONG_MS });
      await page.getByRole('combobox', { name: 'Time' }).selectOption('10');
      await page.getByLabel(`Cut ${before} off`).click();
      const after = await leader(page, [before]);
      expect(after).not.toBe(before);
      await page.getByRole('row', { name: `${before} not reachable` }).waitFor({ timeout: LONG_MS });
      await keepScreenshot(page, 'playground-partition');
      await page.getByRole('button', { name: 'Heal the network' }).click();
      await page.getByRole('row', { name: `${before} follows` }).waitFor({ timeout: LONG_MS });
      await page.getByRole('button', { name: 'Deploy' }).click();
      await page.getByText('19/19 tasks run').waitFor({ timeout: LONG_MS });
      await page.locator('[data-link="live"]').waitFor();
      expect(faults).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'when a machine is killed, then its tasks come to run elsewhere, and the log can be gone back along',
    async () => {
      const { page } = await openPage(browser, pathToFileURL(join(dir, 'index.html')).href);
      await page.getByText('13/13 tasks run').waitFor({ timeout: LONG_MS });
      await page.getByRole('combobox', { name: 'Time' }).selectOption('10');
      await page.getByLabel('Kill worker-1').click();
      await page.getByRole('row', { name: /worker-1 down/ }).waitFor({ timeout: LONG_MS });
      await page.getByText('13/13 tasks run').waitFor({ timeout: LONG_MS });
      await page.getByRole('combobox', { name: 'Time' }).selectOption('0');
      await page.getByRole('slider').fill('30');
      await page.getByText('the past: event 30').waitFor({ timeout: LONG_MS });
      await page.getByRole('row', { name: /worker-1 ready/ }).waitFor({ timeout: LONG_MS });
    },
    LONG_MS,
  );
});
