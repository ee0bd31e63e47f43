/** `/secrets` and `/configs`. */

import type { Cluster, Config, Secret, SecretSpecInput } from '@skep/core';
import type { Fields } from '../json/fields.ts';
import { managerOf } from '../membership/swarm-refusals.ts';
import type { Route } from '../server/engine-server.ts';
import { type Exchange, ok } from '../server/exchange.ts';
import { clusterRefusal, Refusal } from '../server/refusal.ts';
import { configOut, secretOut } from '../translate/file-out.ts';
import type { ApiContext } from './context.ts';
import { findConfig, findSecret } from './references.ts';

type Kind = 'secret' | 'config';

/** Sizes at which the engine refuses data. */
const BYTES_MAX = { secret: 512_000, config: 1_024_000 } as const;

/** What is alike, and not, of the two kinds. */
interface Files {
  readonly kind: Kind;
  readonly filters: readonly string[];
  list(cluster: Cluster): readonly (Secret | Config)[];
  find(cluster: Cluster, reference: string): Secret | Config;
  out(file: Secret | Config): object;
  create(cluster: Cluster, spec: SecretSpecInput, data: Uint8Array): Promise<string>;
  relabel(cluster: Cluster, id: string, change: Relabelling): Promise<unknown>;
  remove(cluster: Cluster, id: string): Promise<unknown>;
}

interface Relabelling {
  readonly labels: Readonly<Record<string, string>>;
  readonly version: number;
}

const SECRETS: Files = {
  kind: 'secret',
  filters: ['id', 'name', 'names', 'label'],
  list: ({ secrets }) => secrets.list(),
  find: findSecret,
  out: (file) => secretOut(file as Secret),
  create: ({ secrets }, spec, data) => secrets.create(spec, data),
  relabel: ({ secrets }, id, { labels, version }) => secrets.update(id, { labels }, { version }),
  remove: ({ secrets }, id) => secrets.remove(id),
};

const CONFIGS: Files = {
  kind: 'config',
  filters: ['id', 'name', 'names', 'label'],
  list: ({ configs }) => configs.list(),
  find: findConfig,
  out: (file) => configOut(file as Config),
  create: ({ configs }, spec, data) => configs.create(spec, data),
  relabel: ({ configs }, id, { labels, version }) => configs.update(id, { labels }, { version }),
  remove: ({ configs }, id) => configs.remove(id),
};

/** The routes of secrets and configs. */
export function fileRoutes(context: ApiContext): readonly Route[] {
  return [...routesOf(context, SECRETS), ...routesOf(context, CONFIGS)];
}

function routesOf({ membership }: ApiContext, files: Files): readonly Route[] {
  const { kind } = files;
  const cluster = () => managerOf(membership).cluster;
  const found = (exchange: Exchange) => files.find(cluster(), exchange.param('id'));
  return [
    ['GET', `/${kind}s`, (exchange) => ok(listFiles(files, cluster(), exchange))],
    ['GET', `/${kind}s/:id`, (exchange) => ok(files.out(found(exchange)))],
    [
      'POST',
      `/${kind}s/create`,
      async (exchange) => {
        const here = cluster();
        const body = await exchange.fields();
        const data = dataOf(body);
        const spec = specFrom(body);
        checkSize(kind, data);
        return { status: 201, json: { ID: await files.create(here, spec, data) } };
      },
    ],
    [
      'POST',
      `/${kind}s/:id/update`,
      async (exchange) => {
        const version = exchange.objectVersion(kind);
        const here = cluster();
        const body = await exchange.fields();
        const file = files.find(here, exchange.param('id'));
        checkSame(here, file, body);
        const labels = { ...body.textMap('Labels') };
        await files.relabel(here, file.id, { labels, version });
        return { status: 200 };
      },
    ],
    [
      'DELETE',
      `/${kind}s/:id`,
      async (exchange) => {
        await files.remove(cluster(), found(exchange).id);
        return { status: 204 };
      },
    ],
  ];
}

function listFiles(files: Files, cluster: Cluster, exchange: Exchange): object[] {
  const filters = exchange.filters(files.filters);
  return files
    .list(cluster)
    .filter(
      ({ id, spec }) =>
        filters.passes('id', (begin) => id.startsWith(begin)) &&
        filters.passes('name', (begin) => spec.name.startsWith(begin)) &&
        filters.passes('names', (name) => spec.name === name) &&
        filters.passesLabels('label', spec.labels),
    )
    .map((file) => files.out(file));
}

function specFrom(body: Fields): SecretSpecInput {
  if (body.fields('Driver') !== undefined) {
    throw clusterRefusal('Unimplemented', 'secret drivers are not supported by Skep');
  }
  const templating = body.fields('Templating')?.text('Name') ?? '';
  if (!['', 'golang'].includes(templating)) {
    throw clusterRefusal('InvalidArgument', `unsupported templating driver ${templating}`);
  }
  return {
    name: body.text('Name') ?? '',
    labels: { ...body.textMap('Labels') },
    ...(templating !== '' && { template: true }),
  };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** @throws Refusal 400; what was sent is not told back */
function dataOf(body: Fields): Uint8Array {
  const text = (body.text('Data') ?? '').replace(/[\r\n]/g, '');
  if (BASE64.test(text)) return Buffer.from(text, 'base64');
  const at = text.search(/[^A-Za-z0-9+/]/);
  throw new Refusal(400, `invalid JSON: illegal base64 data at input byte ${at < 0 ? text.length : at}`);
}

function checkSize(kind: Kind, data: Uint8Array): void {
  const most = BYTES_MAX[kind];
  if (data.length > 0 && data.length < most) return;
  const rule = `${kind} data must be larger than 0 and less than ${most} bytes`;
  throw clusterRefusal('InvalidArgument', rule);
}

/** `docker stack deploy` sends a config's own data again; whoever sends other data wants what can't be. */
function checkSame(cluster: Cluster, file: Secret | Config, body: Fields): void {
  const data = dataOf(body);
  const name = body.text('Name') ?? file.spec.name;
  const isSameData = data.length === 0 || holds(cluster, file, data);
  if (isSameData && (name === '' || name === file.spec.name)) return;
  throw clusterRefusal('InvalidArgument', 'only updates to Labels are allowed');
}

function holds(cluster: Cluster, file: Secret | Config, data: Uint8Array): boolean {
  if ('data' in file) return Buffer.from(file.data).equals(data);
  return cluster.secrets.holds(file.id, data);
}
