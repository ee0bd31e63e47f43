import type { Cluster, ClusterId, NodeId } from '@skep/core';
import { systemClock } from '@skep/core/member';
import { configurationOf } from '@skep/raft';
import { describe, expect, it } from 'vitest';
import type { NodeRole } from '../security/identity.ts';
import { ClusterView } from './cluster-view.ts';

/** What a manager sees whose list of nodes says this. */
function aView(roles: Readonly<Record<string, NodeRole>>, leader: string | undefined): ClusterView {
  const configuration = { ...configurationOf(['a.1', 'b.1'], [], {}), removed: ['gone.1'] };
  const view = new ClusterView({
    log: {
      barrier: async () => 0,
      leadership: () => expect.unreachable(),
      node: { status: { configuration, ...(leader === undefined ? {} : { leader }) } },
    },
    clusterId: 'cluster' as ClusterId,
    clock: systemClock,
  });
  const get = (id: NodeId) => (roles[id] === undefined ? undefined : { spec: { role: roles[id] } });
  view.cluster = { leading: false, nodes: { get } as unknown as Cluster['nodes'] };
  return view;
}

describe('given a manager that is spoken to in Raft', () => {
  it('when there is a leader, then members and managers of the list may, and managers of before may not', () => {
    const view = aView({ a: 'manager', b: 'worker', c: 'manager', d: 'worker' }, 'a.1');
    expect(view.mayTakePart('a.1')).toBe(true);
    // It is on its way out, and its votes count until then.
    expect(view.mayTakePart('b.1')).toBe(true);
    expect(view.mayTakePart('c.9')).toBe(true);
    expect(view.mayTakePart('d.9')).toBe(false);
    expect(view.mayTakePart('e.9')).toBe(false);
  });

  it('when no leader is known, then its list may be old, and only those that are out for good may not', () => {
    const view = aView({ a: 'manager' }, undefined);
    expect(view.mayTakePart('e.9')).toBe(true);
    expect(view.mayTakePart('gone.1')).toBe(false);
    expect(aView({ gone: 'manager' }, 'a.1').mayTakePart('gone.1')).toBe(false);
  });
});
