import fc from 'fast-check';
import { expect, test } from 'vitest';
import { containsAddress, parseAddress, parseSubnet } from '../../model/address.ts';
import { asId, type NodeId, type TaskId } from '../../model/ids.ts';
import { networkSpecSchema } from '../../model/network.ts';
import type { NetworkAttachment } from '../../model/objects.ts';
import { serviceSpecSchema } from '../../model/service-spec.ts';
import { isTerminal } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import type { ControlLoop } from '../control-loop.ts';
import { AddressBook } from './address-book.ts';
import { createAllocator } from './allocator.ts';

const STEPS = [
  ...['network', 'network-goes', 'service', 'service-changes', 'service-goes', 'tasks', 'tasks', 'assign'],
  ...['assign', 'end', 'remove', 'node-goes', 'leader'],
] as const;
const step = fc.record({ what: fc.constantFrom(...STEPS), a: fc.nat(1_000), b: fc.nat(1_000) });

/** All that live objects hold, as `NETWORK ADDRESS`. */
function held(state: ClusterState): string[] {
  const places: NetworkAttachment[] = [];
  for (const { vips } of state.services()) places.push(...(vips ?? []));
  for (const { attachments } of state.tasks()) places.push(...(attachments ?? []));
  for (const { attachments } of state.nodes()) places.push(...(attachments ?? []));
  return places.flatMap(({ networkId, addresses }) => addresses.map((each) => `${networkId} ${each}`));
}

function check(state: ClusterState, book: AddressBook): void {
  const all = held(state);
  expect(new Set(all).size).toBe(all.length);
  expect([...book.taken()].sort()).toEqual([...all].sort());
  for (const task of state.tasks())
    if (isTerminal(task.status.state)) expect(task.attachments).toBeUndefined();
  const subnets = [...state.networks()].flatMap(({ allocation }) => allocation?.subnets ?? []);
  for (const entry of all) {
    const [network = '', address = ''] = entry.split(' ');
    const { subnets: own = [] } = state.network(asId(network))?.allocation ?? {};
    const value = parseAddress(address);
    const isInside = own.some(({ subnet, gateway }) => {
      const parsed = parseSubnet(subnet);
      return parsed && value && containsAddress(parsed, value) && gateway !== address;
    });
    expect(isInside).toBe(true);
  }
  expect(new Set(subnets.map(({ subnet }) => subnet)).size).toBe(subnets.length);
}

/** Does one step of a history by hand, as users, the scheduler and agents would. */
function act(cluster: StateBuilder, { what, a, b }: { what: (typeof STEPS)[number]; a: number; b: number }) {
  const { state } = cluster;
  const name = `${what}-${cluster.state.index}`;
  const pick = <T>(items: Iterable<T>, by: number): T | undefined => {
    const all = [...items];
    return all[by % Math.max(1, all.length)];
  };
  const networksOf = (by: number) =>
    [...new Set([pick(state.networks(), by), pick(state.networks(), by >> 2)])].flatMap((each) =>
      each ? [{ name: each.spec.name }] : [],
    );
  const specFor = (service: string) =>
    serviceSpecSchema.parse({
      name: service,
      endpointMode: b % 4 === 0 ? 'dnsrr' : 'vip',
      ports: b % 5 === 1 ? [{ target: 80 }] : [],
      task: { image: 'image', networks: networksOf(b) },
    });
  switch (what) {
    case 'network': {
      const subnets = a % 2 === 0 ? [] : [{ subnet: `10.200.${a % 256}.0/29` }];
      const isTaken = [...state.networks()].some(
        ({ spec }) => spec.subnets[0]?.subnet === subnets[0]?.subnet,
      );
      const spec = networkSpecSchema.parse({ name, ipv6: b % 3 === 0, subnets: isTaken ? [] : subnets });
      cluster.apply({ type: 'network.created', id: asId(name), spec });
      return;
    }
    case 'network-goes': {
      const network = pick(state.networks(), a);
      const uses = (task: { readonly networks: readonly { readonly name: string }[] }) =>
        task.networks.some((each) => each.name === network?.spec.name);
      const isUsed =
        [...state.services()].some(({ spec }) => uses(spec.task)) ||
        [...state.tasks()].some(({ spec }) => uses(spec));
      if (network && !isUsed) cluster.apply({ type: 'network.removed', id: network.id });
      return;
    }
    case 'service':
      cluster.apply({ type: 'service.created', id: asId(name), spec: specFor(name) });
      return;
    case 'service-changes': {
      const service = pick(state.services(), a);
      if (!service) return;
      const spec = specFor(service.spec.name);
      cluster.apply({
        ...{ type: 'service.updated', id: service.id, spec },
        ...{ tasksChanged: true, portsChanged: b % 2 === 0 },
      });
      return;
    }
    case 'service-goes': {
      const service = pick(state.services(), a);
      if (service) cluster.apply({ type: 'service.removed', id: service.id });
      return;
    }
    case 'tasks': {
      const service = pick(state.services(), a);
      if (!service) return;
      const rows = Array.from({ length: 1 + (b % 4) }, (_, n) => ({
        id: asId<TaskId>(`${name}-${n}`),
        slot: n + 1,
      }));
      cluster.apply({ type: 'task.created', serviceId: service.id, rows });
      return;
    }
    case 'assign': {
      const node = pick(state.nodes(), b);
      const tasks = [...state.tasks()]
        .filter(({ status }) => status.state === 'pending')
        .slice(0, 1 + (a % 3));
      if (!node || tasks.length === 0) return;
      cluster.apply({ type: 'task.assigned', rows: [{ nodeId: node.id, tasks: tasks.map(({ id }) => id) }] });
      return;
    }
    case 'end': {
      const task = pick(
        [...state.tasks()].filter(({ status }) => !isTerminal(status.state)),
        a,
      );
      const status = { state: 'failed' as const, at: 1, message: 'failed' };
      if (task) cluster.apply({ type: 'task.status', rows: [{ id: task.id, status }] });
      return;
    }
    case 'remove': {
      const task = pick(state.tasks(), a);
      if (task) cluster.apply({ type: 'task.removed', ids: [task.id] });
      return;
    }
    case 'node-goes': {
      const node = pick(state.nodes(), a);
      if (!node) return;
      const status = { state: 'orphaned' as const, at: 1, message: 'node removed from the cluster' };
      const live = [...state.tasksOfNode(node.id)].filter((task) => !isTerminal(task.status.state));
      cluster.apply(
        { type: 'task.status', rows: live.map(({ id }) => ({ id, status })) },
        { type: 'node.removed', id: node.id },
      );
      cluster.withNode({ id: asId<NodeId>(name) });
    }
  }
}

test('given any history, when the allocator has come to rest, then what is taken is exactly what live objects hold', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const cluster = aCluster({
        addressPools: [
          { base: '10.0.0.0/27', prefix: 29 },
          { base: 'fd00::/120', prefix: 120 },
        ],
      });
      cluster.withNode({ id: 'n1' }).withNode({ id: 'n2' });
      let book = new AddressBook();
      const fresh = (): ControlLoop[] => {
        book = new AddressBook();
        return [createAllocator(2, book)];
      };
      const harness = new LoopHarness(cluster, fresh());
      for (const each of steps) {
        if (each.what === 'leader') harness.changeLeader(fresh());
        else act(cluster, each);
        harness.run();
        check(cluster.state, book);
        expect(nobodyWaitsInVain(cluster.state, book)).toEqual([]);
      }
    }),
    { numRuns: 150 },
  );
});

/** Tasks and services that wait for addresses while every network that they name has one to give. */
function nobodyWaitsInVain(state: ClusterState, book: AddressBook): string[] {
  const isFree = (networks: readonly { readonly name: string }[]) =>
    networks.every(({ name }) => {
      const id = state.idByName('network', name);
      return id !== undefined && book.free(asId(id)) > 0;
    });
  const waiting: string[] = [];
  for (const task of state.tasks()) {
    const service = state.service(task.serviceId);
    if (!service || service.allocationError !== undefined || task.status.state !== 'new') continue;
    if (task.desiredState === 'running' && isFree(task.spec.networks)) waiting.push(task.id);
  }
  for (const { spec, allocationError, id } of state.services()) {
    if (allocationError !== undefined && isFree(spec.task.networks)) waiting.push(id);
  }
  return waiting;
}
