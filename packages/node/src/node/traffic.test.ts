import type { NetworkId, NodeId, ServiceId, TaskId, TrafficNetwork } from '@skep/core';
import type { EndpointsMessage } from '@skep/core/member';
import { describe, expect, it } from 'vitest';
import { TrafficFold } from './traffic.ts';

const SELF = 'n1' as NodeId;
const [front, back] = ['front' as NetworkId, 'back' as NetworkId];

const network = (id: NetworkId): TrafficNetwork => ({
  ...{ id, name: id, isInternal: false, isEncrypted: false, isIngress: false, isAttachable: false },
  allocation: { subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }], vni: 4_097 },
});
const node = (id: string, ...networks: readonly NetworkId[]) => ({
  id: id as NodeId,
  address: `192.168.0.${id.slice(1)}`,
  attachments: networks.map((networkId) => ({ networkId, addresses: [`10.0.1.${id.slice(1)}`] })),
});
const service = { id: 'web' as ServiceId, name: 'web', vips: [], networks: [] };
const port = { target: 80, protocol: 'tcp', mode: 'ingress' } as const;
const complete: EndpointsMessage = {
  ...{ kind: 'complete', index: 1, clients: [] },
  endpoints: [
    {
      ...{ taskId: 't1' as TaskId, serviceId: service.id, nodeId: SELF, name: 'web.1.t1' },
      ...{ address: '192.168.0.1', ports: [{ target: 80, protocol: 'tcp', port: 20_000 }] },
    },
  ],
  services: [{ ...service, ports: [port, { ...port, published: 8_080 }] }],
  networks: [network(front), network(back)],
  nodes: [node('n1', front), node('n2', front, back)],
};

describe('given what managers tell of traffic', () => {
  it('when it is all of it, then networks of this node come with the others in them', () => {
    const change = new TrafficFold(SELF).take(complete);
    if (change.kind !== 'complete') throw new Error('not complete');
    const { networks, services, endpoints } = change.state;
    const peers = [{ nodeId: 'n2', address: '192.168.0.2', addresses: ['10.0.1.2'] }];
    expect(networks).toMatchObject([{ id: front, vni: 4_097, addresses: ['10.0.1.1'], peers }]);
    // One that has no number yet is nothing to listen for.
    expect(services[0]?.ports).toEqual([{ ...port, published: 8_080 }]);
    expect(endpoints).toMatchObject([{ nodeAddress: '192.168.0.1', attachments: [] }]);
  });

  it('when nodes come and go, then their networks are told anew, or are gone', () => {
    const fold = new TrafficFold(SELF);
    fold.take(complete);
    const step = { kind: 'incremental', index: 2, joined: [], left: [] } as const;
    const joined = fold.take({ ...step, nodes: { set: [node('n1', front, back)], removed: [] } });
    expect(joined).toMatchObject({ networks: { set: [{ id: front }, { id: back }], removed: [] } });
    const alone = fold.take({ ...step, nodes: { set: [], removed: ['n2' as NodeId] } });
    expect(alone).toMatchObject({ networks: { set: [{ peers: [] }, { peers: [] }], removed: [] } });
    const left = fold.take({ ...step, nodes: { set: [node('n1', front)], removed: [] } });
    expect(left).toMatchObject({ networks: { set: [{ id: front }], removed: [back] } });
    expect(fold.take({ ...step, left: ['t1' as TaskId] })).toEqual({
      kind: 'incremental',
      endpoints: { set: [], removed: ['t1'] },
    });
  });
});
