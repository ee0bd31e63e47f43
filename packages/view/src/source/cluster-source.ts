/** Answers the page out of a cluster in this process: one that leads, one that follows, or one in a browser's tab. */

import {
  type Cluster,
  drain,
  HistoryPrunedError,
  type HistorySubject,
  lose,
  type Plan,
  type PlanAction,
  PreconditionError,
  type StoryOptions,
  scale,
} from '@skep/core';
import { snapshotOf } from '../model/project.ts';
import type { ManagerRow, ViewMessage, ViewSnapshot, ViewStatus } from '../model/rows.ts';
import { lifeStep, transactionsOf } from './in-words.ts';
import type {
  LogText,
  MomentRange,
  ServiceDetail,
  StoryChange,
  TaskDetail,
  ViewAction,
  ViewSource,
  ViewTransaction,
  ViewTransactionDetail,
} from './view-source.ts';
import { viewStream } from './view-stream.ts';

/** Options of {@link clusterSource}. */
export interface ClusterSourceOptions {
  /**
   * The managers, as far as is known here. Default: the nodes whose role is `manager`, the leader by the log's word,
   * whose members are named after their nodes.
   */
  readonly managers?: () => readonly ManagerRow[];
  /** Id of the node that this member of the cluster is, to mark it when it leads. Default: the first in this process. */
  readonly nodeId?: string;
  /** Lets the page scale services and drain nodes. Default false: it only shows. */
  readonly actions?: boolean;
  /** Who acts, as the log has it. Default `view`. */
  readonly user?: string;
  /** The cluster keeps a history. Default true. */
  readonly history?: boolean;
}

/** Transactions behind one that are searched for what it caused. */
const CAUSED_WITHIN = 1_000;
/** Transactions of a service's history that are told. */
const SERVICE_HISTORY = 200;
/** Lines of a task's output that are told from before. */
const LOG_TAIL = 200;

/**
 * A source of the view. @param open - the cluster to ask, asked for anew each time: in a simulation it may be another.
 */
export function clusterSource(
  open: Cluster | (() => Cluster),
  options: ClusterSourceOptions = {},
): ViewSource {
  return new ClusterSource(typeof open === 'function' ? open : () => open, options);
}

class ClusterSource implements ViewSource {
  readonly #open: () => Cluster;
  readonly #options: ClusterSourceOptions;

  constructor(open: () => Cluster, options: ClusterSourceOptions) {
    this.#open = open;
    this.#options = options;
  }

  get #cluster(): Cluster {
    return this.#open();
  }

  stream(options: { readonly from?: number; readonly signal: AbortSignal }): AsyncIterable<ViewMessage> {
    const cluster = this.#cluster;
    return viewStream({ cluster, status: () => this.#status(cluster), ...options });
  }

  async at(moment: number | Date, signal?: AbortSignal): Promise<ViewSnapshot> {
    const past = await this.#cluster.at(moment, signal === undefined ? {} : { signal });
    return snapshotOf(past, past);
  }

  async range(signal?: AbortSignal): Promise<MomentRange> {
    const cluster = this.#cluster;
    const last = cluster.health.index;
    try {
      await cluster.at(1, signal === undefined ? {} : { signal });
      return { first: 1, last };
    } catch (error) {
      if (error instanceof HistoryPrunedError) return { first: error.oldest.index, last };
      throw error;
    }
  }

  async events(to: number, limit: number, signal?: AbortSignal): Promise<readonly ViewTransaction[]> {
    const { first } = await this.range(signal);
    const from = Math.max(first, to - limit + 1);
    return transactionsOf(await this.#story(undefined, { from, to: Math.max(from, to) }, signal));
  }

  async event(index: number, signal?: AbortSignal): Promise<ViewTransactionDetail> {
    const to = Math.min(index + CAUSED_WITHIN, this.#cluster.health.index);
    const all = transactionsOf(await this.#story(undefined, { from: index, to }, signal));
    const transaction = all.find((each) => each.index === index);
    return {
      ...(transaction === undefined ? {} : { transaction }),
      caused: all.filter(({ cause }) => cause === index),
    };
  }

  async task(id: string, signal?: AbortSignal): Promise<TaskDetail> {
    const cluster = this.#cluster;
    const waiting = signal === undefined ? {} : { signal };
    const story = this.#keepsHistory ? await this.#story({ task: id }, {}, signal).catch(nothing) : [];
    const told = story.findLast((change) => change.kind === 'task');
    const isThere = cluster.tasks.list().some((task) => task.id === id);
    const task = isThere || told === undefined ? cluster.tasks.inspect(id) : told.object;
    const steps = story.map(lifeStep).filter((step) => step !== undefined);
    const { status, nodeId } = task;
    const life = [
      ...steps,
      ...(steps.length > 0
        ? []
        : [{ at: status.at, state: status.state, desired: task.desiredState, message: status.message }]),
    ];
    const service = cluster.services.list().find((each) => each.id === task.serviceId)?.spec.name;
    const node = cluster.nodes.list().find((each) => each.id === nodeId);
    const explanation = isThere ? await cluster.explain(id, waiting) : undefined;
    return {
      ...{ id, service: service ?? task.serviceId, serviceId: task.serviceId, slot: task.slot },
      ...(nodeId === undefined ? {} : { node: { id: nodeId, name: node?.description.hostname ?? nodeId } }),
      image: task.spec.image ?? task.spec.command?.join(' ') ?? '',
      ports: (status.runtime?.ports ?? []).map(
        ({ port, target, protocol }) => `${node?.status.address ?? ''}:${port} → ${target}/${protocol}`,
      ),
      ...(status.runtime === undefined ? {} : { runtime: status.runtime.id }),
      ...(task.replaces === undefined ? {} : { replaces: task.replaces }),
      life,
      ...(explanation === undefined ? {} : { explanation }),
    };
  }

  async service(id: string, signal?: AbortSignal): Promise<ServiceDetail> {
    const cluster = this.#cluster;
    const isThere = cluster.services.list().some((service) => service.id === id);
    const story = this.#keepsHistory ? await this.#story({ service: id }, {}, signal) : [];
    const last = story.findLast((change) => change.kind === 'service');
    const service = isThere || last === undefined ? cluster.services.inspect(id) : last.object;
    const waiting = signal === undefined ? {} : { signal };
    const diagnosis = isThere ? await cluster.services.diagnose(id, waiting) : undefined;
    return {
      ...{ id: service.id, name: service.spec.name },
      ...(diagnosis === undefined ? {} : { diagnosis }),
      history: transactionsOf(story).slice(-SERVICE_HISTORY),
    };
  }

  async *logs(task: string, signal: AbortSignal): AsyncIterable<LogText> {
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    const output = this.#cluster.tasks.logs(task, { follow: true, tail: LOG_TAIL, signal });
    for await (const { at, stream, data } of output) {
      yield { at, stream, text: decoders[stream].decode(data, { stream: true }) };
    }
  }

  plan(action: ViewAction, signal?: AbortSignal): Promise<Plan> {
    return this.#cluster.plan(plannable(action), signal === undefined ? {} : { signal });
  }

  async act(action: ViewAction, signal?: AbortSignal): Promise<void> {
    if (this.#options.actions !== true) {
      throw new PreconditionError('this view only shows: it was started without actions');
    }
    const { services, nodes } = this.#cluster;
    const options = { user: this.#options.user ?? 'view', ...(signal === undefined ? {} : { signal }) };
    switch (action.kind) {
      case 'scale':
        await services.scale(action.service, action.replicas, options);
        return;
      case 'drain':
      case 'activate': {
        const availability = action.kind === 'drain' ? 'drain' : 'active';
        await nodes.update(action.node, { availability }, options);
        return;
      }
      case 'lose':
        throw new PreconditionError('a loss can be planned, not done');
    }
  }

  get #keepsHistory(): boolean {
    return this.#options.history !== false;
  }

  async #story(
    subject: HistorySubject | undefined,
    range: Omit<StoryOptions, 'signal'>,
    signal: AbortSignal | undefined,
  ): Promise<StoryChange[]> {
    const changes: StoryChange[] = [];
    const options = { ...range, ...(signal === undefined ? {} : { signal }) };
    for await (const event of this.#cluster.history(subject, options)) {
      if (event.type !== 'gap') changes.push(event);
    }
    return changes;
  }

  #status(cluster: Cluster): ViewStatus {
    const { index, log } = cluster.health;
    return {
      index,
      managers:
        this.#options.managers?.() ?? managersOf(cluster, this.#options.nodeId ?? cluster.localNodes[0]?.id),
      hasLeader: log.leadership.role === 'leader' || leaderOf(cluster) !== undefined,
      now: Date.now(),
      actions: this.#options.actions === true,
      history: this.#keepsHistory,
    };
  }
}

/** The member that leads, as the log names it. */
function leaderOf({ health }: Cluster): string | undefined {
  const { leadership } = health.log;
  return leadership.role === 'follower' ? leadership.leader : undefined;
}

function managersOf(cluster: Cluster, ownId: string | undefined): ManagerRow[] {
  // A member of the log is a node at one time of its being a manager, and named `<node id>.<which time>`.
  const leader = leaderOf(cluster)?.split('.')[0];
  const managers = cluster.nodes.list().filter(({ spec }) => spec.role === 'manager');
  const here = cluster.leading ? ownId : undefined;
  return managers.map(({ id, description, status }) => ({
    ...{ id, name: description.hostname, leads: id === leader || id === here },
    reachable: status.state === 'ready',
  }));
}

function plannable(action: ViewAction): PlanAction {
  switch (action.kind) {
    case 'scale':
      return scale(action.service, action.replicas);
    case 'drain':
      return drain(action.node);
    case 'lose':
      return lose(action.node);
    case 'activate':
      throw new PreconditionError('to activate a node moves nothing, so there is nothing to plan');
  }
}

function nothing(): StoryChange[] {
  return [];
}
