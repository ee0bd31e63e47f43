/** Messages of DNS on a connection: each behind its length in two bytes (RFC 1035, 4.2.2). */

import type { Socket } from 'node:net';

/** Calls back with each whole message. */
export function readFrames(socket: Socket, onMessage: (message: Buffer) => void): void {
  let held: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= 2) {
      const length = held.readUInt16BE(0);
      if (held.length < 2 + length) return;
      const message = held.subarray(2, 2 + length);
      held = held.subarray(2 + length);
      onMessage(message);
    }
  });
}

/** Writes one message. */
export function writeFrame(socket: Socket, message: Buffer): void {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  socket.write(Buffer.concat([length, message]));
}
