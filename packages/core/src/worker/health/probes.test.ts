import { describe, expect, it } from 'vitest';
import type { TaskRuntime } from '../../driver/runtime-driver.ts';
import { makeProbe, type ProbeTools } from './probes.ts';

describe('an exec probe', () => {
  it('given a driver that answers junk to exec, when probed, then it says so in words', async () => {
    const runtime = { exec: () => Promise.resolve({ exitCode: 0 }) } as unknown as TaskRuntime;
    const tools = { fetch: globalThis.fetch, address: '::1' };
    const probe = makeProbe({ kind: 'exec', command: ['x'] }, tools, runtime, { id: 'x', ports: [] });
    await expect(probe(new AbortController().signal)).rejects.toMatchObject({
      code: 'DRIVER',
      message: 'the driver did not tell how the command ended: it must give an exit code and output',
    });
  });
});

describe('an HTTP probe', () => {
  const ask = (network: ProbeTools['network']) => {
    const fetch = () => Promise.resolve({ status: 503, body: null });
    const tools = { fetch, address: '::1', ...(network && { network }) };
    const started = { id: 'x', ports: [{ target: 80, protocol: 'tcp' as const, port: 41_000 }] };
    // An HTTP probe asks nothing of the runtime.
    const probe = makeProbe({ kind: 'http', port: 80, path: '/ok' }, tools, {} as TaskRuntime, started);
    return probe(new AbortController().signal);
  };
  const connect = () => Promise.resolve();

  it('given a network that can ask, when probed, then it asks; else fetch does', async () => {
    const asked: unknown[] = [];
    const request = (...question: readonly unknown[]) => {
      asked.push(question.slice(0, 3));
      return Promise.resolve({ status: 204 });
    };
    expect(await ask({ connect, request })).toEqual({ healthy: true, message: 'HTTP status 204' });
    expect(asked).toEqual([['::1', 41_000, '/ok']]);
    expect(await ask({ connect })).toEqual({ healthy: false, message: 'HTTP status 503' });
    expect(await ask(undefined)).toEqual({ healthy: false, message: 'HTTP status 503' });
  });
});
