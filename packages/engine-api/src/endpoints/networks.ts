/** `/networks` of swarm scope. */

import type { Network } from '@skep/core';
import { managerOf, noManager } from '../membership/swarm-refusals.ts';
import type { Route } from '../server/engine-server.ts';
import { type Exchange, ok } from '../server/exchange.ts';
import { clusterRefusal, Refusal } from '../server/refusal.ts';
import { networkOut, networkSpecFrom, networkWish } from '../translate/network.ts';
import type { ApiContext } from './context.ts';
import { findNetwork } from './references.ts';

const PREDEFINED = ['bridge', 'host', 'none'];

/** The routes of networks. */
export function networkRoutes({ membership }: ApiContext): readonly Route[] {
  /** On a node that is no manager there is none of swarm scope. */
  const networks = () =>
    membership.standing.kind === 'manager' ? membership.standing.manager.cluster.networks.list() : [];
  const found = (exchange: Exchange): Network => {
    const reference = exchange.param('id');
    if (membership.standing.kind !== 'manager') throw new Refusal(404, `network ${reference} not found`);
    return findNetwork(membership.standing.manager.cluster, reference);
  };
  return [
    ['GET', '/networks', (exchange) => ok(listNetworks(networks(), exchange))],
    ['GET', '/networks/:id', (exchange) => ok(networkOut(found(exchange)))],
    [
      'POST',
      '/networks/create',
      async (exchange) => {
        const body = await exchange.fields();
        const { name, driver, scope } = networkWish(body);
        if (PREDEFINED.includes(name)) throw new Refusal(409, `network with name ${name} already exists`);
        if (scope === 'swarm' && driver !== 'overlay') throw new Refusal(404, `plugin "${driver}" not found`);
        if (driver !== 'overlay') {
          throw new Refusal(501, `networks of driver ${driver} need an engine below this node`);
        }
        const { standing } = membership;
        if (standing.kind !== 'manager') throw new Refusal(403, noManager(standing.kind).message);
        const { cluster } = standing.manager;
        const spec = networkSpecFrom(body);
        if (spec.ingress) checkIngress(cluster.networks.list());
        return { status: 201, json: { Id: await cluster.networks.create(spec), Warning: '' } };
      },
    ],
    [
      'DELETE',
      '/networks/:id',
      async (exchange) => {
        const reference = exchange.param('id');
        if (PREDEFINED.includes(reference)) {
          throw new Refusal(403, `${reference} is a pre-defined network and cannot be removed`);
        }
        const { id } = found(exchange);
        await managerOf(membership).cluster.networks.remove(id);
        return { status: 204 };
      },
    ],
  ];
}

function checkIngress(networks: readonly Network[]): void {
  const ingress = networks.find(({ spec }) => spec.ingress);
  if (ingress === undefined) return;
  throw clusterRefusal('AlreadyExists', `ingress network (${ingress.id}) is already present`);
}

function listNetworks(networks: readonly Network[], exchange: Exchange): object[] {
  const filters = exchange.filters(['id', 'name', 'label', 'driver', 'scope', 'type', 'dangling']);
  return networks
    .filter(
      ({ id, spec }) =>
        filters.passes('id', (begin) => id.startsWith(begin)) &&
        filters.passes('name', (part) => spec.name.includes(part)) &&
        filters.passes('driver', (driver) => spec.driver === driver) &&
        filters.passes('scope', (scope) => scope === 'swarm') &&
        filters.passes('type', (type) => type === 'custom') &&
        filters.passesLabels('label', spec.labels),
    )
    .map(networkOut);
}
