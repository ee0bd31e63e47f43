/** `/services`: making, changing and reading them. */

import { type Cluster, NameConflictError, type Service, type ServiceSpecInput } from '@skep/core';
import { managerOf } from '../membership/swarm-refusals.ts';
import type { Route } from '../server/engine-server.ts';
import { type Exchange, ok } from '../server/exchange.ts';
import { clusterRefusal, Refusal } from '../server/refusal.ts';
import { madeUpName } from '../translate/made-up-name.ts';
import { namesOf } from '../translate/names.ts';
import { serviceOut, serviceStatusOut } from '../translate/service-out.ts';
import { serviceSpecFrom } from '../translate/service-spec-in.ts';
import type { ApiContext } from './context.ts';
import { findService } from './references.ts';

/** From this version on lists can tell how many tasks run. */
const STATUS_SINCE = 41;
/** So many names are made up before it is given up. */
const NAMES_MAX = 20;

/** The routes of services, but for their logs. */
export function serviceRoutes({ membership, random }: ApiContext): readonly Route[] {
  const cluster = () => managerOf(membership).cluster;
  return [
    ['GET', '/services', (exchange) => ok(listServices(cluster(), exchange))],
    ['POST', '/services/create', (exchange) => create(cluster(), exchange)],
    [
      'GET',
      '/services/:id',
      (exchange) => {
        const names = namesOf(cluster());
        const service = findService(cluster(), exchange.param('id'));
        return ok(serviceOut(service, { names, withDefaults: exchange.flag('insertDefaults') }));
      },
    ],
    ['POST', '/services/:id/update', (exchange) => update(cluster(), exchange)],
    [
      'DELETE',
      '/services/:id',
      async (exchange) => {
        const { id } = findService(cluster(), exchange.param('id'));
        await cluster().services.remove(id);
        return { status: 200 };
      },
    ],
  ];

  async function create({ services, ...rest }: Cluster, exchange: Exchange) {
    const body = await exchange.fields();
    const warnings: string[] = [];
    const names = namesOf(rest);
    const spec = withCredentials(
      serviceSpecFrom(body, { names, warn: (message) => warnings.push(message) }),
      exchange.header('x-registry-auth'),
    );
    for (let attempt = 0; ; attempt++) {
      const isNamed = spec.name !== '';
      const name = isNamed ? spec.name : madeUpName(random, attempt);
      try {
        const made = await services.create({ ...spec, name });
        return { status: 201, json: { ID: made.id, Warnings: warningsOut(warnings, made.warnings) } };
      } catch (error) {
        if (isNamed || !(error instanceof NameConflictError) || attempt === NAMES_MAX) throw error;
      }
    }
  }
}

function listServices(cluster: Cluster, exchange: Exchange): object[] {
  const filters = exchange.filters(['id', 'name', 'label', 'mode', 'runtime']);
  const isWithStatus = exchange.flag('status') && exchange.version >= STATUS_SINCE;
  const written = { names: namesOf(cluster), withDefaults: exchange.flag('insertDefaults') };
  const found: object[] = [];
  for (const service of cluster.services.list()) {
    const { id, spec } = service;
    const isWanted =
      filters.passes('id', (begin) => id.startsWith(begin)) &&
      filters.passes('name', (begin) => spec.name.startsWith(begin)) &&
      filters.passes('mode', (mode) => spec.mode === mode) &&
      filters.passes('runtime', (runtime) => runtime === 'container') &&
      filters.passesLabels('label', spec.labels);
    if (!isWanted) continue;
    const out = serviceOut(service, written);
    found.push(
      isWithStatus
        ? { ...out, ServiceStatus: serviceStatusOut(service, cluster.tasks.list({ service: id })) }
        : out,
    );
  }
  return found;
}

async function update(cluster: Cluster, exchange: Exchange) {
  const version = exchange.objectVersion('service');
  const body = await exchange.fields();
  const service = findService(cluster, exchange.param('id'));
  const { id } = service;
  const rollback = exchange.query.get('rollback') ?? '';
  if (rollback === 'previous') {
    checkPrevious(service);
    await cluster.services.rollback(id, { version });
    return ok({ Warnings: null });
  }
  if (rollback !== '') throw new Refusal(400, `unrecognized rollback option "${rollback}"`);
  const warnings: string[] = [];
  const read = serviceSpecFrom(
    body,
    { names: namesOf(cluster), warn: (message) => warnings.push(message) },
    service,
  );
  const spec = withCredentials(
    read,
    exchange.header('x-registry-auth') ?? keptCredentials(service, exchange),
  );
  const { warnings: more } = await cluster.services.update(id, spec, { version });
  return ok({ Warnings: warningsOut(warnings, more) });
}

/** With no credentials of its own an update goes on with those of one of the specs. */
function keptCredentials({ spec, previousSpec }: Service, exchange: Exchange): string | undefined {
  const from = exchange.query.get('registryAuthFrom') ?? '';
  if (from === 'previous-spec') {
    if (previousSpec === undefined) throw clusterRefusal('FailedPrecondition', 'there is no previous spec');
    return previousSpec.task.registryAuth;
  }
  if (!['', 'spec'].includes(from)) {
    throw new Refusal(400, 'unsupported registryAuthFrom value');
  }
  return spec.task.registryAuth;
}

function checkPrevious({ id, previousSpec }: Service): void {
  if (previousSpec === undefined) {
    throw clusterRefusal('FailedPrecondition', `service ${id} does not have a previous spec`);
  }
}

/** `e30=` is `{}`: the client knows none. */
function withCredentials(spec: ServiceSpecInput, credentials: string | undefined): ServiceSpecInput {
  if (credentials === undefined || credentials === '' || credentials === 'e30=') return spec;
  return { ...spec, task: { ...spec.task, registryAuth: credentials } };
}

function warningsOut(
  told: readonly string[],
  more: readonly { readonly field: string; readonly rule: string }[],
): readonly string[] | null {
  const all = [...told, ...more.map(({ field, rule }) => `${field}: ${rule}`)];
  return all.length === 0 ? null : all;
}
