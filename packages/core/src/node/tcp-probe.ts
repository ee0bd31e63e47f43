/** TCP connections of health probes, on Node's sockets. */

import { createConnection } from 'node:net';
import type { ProbeNetwork } from '../worker/health/probe.ts';

/** Opens a TCP connection and closes it at once. Rejects with the reason when it does not come about, or on abort. */
export const connectTcp: ProbeNetwork['connect'] = (address, port, signal) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = createConnection({ host: address, port });
    const finish = (settle: () => void) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => finish(resolve));
    socket.once('error', (error) => finish(() => reject(error)));
  });
