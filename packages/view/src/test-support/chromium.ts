/** A real browser for tests: Chromium of the system, headless, with what it says kept. */

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

function chromiumPath(): string | undefined {
  return [process.env['SKEP_CHROMIUM'] ?? '', ...PLACES].find((path) => path !== '' && existsSync(path));
}

/** Why there is no browser, as the title of a skipped test. In CI it has to be there. */
export function chromiumMissing(): string | undefined {
  if (chromiumPath() !== undefined) return undefined;
  const how = 'no Chromium: `apt-get install chromium`, or SKEP_CHROMIUM=/path/to/it';
  if (process.env['CI'] === 'true') throw new Error(how);
  return `skipped: ${how}`;
}

/** A page and what went wrong in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors of its script, and what its content security policy refused. */
  readonly faults: string[];
}

export function launchChromium(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error('no Chromium');
  // Its own sandbox needs privileges that containers of CI don't give; the pages are ours.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/content security policy|trusted/i.test(message.text())) faults.push(message.text());
  });
  await page.goto(url);
  return { page, faults };
}

/** Keeps a screenshot where `SKEP_SCREENSHOTS` says, for CI to keep and people to look at. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  const dir = process.env['SKEP_SCREENSHOTS'];
  if (dir === undefined) return;
  await mkdir(dir, { recursive: true });
  await page.screenshot({ path: join(dir, `${name}.png`) });
}
