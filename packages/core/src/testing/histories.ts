/**
 * Arbitrary histories that a cluster could have had: transactions of which each fits what came before, as managers
 * and agents would have written them. It keeps its own small account of what exists, so that it does not rest on the
 * evolution that it is there to test. Needs fast-check, so it is no part of the published entries.
 */

import fc from 'fast-check';
import type { Actor, ClusterEvent, Transaction } from '../events/event.ts';
import {
  asId,
  type CommandId,
  type NetworkId,
  type NodeId,
  type ServiceId,
  type TaskId,
} from '../model/ids.ts';
import { networkSpecSchema } from '../model/network.ts';
import type { NetworkAttachment } from '../model/objects.ts';
import { clusterSpecSchema, nodeSpecSchema } from '../model/other-specs.ts';
import { type ServiceSpec, serviceSpecSchema } from '../model/service-spec.ts';
import { DESIRED_STATES, TASK_STATES } from '../model/task-state.ts';
import { fileRotated, metricOf, networkAllocated, runEvent, scaleEvent } from './history-events.ts';
import { aDescription } from './state-builder.ts';

/** One thing that happens, and the choices in it. */
type Step = readonly [happening: number, a: number, b: number, c: number];

/** Any history that begins with the cluster's own creation, oldest transaction first. */
export function anyHistory(options: { readonly maxTransactions?: number } = {}): fc.Arbitrary<Transaction[]> {
  const step = fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat());
  const steps = fc.array(step, { minLength: 1, maxLength: 4 });
  return (
    fc
      // Unless told otherwise, fast-check stays with a handful whatever the most is: too few for anything to have a past.
      .array(steps, { maxLength: options.maxTransactions ?? 40, size: 'max' })
      .map((transactions) => new Chronicle().write(transactions))
  );
}

interface KnownService {
  readonly id: ServiceId;
  readonly spec: ServiceSpec;
  readonly gone: boolean;
}

interface KnownTask {
  readonly id: TaskId;
  readonly service: ServiceId;
  readonly slot: number;
  readonly node: NodeId | undefined;
}

/** What has been written so far, as far as what comes next depends on it. */
class Chronicle {
  readonly #nodes = new Set<NodeId>();
  readonly #services = new Map<ServiceId, KnownService>();
  readonly #tasks = new Map<TaskId, KnownTask>();
  readonly #files = { network: new Set<string>(), secret: new Set<string>(), config: new Set<string>() };
  readonly #vault = new Set<string>();
  #count = 0;

  write(transactions: readonly (readonly Step[])[]): Transaction[] {
    const history = [this.#transaction(0, [0, 0, 0, 0], this.#begin())];
    for (const steps of transactions) {
      const events = steps.flatMap((step) => this.#events(step));
      if (events.length > 0) history.push(this.#transaction(history.length, steps[0], events));
    }
    return history;
  }

  #begin(): ClusterEvent[] {
    const digestKey = new Uint8Array(32).fill(7);
    return [{ type: 'cluster.created', id: asId('cluster'), spec: clusterSpecSchema.parse({}), digestKey }];
  }

  #transaction(before: number, [, a, b, c]: Step = [0, 0, 0, 0], events: ClusterEvent[]): Transaction {
    const actors: readonly Actor[] = [
      { kind: 'user', name: 'ann' },
      { kind: 'loop', name: 'scheduler' },
    ];
    return {
      index: before + 1,
      at: 1_000 + before * 10 + (a % 10),
      actor: actors[b % 2] ?? { kind: 'user' },
      ...(c % 3 === 0 && before > 0 ? { cause: before } : {}),
      ...(c % 2 === 0 ? { commandId: asId<CommandId>(`command-${before}`) } : {}),
      ...(c % 4 === 0 ? { answer: { id: `object-${a}`, action: 'updated', what: 'service' } } : {}),
      events,
    };
  }

  #events([happening, a, b, c]: Step): ClusterEvent[] {
    const happenings = [
      () => this.#nodeComes(a),
      () => this.#nodeChanges(a, b),
      () => this.#nodeGoes(a),
      () => this.#serviceComes(a, b),
      () => this.#serviceChanges(a, b, c),
      () => this.#serviceGoes(a, b),
      () => this.#tasksCome(a, b, c),
      () => this.#tasksCome(b, c, a),
      () => this.#tasksAdvance(a, b, c),
      () => this.#tasksAdvance(b, c, a),
      () => this.#tasksGo(a, b),
      () => this.#fileChanges(a, b),
      () => this.#vaultChanges(a),
      () => [{ type: 'cluster.updated' as const, spec: clusterSpecSchema.parse({ labels: { n: `${a}` } }) }],
    ];
    return happenings[happening % happenings.length]?.() ?? [];
  }

  #name(kind: string): string {
    this.#count += 1;
    return `${kind}-${this.#count}`;
  }

  #nodeComes(a: number): ClusterEvent[] {
    const id = asId<NodeId>(this.#name('node'));
    this.#nodes.add(id);
    const description = aDescription({ id, cpus: 1 + (a % 8) });
    return [
      { type: 'node.joined', id, spec: nodeSpecSchema.parse({}), description, address: `10.0.0.${a % 256}` },
    ];
  }

  #nodeChanges(a: number, b: number): ClusterEvent[] {
    const id = pick([...this.#nodes], a);
    if (id === undefined) return [];
    const labels = { rack: `${b % 3}` };
    return [
      (
        [
          { type: 'node.updated', id, spec: nodeSpecSchema.parse({ labels }) },
          {
            type: 'node.described',
            id,
            description: aDescription({ id, engineLabels: labels }),
            address: 'other',
          },
          { type: 'node.status', state: 'ready', message: 'ready', ids: [...this.#nodes] },
          { type: 'node.status', state: 'down', message: 'heartbeat failure', ids: [id] },
          { type: 'node.attached', rows: [{ nodeId: id, attachments: this.#vips(b).vips ?? [] }] },
        ] as const
      )[b % 5] ?? { type: 'node.updated', id, spec: nodeSpecSchema.parse({}) },
    ];
  }

  #nodeGoes(a: number): ClusterEvent[] {
    const id = pick([...this.#nodes], a);
    if (id === undefined) return [];
    this.#nodes.delete(id);
    const tasks = [...this.#tasks.values()].filter(({ node }) => node === id);
    const orphans = tasks.filter(({ slot }) => slot !== 0);
    const global = tasks.filter(({ slot }) => slot === 0);
    for (const task of global) this.#tasks.delete(task.id);
    const status = { state: 'orphaned', at: a, message: 'node removed from the cluster' } as const;
    return [
      { type: 'task.status', rows: orphans.map((task) => ({ id: task.id, status })) },
      { type: 'task.removed', ids: global.map((task) => task.id) },
      { type: 'node.removed', id },
    ];
  }

  #serviceComes(a: number, b: number): ClusterEvent[] {
    const id = asId<ServiceId>(this.#name('service'));
    const name = this.#freeName(b) ?? `Name-of-${id}`;
    const mode = (['global', 'replicated', 'replicated', 'replicated-job', 'global-job'] as const)[a % 5];
    const isJob = mode === 'replicated-job' || mode === 'global-job';
    const isScaled = mode === 'replicated' && b % 4 === 1;
    const spec = serviceSpecSchema.parse({
      name,
      mode,
      ...(isScaled ? { replicas: 2, autoscale: { min: 1, max: 9, metric: 'cpu', target: 0.5 } } : {}),
      ...(isJob && b % 3 === 0 ? { schedule: { cron: '0 * * * *' } } : {}),
      ...(b % 5 === 0 ? { dependsOn: [{ service: `other-${b % 3}` }] } : {}),
      task: { image: `image-${b % 3}` },
      ports: b % 2 === 0 ? [{ target: 80, published: 8_000 + this.#count }] : [],
    });
    this.#services.set(id, { id, spec, gone: false });
    return [{ type: 'service.created', id, spec }];
  }

  #serviceChanges(a: number, b: number, c: number): ClusterEvent[] {
    const service = pick(this.#present(), a);
    if (!service) return [];
    const { id } = service;
    const tasksChanged = c % 2 === 0;
    // An unchanged task is handed on as the same object, as `scale` does; a log's reader gets another one.
    const task = tasksChanged ? { ...service.spec.task, image: `image-${c % 5}` } : service.spec.task;
    const { autoscale } = service.spec;
    const spec = {
      ...service.spec,
      labels: { n: `${c % 4}` },
      task,
      ...(autoscale ? { replicas: 1 + (c % 4), autoscale: { ...autoscale, metric: metricOf(c) } } : {}),
    };
    if (isJob(service) && b % 2 === 0) return [runEvent(id, b, c)];
    if (autoscale && b % 4 < 2) return [scaleEvent(id, b, c)];
    switch (b % 3) {
      case 0:
        this.#services.set(id, { ...service, spec });
        return [
          {
            type: 'service.updated',
            id,
            spec,
            tasksChanged,
            portsChanged: c % 3 === 0,
            ...(isJob(service) && c % 5 < 3 ? { beginsRun: true } : {}),
          },
        ];
      case 1:
        return [{ type: 'service.allocated', id, endpoint: { ports: spec.ports }, ...this.#vips(b) }];
      default:
        return [
          {
            ...{ type: 'service.unallocated', id, error: `port ${c} is taken` },
            ...(c % 2 === 0 ? { about: 'addresses' } : {}),
          },
        ];
    }
  }

  #serviceGoes(a: number, b: number): ClusterEvent[] {
    const service = pick(this.#present(), a);
    if (!service) return [];
    this.#services.set(service.id, { ...service, gone: true });
    return [{ type: 'service.removed', id: service.id, ...(b % 2 === 0 ? {} : { tasksFollow: true }) }];
  }

  #tasksCome(a: number, b: number, c: number): ClusterEvent[] {
    const service = pick(this.#present(), a);
    const nodes = [...this.#nodes];
    if (!service) return [];
    const global = service.spec.mode.startsWith('global');
    if (global && nodes.length === 0) return [];
    const before = pick([...this.#tasks.keys()], c);
    const rows = Array.from({ length: 1 + (b % 3) }, (_, n) => {
      const id = asId<TaskId>(this.#name('task'));
      const slot = global ? 0 : 1 + ((c + n) % 5);
      const node = global ? pick(nodes, c + n) : undefined;
      this.#tasks.set(id, { id, service: service.id, slot, node });
      return {
        id,
        slot,
        ...(node === undefined ? {} : { nodeId: node }),
        ...(c % 3 === 0 && before !== undefined ? { replaces: before } : {}),
        ...(c % 4 === 0 ? { startAfter: c, restarts: { failures: c % 5, times: [c] } } : {}),
        ...(isJob(service) ? { jobIteration: 1 + (c % 3) } : {}),
      };
    });
    return [{ type: 'task.created', serviceId: service.id, rows }];
  }

  #tasksAdvance(a: number, b: number, c: number): ClusterEvent[] {
    const tasks = some([...this.#tasks.values()], a, b);
    const ids = tasks.map(({ id }) => id);
    const explanation = {
      nodes: b % 9,
      rejected: [{ filter: 'ready', nodes: b % 9 }],
      message: 'no suitable node',
    };
    switch (c % 6) {
      case 5:
        return [{ type: 'task.dependencies-met', ids }];
      case 0:
        return [this.#allocated(ids, b)];
      case 1:
        return this.#assign(tasks, b);
      case 2:
        return [{ type: 'task.unplaced', ids, explanation }];
      case 3: {
        const state = TASK_STATES[b % TASK_STATES.length] ?? 'running';
        const status = { state, at: b, message: state, ...(b % 2 === 0 ? { exitCode: b % 256 } : {}) };
        return [{ type: 'task.status', rows: ids.map((id) => ({ id, status })) }];
      }
      default:
        return [{ type: 'task.desired', state: DESIRED_STATES[b % DESIRED_STATES.length] ?? 'running', ids }];
    }
  }

  /** What the allocator makes of tasks: most have no network. */
  #allocated(ids: readonly TaskId[], b: number): ClusterEvent {
    const [first] = ids;
    if (b % 4 === 0) return { type: 'task.unallocated', ids, error: `network ${b} is full` };
    const { vips: places } = this.#vips(b);
    if (!places || first === undefined) return { type: 'task.allocated', ids };
    return { type: 'task.allocated', ids, attachments: { [first]: places } };
  }

  #vips(b: number): { readonly vips?: readonly NetworkAttachment[] } {
    const network = pick([...this.#files.network], b);
    if (network === undefined || b % 2 === 0) return {};
    return { vips: [{ networkId: asId<NetworkId>(network), addresses: [`10.0.0.${b % 256}`] }] };
  }

  #assign(tasks: readonly KnownTask[], b: number): ClusterEvent[] {
    const node = pick([...this.#nodes], b);
    const free = tasks.filter((task) => task.node === undefined);
    if (node === undefined || free.length === 0) return [];
    for (const task of free) this.#tasks.set(task.id, { ...task, node });
    const generic = b % 2 === 0 ? { generic: { [free[0]?.id ?? '']: { gpu: ['gpu-0'] } } } : {};
    return [{ type: 'task.assigned', rows: [{ nodeId: node, tasks: free.map(({ id }) => id), ...generic }] }];
  }

  #tasksGo(a: number, b: number): ClusterEvent[] {
    const tasks = some([...this.#tasks.values()], a, b);
    for (const { id } of tasks) this.#tasks.delete(id);
    return [{ type: 'task.removed', ids: tasks.map(({ id }) => id) }];
  }

  #fileChanges(a: number, b: number): ClusterEvent[] {
    const kind = (['network', 'secret', 'config'] as const)[a % 3] ?? 'config';
    const known = this.#files[kind];
    const chosen = pick([...known], b);
    if (chosen === undefined || b % 3 === 0) {
      const name = this.#name(kind);
      known.add(name);
      return [this.#fileCreated(kind, name, b)];
    }
    if (b % 3 === 1) {
      known.delete(chosen);
      return [{ type: `${kind}.removed`, id: asId<never>(chosen) }];
    }
    if (kind !== 'network' && a % 4 === 1) return [fileRotated(kind, chosen, b)];
    if (kind !== 'network' && a % 4 === 2) {
      return [{ type: `${kind}.pruned`, id: asId<never>(chosen), revisions: [1 + (b % 5), 7] }];
    }
    const labels = { n: `${b}` };
    if (kind === 'network' && a % 4 === 1) return [networkAllocated(asId(chosen), b)];
    return kind === 'network'
      ? [
          {
            type: 'network.updated',
            id: asId(chosen),
            spec: networkSpecSchema.parse({ name: chosen, labels }),
          },
        ]
      : [{ type: `${kind}.updated`, id: asId<never>(chosen), spec: { name: chosen, labels } }];
  }

  #fileCreated(kind: 'network' | 'secret' | 'config', name: string, b: number): ClusterEvent {
    const spec = { name, labels: {} };
    if (kind === 'network')
      return { type: 'network.created', id: asId(name), spec: networkSpecSchema.parse(spec) };
    if (kind === 'secret')
      return { type: 'secret.created', id: asId(name), spec, digest: `digest-${b}`, sizeBytes: b };
    return { type: 'config.created', id: asId(name), spec, data: Uint8Array.of(b % 256, 2, 3) };
  }

  #vaultChanges(a: number): ClusterEvent[] {
    const digest = `digest-${a % 6}`;
    if (this.#vault.has(digest)) {
      this.#vault.delete(digest);
      return [{ type: 'vault.removed', digests: [digest] }];
    }
    this.#vault.add(digest);
    return [{ type: 'vault.stored', digest, data: Uint8Array.of(a % 256) }];
  }

  /** Now and then, the name of a service that is gone. */
  #freeName(choice: number): string | undefined {
    const taken = new Set(this.#present().map(({ spec }) => spec.name));
    const gone = [...this.#services.values()].filter(({ spec }) => !taken.has(spec.name));
    return choice % 2 === 0 ? pick(gone, choice)?.spec.name : undefined;
  }

  #present(): KnownService[] {
    return [...this.#services.values()].filter(({ gone }) => !gone);
  }
}

function isJob({ spec }: KnownService): boolean {
  return spec.mode.endsWith('-job');
}

function pick<T>(items: readonly T[], choice: number): T | undefined {
  return items.length === 0 ? undefined : items[choice % items.length];
}

/** Some of the items, from one of them on. */
function some<T>(items: readonly T[], from: number, count: number): T[] {
  if (items.length === 0) return [];
  const first = from % items.length;
  return items.slice(first, first + 1 + (count % 4));
}
