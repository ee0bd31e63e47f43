/** `/tasks`: what runs. */

import { type Cluster, DESIRED_STATES, type Service, TASK_STATES, type Task } from '@skep/core';
import type { Filters } from '../json/filters.ts';
import { managerOf } from '../membership/swarm-refusals.ts';
import type { Route } from '../server/engine-server.ts';
import { type Exchange, ok } from '../server/exchange.ts';
import { Refusal } from '../server/refusal.ts';
import { namesOf } from '../translate/names.ts';
import { TaskWriter } from '../translate/task-out.ts';
import type { ApiContext } from './context.ts';
import { findNode, findService, findTask } from './references.ts';

const FILTERS = [
  'id',
  'name',
  'label',
  'service',
  'node',
  'desired-state',
  '_up-to-date',
  'runtime',
] as const;

/** The routes of tasks, but for their logs. */
export function taskRoutes({ membership }: ApiContext): readonly Route[] {
  const cluster = () => managerOf(membership).cluster;
  return [
    ['GET', '/tasks', (exchange) => ok(listTasks(cluster(), exchange))],
    [
      'GET',
      '/tasks/:id',
      (exchange) => {
        const writer = new TaskWriter({ names: namesOf(cluster()), withDefaults: false });
        return ok(writer.write(findTask(cluster(), exchange.param('id'))));
      },
    ],
  ];
}

function listTasks(cluster: Cluster, exchange: Exchange): object[] {
  const filters = exchange.filters(FILTERS);
  checkStates(filters);
  const writer = new TaskWriter({ names: namesOf(cluster), withDefaults: false });
  const services = new ServiceLookup(cluster);
  const found: object[] = [];
  for (const task of candidates(cluster, filters)) {
    if (passes(task, filters, services)) found.push(writer.write(task));
  }
  return found;
}

/** Tasks of the services, else on the nodes, that are asked for; so a list costs what it finds. */
function candidates(cluster: Cluster, filters: Filters): readonly Task[] {
  const services = filters.get('service').map((reference) => findService(cluster, reference).id);
  const only = filters.flag('_up-to-date') ? { upToDate: true as const } : {};
  const nodes = new Set(filters.get('node').map((reference) => findNode(cluster, reference).id));
  if (services.length > 0) {
    const tasks = [...new Set(services)].flatMap((service) => cluster.tasks.list({ service, ...only }));
    return nodes.size === 0 ? tasks : tasks.filter(({ nodeId }) => nodeId !== undefined && nodes.has(nodeId));
  }
  if (nodes.size > 0) return [...nodes].flatMap((node) => cluster.tasks.list({ node, ...only }));
  return cluster.tasks.list(only);
}

function passes(task: Task, filters: Filters, services: ServiceLookup): boolean {
  return (
    filters.passes('id', (begin) => task.id.startsWith(begin)) &&
    filters.passes('name', (begin) => services.nameOf(task).startsWith(begin)) &&
    filters.passes('desired-state', (state) => task.desiredState === state) &&
    filters.passes('runtime', (runtime) => runtime === 'container') &&
    (filters.get('label').length === 0 || filters.passesLabels('label', services.labelsOf(task)))
  );
}

const STATES: ReadonlySet<string> = new Set([...TASK_STATES, ...DESIRED_STATES]);

function checkStates(filters: Filters): void {
  for (const state of filters.get('desired-state')) {
    if (!STATES.has(state)) throw new Refusal(500, `Invalid desired-state filter: '${state}'`);
  }
}

/** What tasks have of their service; each service is looked up once. */
class ServiceLookup {
  readonly #cluster: Cluster;
  readonly #known = new Map<string, Service | undefined>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** As the engine names tasks: `web.1`, and by the node where there is one task a node. */
  nameOf(task: Task): string {
    const name = this.#service(task)?.spec.name ?? task.serviceId;
    return `${name}.${task.slot === 0 ? (task.nodeId ?? '') : task.slot}.${task.id}`;
  }

  labelsOf(task: Task): Readonly<Record<string, string>> {
    return this.#service(task)?.spec.labels ?? {};
  }

  #service({ serviceId }: Task): Service | undefined {
    if (!this.#known.has(serviceId)) this.#known.set(serviceId, this.#found(serviceId));
    return this.#known.get(serviceId);
  }

  #found(id: string): Service | undefined {
    try {
      return this.#cluster.services.inspect(id);
    } catch {
      return undefined;
    }
  }
}
