/** Telling a connection that lives from one whose other side is gone, which TCP tells only after many minutes. */

import type { Http2Session } from 'node:http2';
import type { Clock } from '@skep/core';

/**
 * Asks the other side for a sign of life, and destroys the connection if none comes.
 *
 * @param pingMs - how often, and how long it may take, in ms.
 * @returns the way to stop.
 */
export function keepAlive(session: Http2Session, clock: Clock, pingMs: number): () => void {
  let cancel = () => {};
  const next = () => {
    cancel = clock.setTimer(pingMs, () => {
      if (session.destroyed) return;
      cancel = clock.setTimer(pingMs, () => session.destroy());
      session.ping((error) => {
        cancel();
        if (error === null) next();
      });
    });
  };
  next();
  return () => cancel();
}
