/**
 * Holds published ports on the node. The kernel's rules pass connections on before any socket sees them, so a program that
 * had the port would be cut off without a word; and one that took it later would wait for connections in vain. So the
 * data plane has the port itself, or says who is in the way, and passes nothing on.
 */

import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Protocol } from '../data-plane.ts';
import { familyOf } from './address-text.ts';

/** Gives a port back. */
type Release = () => void;

/** The ports that a node holds. */
export class PortHolder {
  readonly #address: string | undefined;
  readonly #held = new Map<string, Release>();

  /** @param address - the one that ports are published at. Absent: all of the machine's */
  constructor(address?: string) {
    this.#address = address;
  }

  /** Holds these and gives back all others. @returns those that somebody else has */
  async hold(ports: ReadonlyMap<string, { readonly protocol: Protocol; readonly port: number }>) {
    for (const [key, release] of this.#held) {
      if (ports.has(key)) continue;
      this.#held.delete(key);
      release();
    }
    const taken = new Set<string>();
    const wanted = [...ports].filter(([key]) => !this.#held.has(key));
    await Promise.all(
      wanted.map(async ([key, { protocol, port }]) => {
        const release = await take(protocol, port, this.#address);
        if (release === undefined) taken.add(key);
        else this.#held.set(key, release);
      }),
    );
    return taken;
  }

  close(): void {
    for (const release of this.#held.values()) release();
    this.#held.clear();
  }
}

/** Undefined: somebody else has it. */
async function take(
  protocol: Protocol,
  port: number,
  address: string | undefined,
): Promise<Release | undefined> {
  // Node has no sockets of SCTP, so nobody can be asked.
  if (protocol === 'sctp') return () => {};
  const isTaken = (error: NodeJS.ErrnoException) => error.code === 'EADDRINUSE';
  return protocol === 'tcp' ? takeTcp(port, address, isTaken) : takeUdp(port, address, isTaken);
}

type IsTaken = (error: NodeJS.ErrnoException) => boolean;

function takeTcp(port: number, host: string | undefined, isTaken: IsTaken): Promise<Release | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error) => (isTaken(error) ? resolve(undefined) : reject(error)));
    server.listen({ port, exclusive: true, ...(host !== undefined && { host }) }, () => {
      server.unref();
      resolve(() => server.close());
    });
  });
}

function takeUdp(port: number, address: string | undefined, isTaken: IsTaken): Promise<Release | undefined> {
  return new Promise((resolve, reject) => {
    const isIPv6 = address === undefined || familyOf(address) === 6;
    const socket = createSocket({ type: isIPv6 ? 'udp6' : 'udp4' });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      if (isTaken(error)) resolve(undefined);
      else reject(error);
    });
    socket.bind({ port, exclusive: true, ...(address !== undefined && { address }) }, () => {
      socket.unref();
      resolve(() => socket.close());
    });
  });
}
