/** The first example of the README, run as it stands. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

it('given the first example of the README, when it is run, then it prints its three tasks and ends', async () => {
  const here = join(import.meta.dirname, '..');
  const [, example = ''] = /```ts\n(.*?)```/s.exec(readFileSync(join(here, 'README.md'), 'utf8')) ?? [];
  const cache = join(here, '../../node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(cache, 'readme-'));
  try {
    const file = join(dir, 'example.mts');
    writeFileSync(file, example);
    const args = ['--conditions=@skep/source', '--import=tsx', file];
    const run = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    run.stdout.on('data', (data: Buffer) => {
      printed += data.toString();
    });
    const [code] = await once(run, 'close');
    expect(code).toBe(0);
    expect(printed.split('\n').sort().slice(1)).toEqual([
      expect.stringMatching(/^web\.1 runs as pid \d+$/),
      expect.stringMatching(/^web\.2 runs as pid \d+$/),
      expect.stringMatching(/^web\.3 runs as pid \d+$/),
    ]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 60_000);
