import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { TaskRuntime } from '../driver/runtime-driver.ts';
import { makeProbe } from '../worker/health/probes.ts';

describe('an HTTP probe on a real server', () => {
  it('given answers of each kind, when asked, then success and redirection are healthy, errors are not', async () => {
    const server = createServer((request, response) => {
      response.writeHead(Number(request.url?.slice(1)), { location: '/500' });
      response.end('x'.repeat(100_000));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const ask = (status: number) => {
      const tools = { fetch: globalThis.fetch, address: '127.0.0.1' };
      const started = { id: 'x', ports: [{ target: 80, protocol: 'tcp' as const, port: address.port }] };
      const test = { kind: 'http' as const, port: 80, path: `/${status}` };
      // An HTTP probe asks nothing of the runtime.
      return makeProbe(test, tools, {} as TaskRuntime, started)(new AbortController().signal);
    };
    expect(await ask(200)).toEqual({ healthy: true, message: 'HTTP status 200' });
    expect((await ask(302)).healthy).toBe(true);
    expect((await ask(404)).healthy).toBe(false);
    expect((await ask(503)).healthy).toBe(false);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(ask(200)).rejects.toThrow();
  });
});
