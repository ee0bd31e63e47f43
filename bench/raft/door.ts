/**
 * How clients in a process of their own reach a member: frames over mutual TLS, each with the number of the request in
 * front. No part of the library, which is embedded; it is here so that Skep is measured from where etcd is.
 */

import { connect, createServer, type SecureContext, type TLSSocket } from 'node:tls';
import { systemRaftClock } from '@skep/raft';
import { FramedSocket } from '../../packages/raft/src/adapters/tcp-transport/framed-socket.ts';

const FRAME_BYTES_MAX = 1024 * 1024;
const NUMBER_BYTES = 4;

/** What a client may ask for. */
export const REQUEST = { put: 0, read: 1 } as const;

/** Listens, and answers each request with what `serve` resolves to. Resolves to the port. */
export function openDoor(
  context: SecureContext,
  serve: (request: number, body: Uint8Array) => Promise<Uint8Array>,
): Promise<number> {
  const server = createServer(
    { requestCert: true, rejectUnauthorized: true, SNICallback: (_, done) => done(null, context) },
    (socket) => {
      const framed: FramedSocket = new FramedSocket(socket, FRAME_BYTES_MAX, systemRaftClock, {
        frame: (frame) => {
          const answered = serve(frame[NUMBER_BYTES] ?? 0, frame.subarray(NUMBER_BYTES + 1));
          void answered.then((body) => framed.send(join(frame.subarray(0, NUMBER_BYTES), body)));
        },
        closed: () => {},
      });
    },
  );
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

/** One connection to a member's door. */
export class DoorClient {
  readonly #framed: FramedSocket;
  readonly #waiting = new Map<number, (body: Uint8Array) => void>();
  #number = 0;

  private constructor(socket: TLSSocket) {
    this.#framed = new FramedSocket(socket, FRAME_BYTES_MAX, systemRaftClock, {
      frame: (frame) => {
        const number = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
        this.#waiting.get(number)?.(frame.subarray(NUMBER_BYTES));
        this.#waiting.delete(number);
      },
      closed: () => {},
    });
  }

  static connect(port: number, secureContext: SecureContext): Promise<DoorClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        secureContext,
        servername: 'door.bench',
        checkServerIdentity: () => undefined,
      });
      socket.once('error', reject);
      socket.once('secureConnect', () => resolve(new DoorClient(socket)));
    });
  }

  ask(request: number, body: Uint8Array): Promise<Uint8Array> {
    this.#number = (this.#number + 1) >>> 0;
    const number = this.#number;
    const head = new Uint8Array(NUMBER_BYTES + 1);
    new DataView(head.buffer).setUint32(0, number);
    head[NUMBER_BYTES] = request;
    return new Promise((resolve) => {
      this.#waiting.set(number, resolve);
      this.#framed.send(join(head, body));
    });
  }

  close(): void {
    this.#framed.end();
  }
}

function join(head: Uint8Array, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(head.length + body.length);
  frame.set(head);
  frame.set(body, head.length);
  return frame;
}
