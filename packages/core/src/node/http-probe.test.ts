import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { TaskRuntime } from '../driver/runtime-driver.ts';
import type { ProbeNetwork } from '../worker/health/probe.ts';
import { makeProbe } from '../worker/health/probes.ts';
import { nodeProbeNetwork } from './probe-network.ts';

const never = () => new AbortController().signal;

/** Asks a server on a free port of the loopback, as a probe does on Node or by `fetch`. */
function asker(port: number, network?: ProbeNetwork) {
  return (path: string, signal = never()) => {
    const tools = { fetch: globalThis.fetch, address: '127.0.0.1', ...(network && { network }) };
    const started = { id: 'x', ports: [{ target: 80, protocol: 'tcp' as const, port }] };
    // An HTTP probe asks nothing of the runtime.
    return makeProbe({ kind: 'http', port: 80, path }, tools, {} as TaskRuntime, started)(signal);
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

describe('an HTTP probe on a real server', () => {
  it.each([
    ['sockets', nodeProbeNetwork],
    ['fetch', undefined],
  ])(
    'given answers of each kind, when asked by %s, then success and redirection are healthy, errors are not',
    async (_, network) => {
      const server = createServer((request, response) => {
        response.writeHead(Number(request.url?.slice(1)), { location: '/500' });
        response.end('x'.repeat(100_000));
      });
      const ask = asker(await listen(server), network);
      expect(await ask('/200')).toEqual({ healthy: true, message: 'HTTP status 200' });
      expect((await ask('/302')).healthy).toBe(true);
      expect((await ask('/404')).healthy).toBe(false);
      expect((await ask('/503')).healthy).toBe(false);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await expect(ask('/200')).rejects.toThrow();
    },
  );

  it('given a server that keeps connections, when an answer came or was not waited for, then the connection is closed', async () => {
    const server = createServer((request, response) => {
      response.write('x'.repeat(100_000));
      if (request.url === '/whole') response.end();
    });
    server.keepAliveTimeout = 0;
    const ask = asker(await listen(server), nodeProbeNetwork);
    for (const path of ['/whole', '/endless']) {
      const connected = once(server, 'connection');
      expect((await ask(path)).healthy).toBe(true);
      const [socket] = await connected;
      if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
    }
    // No connection is left, so that this needs no help.
    await new Promise((resolve) => server.close(resolve));
  });

  it('given a server that does not answer, when the probe gives up, then it rejects with the reason and hangs up', async () => {
    const server = createServer(() => {});
    const ask = asker(await listen(server), nodeProbeNetwork);
    const reason = new Error('too late');
    await expect(ask('/', AbortSignal.abort(reason))).rejects.toBe(reason);
    const giveUp = new AbortController();
    const asked = once(server, 'request');
    const asking = ask('/', giveUp.signal);
    await asked;
    giveUp.abort(reason);
    await expect(asking).rejects.toBe(reason);
    await new Promise((resolve) => server.close(resolve));
    await expect(ask('/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
