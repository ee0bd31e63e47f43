/** The two programs of the hello stack start, do their work, and end by themselves on SIGTERM. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';

const running: ChildProcessByStdio<null, Readable, null>[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

function start(program: string, env: Record<string, string>) {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [path], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async nextLine(): Promise<string> {
      const { value } = await lines.next();
      return value ?? '';
    },
    async stop(): Promise<unknown> {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
}

test('given the web program, when it is asked, then it tells its task, slot and node, and ends with 0', async () => {
  const web = start('web.mjs', {
    PORT: '0',
    GREETING: 'Hi',
    SKEP_TASK_NAME: 'hello_web.2',
    SKEP_TASK_SLOT: '2',
    SKEP_NODE_HOSTNAME: 'node-4',
  });
  const port = /port (\d+)$/.exec(await web.nextLine())?.[1];
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return [response.status, await response.text()];
  };
  expect(await ask('/')).toEqual([200, 'Hi: task hello_web.2, slot 2, node node-4\n']);
  expect(await ask('/health')).toEqual([200, 'ok\n']);
  expect(await ask('/nothing')).toEqual([404, 'not found\n']);
  expect(await web.stop()).toBe(0);
});

test('given the worker program, when it runs, then it ticks, and ends with 0', async () => {
  const worker = start('worker.mjs', { TICK_SECONDS: '0.05', SKEP_TASK_NAME: 'hello_worker.1' });
  expect(await worker.nextLine()).toBe('hello_worker.1 tick 1');
  expect(await worker.nextLine()).toBe('hello_worker.1 tick 2');
  expect(await worker.stop()).toBe(0);
});
