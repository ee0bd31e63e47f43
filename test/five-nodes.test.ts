/**
 * Five machines with their own Docker Engines, a site's usual shape: a database and three web servers that find each other
 * on an overlay network, a published port, a network of strangers, and one that nobody may read along. Nothing is a
 * stand-in but the programs in the containers.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { RuntimeTask } from '@skep/core/driver';
import { type TaskSpecInput, taskSpecSchema } from '@skep/core/testing';
import { engineMissing } from '@skep/docker-driver/testing';
import type { MeshEndpoint, MeshNetwork, MeshService, MeshState } from '@skep/mesh';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AS_ROOT, kernelMissing } from '../packages/mesh/src/testing/kernel-requirements.ts';
import { aNetwork, anEndpoint, aService, networkId } from '../packages/mesh/src/testing/mesh-states.ts';
import { asRoot, type NetworkNamespace } from '../packages/mesh/src/testing/network-namespace.ts';
import { layWire, Machine } from './five-nodes/machine.ts';

const missing =
  kernelMissing('nft', 'ip', 'bridge', 'nsenter', 'wireguard-go', 'wg', 'tcpdump', 'busybox') ??
  engineMissing();

const NODES = [1, 2, 3, 4, 5] as const;
/** What tasks say, those of the encrypted network another thing than the others. */
const MARK = 'anybody-may-read-this';
const SECRET = 'nobody-else-may-read-this';
const SERVE = 'busybox mkdir /www; echo "$SAYS" > /www/index.html; exec busybox httpd -f -p 80 -h /www';

/** What a task is, and where. */
interface Placed {
  readonly node: number;
  readonly service: string;
  readonly places: Readonly<Record<string, string>>;
}

const TASKS: Readonly<Record<string, Placed>> = {
  postgres: { node: 2, service: 'postgres', places: { backend: '10.9.1.20' } },
  'web-1': { node: 3, service: 'web', places: { backend: '10.9.1.21', ingress: '10.9.0.21' } },
  'web-2': { node: 4, service: 'web', places: { backend: '10.9.1.22', ingress: '10.9.0.22' } },
  'web-3': { node: 4, service: 'web', places: { backend: '10.9.1.23', ingress: '10.9.0.23' } },
  stranger: { node: 3, service: 'stranger', places: { other: '10.9.2.20' } },
  'vault-1': { node: 4, service: 'vault', places: { secret: '10.9.3.20' } },
  'vault-2': { node: 5, service: 'vault', places: { secret: '10.9.3.21' } },
};
const NETWORKS = ['ingress', 'backend', 'other', 'secret'] as const;

const SERVICES: readonly MeshService[] = [
  aService('postgres', 'backend', '10.9.1.100'),
  aService('web', 'backend', '10.9.1.101', {
    ports: [{ target: 80, published: 8080, protocol: 'tcp', mode: 'ingress' }],
  }),
  aService('stranger', 'other', '10.9.2.100'),
  aService('vault', 'secret', '10.9.3.100'),
];

function endpoint(id: string, { node, service, places }: Placed): MeshEndpoint {
  const attachments = Object.fromEntries(Object.entries(places).map(([name, address]) => [name, [address]]));
  return anEndpoint(id, service, attachments, { nodeAddress: `192.168.77.${node}` });
}

function task(id: string): RuntimeTask {
  const { service = '', places = {} } = TASKS[id] ?? {};
  const spec: TaskSpecInput = {
    image: 'tiny:latest',
    command: ['/bin/sh', '-c', SERVE],
    hostname: id,
    stopSignal: 'SIGKILL',
    env: { SAYS: `${id} ${service === 'vault' ? SECRET : MARK}` },
  };
  return {
    id: id as RuntimeTask['id'],
    serviceId: service as RuntimeTask['serviceId'],
    serviceName: service,
    name: `${service}.1.${id}`,
    slot: 1,
    spec: taskSpecSchema.parse(spec),
    ports: [],
    attachments: Object.entries(places).map(([name, address]) => ({
      networkId: networkId(name),
      addresses: [address],
    })),
    assignedGeneric: {},
    files: [],
  };
}

/** What a node is told: networks that have tasks there, and the ingress network everywhere. */
function stateOf(node: number, keys: readonly string[], left = TASKS): MeshState {
  const isIn = (name: string, number: number) =>
    name === 'ingress' || Object.values(left).some((each) => each.node === number && name in each.places);
  const networks = NETWORKS.filter((name) => isIn(name, node)).map((name): MeshNetwork => {
    const net = NETWORKS.indexOf(name);
    return aNetwork(name, {
      subnets: [{ subnet: `10.9.${net}.0/24`, gateway: `10.9.${net}.1` }],
      vni: 4096 + net,
      isIngress: name === 'ingress',
      isEncrypted: name === 'secret',
      addresses: [`10.9.${net}.${10 + node}`],
      peers: NODES.filter((other) => other !== node && isIn(name, other)).map((other) => ({
        nodeId: `n${other}` as MeshNetwork['peers'][number]['nodeId'],
        address: `192.168.77.${other}`,
        addresses: [`10.9.${net}.${10 + other}`],
        publicKey: keys[other - 1] ?? '',
      })),
    });
  });
  return {
    networks,
    services: SERVICES,
    endpoints: Object.entries(left).map(([id, placed]) => endpoint(id, placed)),
    clients: Object.entries(left)
      .filter(([, placed]) => placed.node === node)
      .map(([id, placed]) => ({
        taskId: id as RuntimeTask['id'],
        serviceId: placed.service as RuntimeTask['serviceId'],
        attachments: endpoint(id, placed).attachments,
      })),
  };
}

describe.skipIf(missing !== undefined)(missing ?? 'given five machines with engines of their own', () => {
  let wire: NetworkNamespace;
  const machines: Machine[] = [];
  let keys: string[] = [];

  const on = (id: string): Machine => {
    const machine = machines[(TASKS[id]?.node ?? 0) - 1];
    if (machine === undefined) throw new Error(`no machine of task ${id}`);
    return machine;
  };
  /** What a web server says there. */
  const asking = (address: string, port = 80) => {
    const request = String.raw`printf 'GET / HTTP/1.0\r\n\r\n'`;
    return ['-c', `${request} | busybox nc -w 3 ${address} ${port}`];
  };
  const said = (response: string) => {
    if (!response.includes('200 OK')) throw new Error(`no answer: ${response}`);
    return response.trim().split('\n').at(-1) ?? '';
  };
  const get = async (id: string, address: string) =>
    said(await on(id).exec(task(id), ['/bin/sh', ...asking(address)]));
  const from = async (namespace: NetworkNamespace | undefined, address: string) =>
    said((await namespace?.run('sh', asking(address, 8080))) ?? '');
  const who = (text: string) => text.split(' ')[0] ?? '';
  const applyAll = async (left = TASKS) =>
    (
      await Promise.all(
        machines.map((machine, index) =>
          machine.apply({ kind: 'complete', state: stateOf(index + 1, keys, left) }),
        ),
      )
    ).flat();

  beforeAll(async () => {
    wire = await layWire();
    machines.push(...(await Promise.all(NODES.map((number) => Machine.start(wire, number)))));
    keys = await Promise.all(machines.map((machine) => machine.startAgent()));
    expect(await applyAll()).toEqual([]);
    await Promise.all(Object.keys(TASKS).map((id) => on(id).run(task(id))));
  }, 180_000);

  afterAll(async () => {
    await Promise.all(machines.map((machine) => machine.dispose()));
    await wire?.[Symbol.asyncDispose]();
  }, 60_000);

  it('when a web server asks for the database by its virtual address, then it answers from another machine', async () => {
    for (const id of ['web-1', 'web-2', 'web-3']) {
      expect(await get(id, '10.9.1.100')).toBe(`postgres ${MARK}`);
      expect(await get(id, '10.9.1.20')).toBe(`postgres ${MARK}`);
    }
  });

  it('when a virtual address is called again and again, then every task gets its turn, the caller too', async () => {
    for (const id of ['postgres', 'web-2']) {
      const counts = new Map<string, number>();
      for (let call = 0; call < 12; call++) {
        const name = who(await get(id, '10.9.1.101'));
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      expect(Object.fromEntries(counts)).toEqual({ 'web-1': 4, 'web-2': 4, 'web-3': 4 });
    }
  });

  it('when a published port is called from outside, then it answers on every machine', async () => {
    for (const number of NODES) {
      const names = new Set<string>();
      for (let call = 0; call < 3; call++) names.add(who(await from(wire, `192.168.77.${number}`)));
      expect([...names].toSorted()).toEqual(['web-1', 'web-2', 'web-3']);
    }
    const [first] = machines;
    expect(await from(first?.namespace, '127.0.0.1')).toContain(MARK);
  });

  it('when a task is in another network, then it reaches nothing of this one', async () => {
    for (const url of ['10.9.1.101/', '10.9.1.21/', '10.9.1.20/'])
      await expect(get('stranger', url)).rejects.toThrow();
    await expect(get('web-1', '10.9.2.20')).rejects.toThrow();
  });

  it('when somebody listens on the wire, then an encrypted network tells him nothing', async () => {
    const listen = [
      'nsenter',
      `--net=/run/netns/${wire.name}`,
      'tcpdump',
      '-i',
      'wire',
      '-U',
      '-s',
      '0',
      '-w',
      '-',
    ];
    const [command = '', ...args] = [...AS_ROOT, ...listen];
    const capture = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const pieces: Buffer[] = [];
    capture.stdout.on('data', (piece: Buffer) => pieces.push(piece));
    await once(capture.stderr, 'data');
    expect(await get('vault-1', '10.9.3.21')).toBe(`vault-2 ${SECRET}`);
    // What is not encrypted is seen, so the ears were open.
    expect(await get('web-1', '10.9.1.100')).toContain(MARK);
    await expect.poll(() => Buffer.concat(pieces).includes(MARK), { timeout: 10_000 }).toBe(true);
    const ended = once(capture, 'close');
    await asRoot('kill', [String(capture.pid)]);
    await ended;
    expect(Buffer.concat(pieces).includes(SECRET)).toBe(false);
  });

  it('when an agent is killed and comes back, then traffic goes on meanwhile, and changes are taken in after', async () => {
    const machine = on('web-1');
    await machine.killAgent();
    expect(who(await from(wire, '192.168.77.3'))).toMatch(/^web-/);
    const devices = () => machine.namespace.run('ip', ['-o', 'link', 'show']);
    const before = await devices();
    keys[2] = await machine.startAgent();
    const { 'web-3': gone, ...left } = TASKS;
    expect(gone).toBeDefined();
    expect(await applyAll(left)).toEqual([]);
    expect(await devices()).toBe(before);
    const names = new Set<string>();
    for (let call = 0; call < 6; call++) names.add(who(await from(wire, '192.168.77.3')));
    expect([...names].toSorted()).toEqual(['web-1', 'web-2']);
    expect(await get('web-1', '10.9.1.100')).toBe(`postgres ${MARK}`);
  });

  it('when everything is gone that needed them, then networks and rules are gone, too', async () => {
    await Promise.all(Object.keys(TASKS).map((id) => on(id).remove(task(id))));
    const empty: MeshState = { networks: [], services: [], endpoints: [], clients: [] };
    for (const machine of machines) {
      expect(await machine.apply({ kind: 'complete', state: empty })).toEqual([]);
      expect(await machine.namespace.run('ip', ['-o', 'link', 'show'])).not.toMatch(/sk[bxw]-/);
      const networks = await machine.engine.request<{ Name: string }[]>('GET', '/networks');
      expect(networks.map(({ Name }) => Name).filter((name) => name.startsWith('skep-'))).toEqual([]);
    }
  });
});
