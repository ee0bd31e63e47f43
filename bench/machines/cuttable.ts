/** The network of this process as it can be cut: what this process dials over TLS, which is all that a worker has. */

import { syncBuiltinESMExports } from 'node:module';
import tls, { type TLSSocket } from 'node:tls';

/** A switch. */
export interface Cuttable {
  /** Ends every connection, and each that is tried from now on. */
  cut(): void;
  mend(): void;
}

/** Takes the place of `tls.connect` for all modules of this process. */
export function cuttable(): Cuttable {
  const connected = new Set<TLSSocket>();
  const connect = tls.connect as (...args: unknown[]) => TLSSocket;
  let isCut = false;
  const end = (socket: TLSSocket) => socket.destroy(new Error('the network is cut'));
  const counted = (...args: unknown[]): TLSSocket => {
    const socket = connect(...args);
    connected.add(socket);
    socket.once('close', () => connected.delete(socket));
    if (isCut) process.nextTick(end, socket);
    return socket;
  };
  Object.assign(tls, { connect: counted });
  syncBuiltinESMExports();
  return {
    cut: () => {
      isCut = true;
      for (const socket of connected) end(socket);
    },
    mend: () => {
      isCut = false;
    },
  };
}
