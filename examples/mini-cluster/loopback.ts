/**
 * Addresses for nodes that share one machine. Linux answers on all of 127.0.0.0/8, so there each node has a range of
 * its own, 127.x.0.0/16, and is itself at .0.1. Elsewhere there is 127.0.0.1 alone, and nodes differ by their ports.
 */

import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where a node is. */
export interface NodeAddress {
  /** Which of the places on this machine it is: x of its range, or how far its port is moved. From 1 to 254. */
  readonly place: number;
  readonly host: string;
  readonly port: number;
}

/** Addresses that no other launcher takes while this one holds them. */
export interface HeldAddresses extends Disposable {
  readonly addresses: readonly NodeAddress[];
}

/** What to hold. */
export interface HoldOptions {
  /** For each node the address that it had before; undefined: it is new, and takes any. */
  readonly before: readonly (NodeAddress | undefined)[];
  /** Place to begin the search at. Default 1. */
  readonly firstPlace?: number;
  readonly platform?: NodeJS.Platform;
  readonly signal?: AbortSignal;
}

/** How many places there are. */
export const PLACES = 254;

/** Ports to try: where something has one on all addresses, the next. */
const PORTS = [2377, 12_377, 22_377, 32_377] as const;

/** Between two nodes where ports are all that they differ by; and from a node's port to the one that holds its place. */
const APART = 10;
const HOLDER_OFFSET = 9;

/** How long a node of before, which may just be ending, is waited for, and how often it is looked, in ms. */
const BEFORE_MS = 10_000;
const AGAIN_MS = 100;

/**
 * Finds an address for each node, and holds it by listening beside it, so that it is free again as soon as this process
 * is gone. Nodes of before get the address that they had: all that their managers know of each other is that.
 *
 * @throws Error if an address of before is taken, or there are not enough free ones
 */
export async function holdAddresses(options: HoldOptions): Promise<HeldAddresses> {
  const { before, firstPlace = 1, platform = process.platform, signal } = options;
  const holders: Server[] = [];
  const release = () => {
    for (const holder of holders.splice(0)) holder.close();
  };
  const hold = async (place: number, port: number): Promise<NodeAddress | undefined> => {
    const { node, holder } = platform === 'linux' ? rangeAt(place, port) : portAt(place, port);
    const held = await listening(holder);
    if (held === undefined) return undefined;
    const probe = await listening(node);
    if (probe !== undefined) {
      await closed(probe);
      holders.push(held);
      return { place, ...node };
    }
    await closed(held);
    return undefined;
  };
  const any = async (): Promise<NodeAddress> => {
    for (const port of PORTS) {
      for (let step = 0; step < PLACES; step++) {
        const address = await hold(((firstPlace - 1 + step) % PLACES) + 1, port);
        if (address !== undefined) return address;
      }
    }
    throw new Error(`this machine has no free loopback address for ${before.length} nodes`);
  };
  const again = async ({ place, host, port }: NodeAddress): Promise<NodeAddress> => {
    const first = platform === 'linux' ? port : port - place * APART;
    const end = performance.now() + BEFORE_MS;
    for (;;) {
      const address = await hold(place, first);
      if (address !== undefined) return address;
      if (performance.now() > end)
        throw new Error(`something else uses ${host}:${port}, where a node was before`);
      await sleep(AGAIN_MS, undefined, signal === undefined ? {} : { signal });
    }
  };
  try {
    const addresses: NodeAddress[] = [];
    for (const known of before) if (known !== undefined) addresses.push(await again(known));
    const kept = addresses.values();
    const all: NodeAddress[] = [];
    for (const known of before) all.push((known && kept.next().value) ?? (await any()));
    return { addresses: all, [Symbol.dispose]: release };
  } catch (error) {
    release();
    throw error;
  }
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

interface Place {
  readonly node: Endpoint;
  /** Where a launcher listens that has taken the place. */
  readonly holder: Endpoint;
}

function rangeAt(place: number, port: number): Place {
  return { node: { host: `127.${place}.0.1`, port }, holder: { host: `127.${place}.255.254`, port } };
}

function portAt(place: number, first: number): Place {
  const host = '127.0.0.1';
  const port = first + place * APART;
  return { node: { host, port }, holder: { host, port: port + HOLDER_OFFSET } };
}

/** A server there that answers nothing; undefined if it can't be. It keeps no process alive. */
function listening({ host, port }: Endpoint): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once('error', () => resolve(undefined));
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
