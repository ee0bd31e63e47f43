/** What a user of `@skep/node` does wrong, by its public API alone: each is told by a code, and leaves nothing behind. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { systemClock } from '@skep/core/member';
import { closeAll, init, isNodeError, join, type NodeOptions, type SkepNode, start } from '@skep/node';
import { ProcessDriver } from '@skep/process-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const HOUR_MS = 3_600_000;

describe('given a cluster, and a machine that is to join it', () => {
  const nodes: SkepNode[] = [];
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  let root: string;
  let one: SkepNode;
  let other: SkepNode;

  const machine = (name: string): NodeOptions => ({
    ...{ dir: pathOf(root, name), hostname: name, listen: '127.0.0.1:0' },
    driver: new ProcessDriver({ programs: {} }),
  });

  beforeAll(async () => {
    root = await mkdtemp(pathOf(tmpdir(), 'skep-bad-joins-'));
    one = await init(machine('one'));
    other = await init(machine('other'));
    nodes.push(one, other);
  });

  afterAll(async () => {
    await closeAll(nodes, { tasks: 'stop' });
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
    await rm(root, { recursive: true, force: true });
  });

  /** A port at which somebody takes every connection, and does this with it. */
  async function stranger(greet: (socket: Socket) => void): Promise<string> {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      greet(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    return `127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`;
  }

  type Wrong = () => Promise<Partial<Parameters<typeof join>[0]>>;
  const token = () => one.joinTokens().worker;
  const shifted = (ms: number) => ({ ...systemClock, now: () => systemClock.now() + ms });
  const isCase = (text: string) => text.replace(/[a-z0-9]$/, (last) => (last === 'x' ? 'y' : 'x'));

  const wrongs: readonly (readonly [what: string, code: string, wrong: Wrong])[] = [
    ['a token that is none', 'TOKEN_MALFORMED', async () => ({ token: 'let me in' })],
    ['no token', 'TOKEN_MALFORMED', async () => ({ token: '' })],
    ['a token cut short by a letter', 'TOKEN_MALFORMED', async () => ({ token: token().slice(0, -1) })],
    ['a token cut in half', 'TOKEN_MALFORMED', async () => ({ token: token().slice(0, 40) })],
    ['a token with another last letter', 'TOKEN_REFUSED', async () => ({ token: isCase(token()) })],
    [
      'a token that was rotated',
      'TOKEN_REFUSED',
      async () => {
        const before = token();
        await one.rotateJoinToken('worker');
        return { token: before };
      },
    ],
    ["another cluster's token", 'ROOT_MISMATCH', async () => ({ token: other.joinTokens().worker })],
    ["another cluster's address", 'ROOT_MISMATCH', async () => ({ remote: other.advertise })],
    ['an address where nobody listens', 'UNREACHABLE', async () => ({ remote: '127.0.0.1:1' })],
    [
      'an address where nobody ever answers',
      'UNREACHABLE',
      async () => ({ remote: await stranger(() => {}) }),
    ],
    [
      'an address where something else answers',
      'UNREACHABLE',
      async () => ({ remote: await stranger((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')) }),
    ],
    ['an address that is none', 'INVALID_OPTION', async () => ({ remote: 'not an address' })],
    [
      'its own address',
      'JOIN_TO_ITSELF',
      async () => ({ listen: '127.0.0.1:40404', remote: '127.0.0.1:40404' }),
    ],
    ['a clock an hour behind', 'CLOCK_SKEW', async () => ({ clock: shifted(-HOUR_MS) })],
    [
      'a manager token, and an address that the managers can not reach',
      'ADVERTISED_UNREACHABLE',
      async () => ({ token: one.joinTokens().manager, advertise: '127.0.0.1:1' }),
    ],
    ['the directory of another node', 'STATE_LOCKED', async () => ({ dir: pathOf(root, 'other') })],
    ['an aborted signal', 'CANCELLED', async () => ({ signal: AbortSignal.abort(new Error('enough')) })],
  ];

  it.each(wrongs)(
    'when it comes with %s, then that is told as %s, and nothing is half joined',
    async (_, code, wrong) => {
      const options = { ...machine('new'), token: token(), remote: one.advertise, ...(await wrong()) };
      const error: unknown = await join(options).then(
        (node) => {
          nodes.push(node);
          return undefined;
        },
        (reason: unknown) => reason,
      );
      expect(isNodeError(error) ? error.code : error).toBe(code);
      expect(String(error)).not.toContain(options.token || 'no token');
      expect(one.cluster.nodes.list().filter(({ description }) => description.hostname === 'new')).toEqual(
        [],
      );
      expect(await readdir(pathOf(root, 'new')).catch(() => [])).toEqual([]);
    },
  );

  it('when it makes a cluster where a node is, or starts where there is none, then that is told', async () => {
    const again: unknown = await init(machine('one')).catch((reason: unknown) => reason);
    expect(again).toMatchObject({ code: 'STATE_LOCKED' });
    const nothing: unknown = await start({ dir: pathOf(root, 'nothing') }).catch((reason: unknown) => reason);
    expect(nothing).toMatchObject({ code: 'NOT_A_NODE' });
    expect(await readdir(pathOf(root, 'nothing'))).toEqual([]);
  });

  it('when all is right at last, then it joins, and the cluster works', async () => {
    const node = await join({ ...machine('new'), token: token(), remote: one.advertise });
    nodes.push(node);
    expect(one.cluster.nodes.inspect('new').id).toBe(node.nodeId);
    await node.leave();
    expect(one.cluster.nodes.list().map(({ id }) => id)).toEqual([one.nodeId]);
  });
});
