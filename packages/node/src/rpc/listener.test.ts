import { connect, type Socket } from 'node:net';
import { systemClock } from '@skep/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestCluster } from '../test-support/test-cluster.ts';
import { parseAddress } from './address.ts';
import { Listener } from './listener.ts';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await TestCluster.create();
});

afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});

async function listening(handshakeMs?: number): Promise<Listener> {
  return Listener.open({
    listen: { host: '127.0.0.1', port: 0 },
    credentials: await cluster.credentialsOf(),
    clock: systemClock,
    ...(handshakeMs === undefined ? {} : { handshakeMs }),
  });
}

/** A connection that never begins its handshake, and its end. */
function silent({ address }: Listener): { readonly open: Promise<Socket>; readonly ended: Promise<void> } {
  const socket = connect(parseAddress(address));
  socket.on('error', () => {});
  return {
    open: new Promise((resolve) => socket.once('connect', () => resolve(socket))),
    ended: new Promise((resolve) => socket.once('close', () => resolve())),
  };
}

describe('given connections that never begin their handshake', () => {
  it('when the time for it is over, then they are ended', async () => {
    const listener = await listening(20);
    await silent(listener).ended;
    await listener.close();
  });

  it('when the listener is closed, then they do not hold it up', async () => {
    const listener = await listening(600_000);
    const { open, ended } = silent(listener);
    await open;
    await listener.close();
    await ended;
  });

  it('when there are too many, then those that come on top are ended at once', async () => {
    const listener = await listening(600_000);
    const many = Array.from({ length: 300 }, () => silent(listener));
    await Promise.all(many.map(({ open }) => open));
    let ended = 0;
    await new Promise<void>((resolve) => {
      for (const each of many) void each.ended.then(() => ++ended === 300 - 256 && resolve());
    });
    await listener.close();
    await Promise.all(many.map((each) => each.ended));
    expect(ended).toBe(300);
  });
});
