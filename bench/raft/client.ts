/** The program of the clients: closed loops against one member's door, over connections that they share. */

import { randomBytes } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { TestIdentity } from '../../packages/raft/src/adapters/test-support/certificates.ts';
import { putCommand } from './block-store.ts';
import { closedLoops } from './closed-loop.ts';
import { DoorClient, REQUEST } from './door.ts';

/** What the clients are told. */
export interface ClientOrder {
  readonly port: number;
  readonly identity: TestIdentity;
  readonly request: keyof typeof REQUEST;
  readonly clients: number;
  readonly connections: number;
  readonly seconds: number;
  readonly keys: number;
}

process.once('message', (order: ClientOrder) => void run(order));

async function run(order: ClientOrder): Promise<void> {
  const { port, identity, request, clients, connections, seconds, keys } = order;
  const context = createSecureContext(identity);
  const doors = await Promise.all(
    Array.from({ length: Math.min(clients, connections) }, () => DoorClient.connect(port, context)),
  );
  const value = request === 'put' ? randomBytes(256) : new Uint8Array(0);
  const result = await closedLoops(clients, seconds, async (number) => {
    const door = doors[number % doors.length];
    const answer = await door?.ask(REQUEST[request], putCommand(number % keys, value));
    if (request === 'put' && answer?.[0] !== 1) throw new Error('a proposal was not committed');
  });
  process.send?.(result);
  process.disconnect();
  for (const door of doors) door.close();
}
