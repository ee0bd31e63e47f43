import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connectTcp } from './tcp-probe.ts';

/** A server on a free port of the loopback, closed after `use`. */
async function withServer(use: (port: number) => Promise<void>): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await use(address.port);
  await new Promise((resolve) => server.close(resolve));
}

describe('connectTcp', () => {
  const never = () => new AbortController().signal;

  it('given a port that is listened on, when asked, then it connects and lets go', async () => {
    await withServer((port) => connectTcp('127.0.0.1', port, never()));
  });

  it('given a port that nobody listens on, when asked, then it rejects with the reason', async () => {
    let free = 0;
    await withServer(async (port) => {
      free = port;
    });
    await expect(connectTcp('127.0.0.1', free, never())).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  it('given an aborted signal, when asked, then it rejects with its reason', async () => {
    const reason = new Error('too late');
    await expect(connectTcp('127.0.0.1', 1, AbortSignal.abort(reason))).rejects.toBe(reason);
    const abort = new AbortController();
    const connecting = connectTcp('127.0.0.1', 1, abort.signal);
    abort.abort(reason);
    await expect(connecting).rejects.toBe(reason);
  });
});
