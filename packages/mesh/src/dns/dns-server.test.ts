import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import packet from 'dns-packet';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { MeshState } from '../data-plane.ts';
import { MeshIndex } from '../mesh-index.ts';
import {
  aNetwork,
  anEndpoint,
  aService,
  networkId,
  nodeId,
  serviceId,
  taskId,
} from '../testing/mesh-states.ts';
import { DnsServer } from './dns-server.ts';
import { NameTable } from './name-table.ts';

const stops: (() => unknown)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const node = { id: nodeId('n1'), hostname: 'node-1', address: '192.168.7.1' };
const client = (id: string, ...places: readonly [network: string, address: string][]) => ({
  taskId: taskId(id),
  serviceId: serviceId('x'),
  attachments: places.map(([network, address]) => ({ networkId: networkId(network), addresses: [address] })),
});
const state: MeshState = {
  networks: [
    aNetwork('front'),
    aNetwork('back', { subnets: [{ subnet: '10.0.2.0/24', gateway: '10.0.2.1' }], isInternal: true }),
  ],
  services: [
    {
      ...aService('web', 'front', '10.0.1.5'),
      networks: [{ networkId: networkId('front'), aliases: ['www', 'WWW.example.com'] }],
    },
    { ...aService('db', 'back', '10.0.2.5'), vips: [] },
    aService('six', 'front', 'fd00::5'),
  ],
  endpoints: [
    anEndpoint('t1', 'web', { front: ['10.0.1.11'] }),
    anEndpoint('t2', 'web', { front: ['10.0.1.12'] }),
    anEndpoint('t3', 'db', { back: ['10.0.2.13'] }),
  ],
  clients: [client('c1', ['front', '10.0.1.21']), client('c2', ['back', '10.0.2.22'])],
};
const [IN_FRONT, IN_BACK] = ['10.0.1.21', '10.0.2.22'];

function serverOf(resolvers: readonly { host: string; port: number }[] = []) {
  const index = new MeshIndex();
  const names = new NameTable(index);
  names.take(index.take({ kind: 'complete', state }).services);
  const server = new DnsServer({ node, index, names, resolvers });
  stops.push(() => server.close());
  return { server, index, names };
}

/** Asks as somebody at an address would. */
async function asked(server: DnsServer, name: string, type: 'A' | 'AAAA' | 'PTR' | 'TXT', from: string) {
  const bytes = packet.encode({
    type: 'query',
    id: 7,
    flags: packet.RECURSION_DESIRED,
    questions: [{ name, type }],
  });
  const answer = await server.answer(bytes, from, 'udp');
  if (!answer) throw new Error('no answer');
  const { rcode, answers = [], id } = packet.decode(answer) as packet.DecodedPacket & { rcode: string };
  expect(id).toBe(7);
  const data = answers.map((each) => ('data' in each ? String(each.data) : ''));
  return rcode === 'NOERROR' ? data.sort() : rcode;
}

describe('given the names of a cluster', () => {
  it('when a task asks, then it finds what is in its networks, by all its names, and nothing else', async () => {
    const { server } = serverOf();
    const front = (name: string, type: 'A' | 'AAAA' | 'TXT' = 'A') => asked(server, name, type, IN_FRONT);
    expect(await front('web')).toEqual(['10.0.1.5']);
    expect(await front('WeB')).toEqual(['10.0.1.5']);
    expect(await front('www')).toEqual(['10.0.1.5']);
    expect(await front('www.example.com')).toEqual(['10.0.1.5']);
    expect(await front('tasks.web')).toEqual(['10.0.1.11', '10.0.1.12']);
    expect(await front('web.1.t2')).toEqual(['10.0.1.12']);
    expect(await front('db')).toBe('NXDOMAIN');
    expect(await front('tasks.db')).toBe('NXDOMAIN');
    expect(await asked(server, 'db', 'A', IN_BACK)).toEqual(['10.0.2.13']);
    expect(await asked(server, 'web', 'A', IN_BACK)).toBe('NXDOMAIN');
  });

  it('when it asks for what a name has not, then there is nothing, but the name is there', async () => {
    const { server } = serverOf();
    expect(await asked(server, 'web', 'AAAA', IN_FRONT)).toEqual([]);
    expect(await asked(server, 'web', 'TXT', IN_FRONT)).toEqual([]);
    expect(await asked(server, 'six', 'AAAA', IN_FRONT)).toEqual(['fd00::5']);
    expect(await asked(server, 'six', 'A', IN_FRONT)).toEqual([]);
  });

  it('when it asks whose an address is, then it is told in its own networks', async () => {
    const { server } = serverOf();
    expect(await asked(server, '5.1.0.10.in-addr.arpa', 'PTR', IN_FRONT)).toEqual(['web']);
    expect(await asked(server, '12.1.0.10.in-addr.arpa', 'PTR', IN_FRONT)).toEqual(['web.1.t2']);
    expect(await asked(server, '5.1.0.10.in-addr.arpa', 'PTR', IN_BACK)).toBe('NXDOMAIN');
    const six = `5.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`;
    expect(await asked(server, six, 'PTR', IN_FRONT)).toEqual(['six']);
  });

  it('when others ask, then a container is known by its subnet, the node by itself, and strangers by nothing', async () => {
    const { server } = serverOf();
    expect(await asked(server, 'web', 'A', '10.0.1.77')).toEqual(['10.0.1.5']);
    expect(await asked(server, 'db', 'A', '127.0.0.1')).toEqual(['10.0.2.13']);
    expect(await asked(server, 'db', 'A', node.address)).toEqual(['10.0.2.13']);
    expect(await asked(server, 'web', 'A', '8.8.8.8')).toBe('REFUSED');
  });

  it('when tasks come and go, then the next answer knows', async () => {
    const { server, index, names } = serverOf();
    names.take(index.take({ kind: 'incremental', endpoints: { set: [], removed: [taskId('t1')] } }).services);
    expect(await asked(server, 'tasks.web', 'A', IN_FRONT)).toEqual(['10.0.1.12']);
    expect(await asked(server, 'web.1.t1', 'A', '10.0.2.22')).toBe('NXDOMAIN');
    names.take(
      index.take({ kind: 'incremental', services: { set: [], removed: [serviceId('web')] } }).services,
    );
    expect(await asked(server, 'web', 'A', IN_FRONT)).toBe('NXDOMAIN');
  });
});

describe('given the server on sockets', () => {
  it('when a resolver asks it, then answers turn, and long ones come by TCP', async () => {
    const { server, index, names } = serverOf();
    const port = await server.listen('127.0.0.1', 0);
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${port}`]);
    const first = new Set<string | undefined>();
    for (let round = 0; round < 4; round++) first.add((await resolver.resolve4('tasks.web'))[0]);
    expect([...first].sort()).toEqual(['10.0.1.11', '10.0.1.12']);
    await expect(resolver.resolve4('nobody')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolve6('web')).rejects.toMatchObject({ code: 'ENODATA' });
    expect(await resolver.resolve4('web', { ttl: true })).toEqual([{ address: '10.0.1.5', ttl: 0 }]);
    const many = Array.from({ length: 300 }, (_, at) =>
      anEndpoint(`m${at}`, 'web', { front: [`10.0.3.${at % 250}`, `10.0.4.${at % 250}`] }),
    );
    names.take(index.take({ kind: 'incremental', endpoints: { set: many, removed: [] } }).services);
    expect((await resolver.resolve4('tasks.web')).length).toBe(502);
    await expect(server.listen('127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('when a name is not of the cluster, then the resolvers are asked, but for tasks of internal networks', async () => {
    const upstream = createSocket('udp4');
    upstream.on('message', (query, from) => {
      const { id = 0, questions = [] } = packet.decode(query);
      const answers = [{ type: 'A' as const, name: questions[0]?.name ?? '', data: '192.0.2.1' }];
      // A stranger's answer comes first.
      upstream.send(
        packet.encode({ type: 'response', id: id ^ 1, questions, answers }),
        from.port,
        from.address,
      );
      upstream.send(packet.encode({ type: 'response', id, questions, answers }), from.port, from.address);
    });
    upstream.bind(0, '127.0.0.1');
    await once(upstream, 'listening');
    stops.push(() => upstream.close());
    const gone = { host: '127.0.0.1', port: 1 };
    const { server } = serverOf([gone, { host: '127.0.0.1', port: upstream.address().port }]);
    expect(await asked(server, 'example.org', 'A', IN_FRONT)).toEqual(['192.0.2.1']);
    expect(await asked(server, 'example.org', 'A', IN_BACK)).toBe('NXDOMAIN');
    expect(await asked(serverOf([gone]).server, 'example.org', 'A', IN_FRONT)).toBe('SERVFAIL');
  });
});

describe('given hostile packets', () => {
  const question = packet.encode({ type: 'query', id: 1, questions: [{ name: 'web', type: 'A' }] });

  it('when they are no questions, then they are refused or dropped', async () => {
    const { server } = serverOf();
    const codeOf = async (bytes: Buffer) => {
      const answer = await server.answer(bytes, IN_FRONT, 'udp');
      return answer && (answer[3] ?? 0) & 0xf;
    };
    const changed = (at: number, byte: number) => {
      const bytes = Buffer.from(question);
      bytes[at] = byte;
      return bytes;
    };
    expect(await codeOf(Buffer.alloc(5))).toBeUndefined();
    expect(await codeOf(changed(2, 0x80))).toBeUndefined();
    expect(await codeOf(changed(2, 0x28))).toBe(4);
    expect(await codeOf(changed(5, 2))).toBe(1);
    // A name that points to itself.
    expect(await codeOf(Buffer.concat([question.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]))).toBe(
      1,
    );
    expect(await codeOf(question.subarray(0, 15))).toBe(1);
  });

  it('when any bytes come, then nothing is thrown', async () => {
    const { server } = serverOf();
    const mutated = fc.tuple(fc.nat(question.length - 1), fc.nat(255), fc.nat(question.length));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), mutated, async (bytes, [at, byte, length]) => {
        const bent = Buffer.from(question.subarray(0, length));
        if (at < length) bent[at] = byte;
        for (const each of [Buffer.from(bytes), bent, Buffer.concat([question, bytes])]) {
          const answer = await server.answer(each, IN_BACK, 'udp');
          if (answer) expect(answer.length).toBeLessThanOrEqual(1_232);
        }
      }),
    );
  });
});
