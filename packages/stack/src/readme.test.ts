/** The README's first example does what it says. */

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseStack } from './index.ts';

const README = new URL('../README.md', import.meta.url);

test("given the README's first example, when it is run, then it prints what its comment says", async () => {
  const readme = await readFile(README, 'utf8');
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const expected = /\n\/\/ (.*)\n$/.exec(code)?.[1];
  const lines: string[] = [];
  const body = code.replace(/^import .*$/m, '');
  const run = new Function('parseStack', 'console', body);
  run(parseStack, { log: (...words: unknown[]) => lines.push(words.join(' ')) });
  expect(expected).toBe('shop_web 3 caddy');
  expect(lines).toEqual([expected]);
});

test("given the README's extensions, when they are parsed, then they mean what is said", async () => {
  const readme = await readFile(README, 'utf8');
  const yaml = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const stack = parseStack(yaml, { name: 'shop' });
  expect(stack.warnings).toEqual([]);
  expect(stack.services[0]?.task).toMatchObject({
    health: { test: { kind: 'http', port: 80, path: '/health' }, intervalMs: 5_000 },
    restart: { backoff: 'fixed' },
  });
  expect(stack.services[1]).toMatchObject({
    mode: 'replicated-job',
    job: { concurrency: 2 },
    schedule: { cron: '30 3 * * *', timeZone: 'Europe/Berlin', deadlineMs: 6 * 3_600_000 },
  });
});
