/** `/nodes`: the machines of the swarm. */

import type { Node } from '@skep/core';
import { VersionConflictError } from '@skep/core';
import type { Manager } from '../membership/membership.ts';
import { managerOf } from '../membership/swarm-refusals.ts';
import type { Route } from '../server/engine-server.ts';
import { type Exchange, ok } from '../server/exchange.ts';
import { clusterRefusal, Refusal } from '../server/refusal.ts';
import { nodeOut, nodeWriting } from '../translate/node-out.ts';
import type { ApiContext } from './context.ts';
import { findNode } from './references.ts';

/** The routes of nodes. */
export function nodeRoutes({ membership }: ApiContext): readonly Route[] {
  const manager = () => managerOf(membership);
  return [
    ['GET', '/nodes', (exchange) => ok(listNodes(manager(), exchange))],
    [
      'GET',
      '/nodes/:id',
      (exchange) => ok(nodeOut(findNode(manager().cluster, exchange.param('id')), nodeWriting(manager()))),
    ],
    [
      'DELETE',
      '/nodes/:id',
      async (exchange) => {
        await removeNode(manager(), exchange);
        return { status: 200 };
      },
    ],
    [
      'POST',
      '/nodes/:id/update',
      async (exchange) => {
        await updateNode(manager(), exchange);
        return { status: 200 };
      },
    ],
  ];
}

function listNodes(manager: Manager, exchange: Exchange): object[] {
  const filters = exchange.filters(['id', 'name', 'label', 'node.label', 'role', 'membership']);
  checkWords('role', filters.get('role'), ['manager', 'worker']);
  checkWords('membership', filters.get('membership'), ['accepted', 'pending']);
  const writing = nodeWriting(manager);
  const isWanted = ({ id, spec, description }: Node) =>
    filters.passes('id', (begin) => id.startsWith(begin)) &&
    filters.passes('name', (begin) => description.hostname.startsWith(begin)) &&
    filters.passesLabels('label', description.engine.labels) &&
    filters.passesLabels('node.label', spec.labels) &&
    filters.passes('role', (role) => spec.role === role) &&
    filters.passes('membership', (membership) => membership === 'accepted');
  return manager.cluster.nodes
    .list()
    .filter(isWanted)
    .map((node) => nodeOut(node, writing));
}

function checkWords(filter: string, values: readonly string[], words: readonly string[]): void {
  for (const value of values) {
    if (!words.includes(value)) throw new Refusal(500, `Invalid ${filter} filter: '${value}'`);
  }
}

async function removeNode(manager: Manager, exchange: Exchange): Promise<void> {
  const { id, spec, status } = findNode(manager.cluster, exchange.param('id'));
  if (spec.role === 'manager' || manager.managers.some(({ nodeId }) => nodeId === id)) {
    const what = 'is a cluster manager and is a member of the raft cluster';
    const description = `node ${id} ${what}. It must be demoted to worker before removal`;
    throw clusterRefusal('FailedPrecondition', description);
  }
  const isForced = exchange.flag('force');
  if (status.state !== 'down' && !isForced) {
    throw clusterRefusal('FailedPrecondition', `node ${id} is not down and can't be removed`);
  }
  await manager.remove(id, { force: isForced });
}

/** Labels and availability are one change, the role is another: who changes all three makes two. */
async function updateNode(manager: Manager, exchange: Exchange): Promise<void> {
  const version = exchange.objectVersion('node');
  const body = await exchange.fields();
  const { nodes } = manager.cluster;
  const node = findNode(manager.cluster, exchange.param('id'));
  const role = body.word('Role', ['manager', 'worker'] as const) ?? 'worker';
  const availability = body.word('Availability', ['active', 'pause', 'drain'] as const) ?? 'active';
  const labels = { ...body.textMap('Labels') };
  const { id, spec } = node;
  if (version !== node.version) throw new VersionConflictError('node', id, version, node.version);
  const isOther =
    availability !== spec.availability || JSON.stringify(labels) !== JSON.stringify(spec.labels);
  if (isOther || role === spec.role) await nodes.update(id, { labels, availability }, { version });
  if (role === spec.role) return;
  await (role === 'manager' ? manager.promote(id) : manager.demote(id));
}
