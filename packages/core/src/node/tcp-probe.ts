/** The network of health probes, on Node's sockets. */

import { createConnection } from 'node:net';
import type { ProbeNetwork } from '../worker/health/probe.ts';

/** Opens TCP connections for probes and closes them at once. */
export const nodeProbeNetwork: ProbeNetwork = {
  connect(address, port, signal) {
    return new Promise((resolve, reject) => {
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
  },
};
