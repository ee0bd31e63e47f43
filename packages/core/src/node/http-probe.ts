/**
 * HTTP requests of health probes, on Node's own client. Not by `fetch`, which keeps connections in a pool after their
 * use, and with that holds up the graceful stop of the very task that was asked.
 */

import { request } from 'node:http';
import type { ProbeNetwork } from '../worker/health/probe.ts';

/** Asks for a path on a connection of its own. Rejects with the reason when no answer comes, or on abort. */
export const requestStatus: Required<ProbeNetwork>['request'] = (address, port, path, signal) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const asking = request({ host: address, port, path, agent: false, headers: { connection: 'close' } });
    const finish = (settle: () => void) => {
      signal.removeEventListener('abort', onAbort);
      // Also in the middle of an answer: nobody reads what is still to come.
      asking.destroy();
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    asking.once('response', ({ statusCode = 0 }) => finish(() => resolve({ status: statusCode })));
    asking.on('error', (error) => finish(() => reject(error)));
    asking.once('close', () => finish(() => reject(new Error('the connection closed without an answer'))));
    asking.end();
  });
