/**
 * The metrics of one member of a cluster: its log and who leads it, its control loops, and what the state holds. Tasks,
 * services and nodes are counted as they change, not when somebody asks.
 */

import { type Cluster, type NodeState, TASK_STATES, type Task, type TaskState } from '@skep/core';
import type { MetricFamily, Sample } from './metric-family.ts';

/** What a Raft member tells beside what every log does. `RaftNode.status` of `@skep/raft` fits. */
export interface RaftFigures {
  readonly term: number;
  readonly committed: number;
  readonly lastIndex: number;
}

/** Options of {@link ClusterMetrics}. */
export interface ClusterMetricsOptions {
  /** Figures of Raft, where the log is kept by it. */
  readonly raft?: () => RaftFigures | undefined;
}

const NODE_STATES = [
  'unknown',
  'ready',
  'suspect',
  'leaving',
  'down',
] as const satisfies readonly NodeState[];

/** Counts while it lives. */
export class ClusterMetrics implements Disposable {
  readonly #cluster: Cluster;
  readonly #options: ClusterMetricsOptions;
  readonly #tasks = new Counts<TaskState>();
  readonly #nodes = new Counts<NodeState>();
  #services = 0;
  #transactions = 0;
  #failures = 0;
  #assignments = 0;
  #assignmentSeconds = 0;
  #lastIndex = 0;
  readonly #stop: () => void;

  constructor(cluster: Cluster, options: ClusterMetricsOptions = {}) {
    this.#cluster = cluster;
    this.#options = options;
    const subscription = cluster.watch().subscribe((event) => {
      switch (event.type) {
        case 'gap':
          // What follows is all there is.
          this.#tasks.clear();
          this.#nodes.clear();
          this.#services = 0;
          return;
        case 'synced':
          return;
        case 'current':
          if (event.kind === 'task') this.#tasks.add(event.object.status.state, 1);
          else if (event.kind === 'node') this.#nodes.add(event.object.status.state, 1);
          else if (event.kind === 'service') this.#services += 1;
          return;
      }
      if (event.index !== this.#lastIndex) this.#transactions += 1;
      this.#lastIndex = event.index;
      const was = event.type === 'updated' ? event.before : undefined;
      const isGone = event.type === 'removed';
      if (event.kind === 'service') this.#services += isGone ? -1 : was === undefined ? 1 : 0;
      else if (event.kind === 'node') {
        if (isGone) this.#nodes.add(event.object.status.state, -1);
        else {
          if (event.type === 'updated') this.#nodes.add(event.before.status.state, -1);
          this.#nodes.add(event.object.status.state, 1);
        }
      } else if (event.kind === 'task') {
        if (isGone) this.#tasks.add(event.object.status.state, -1);
        else this.#note(event.type === 'updated' ? event.before : undefined, event.object, event.at);
      }
    });
    this.#stop = () => subscription.unsubscribe();
  }

  /** All metrics as they are now. */
  collect(): MetricFamily[] {
    const { health } = this.#cluster;
    const { log, loops, leading, index } = health;
    const { role, epoch } = log.leadership;
    const leader = role === 'leader' || (role === 'follower' && log.leadership.leader !== undefined);
    const raft = this.#options.raft?.();
    return [
      gauge('skep_log_applied_index', 'Index of the newest transaction that this member has applied.', index),
      gauge('skep_log_first_position', 'Position of the first entry that the log keeps.', log.first),
      gauge('skep_log_last_position', 'Position of the last entry of the log.', log.last),
      gauge('skep_log_applied_position', 'Position of the last entry that was applied.', log.applied),
      gauge('skep_log_snapshot_position', 'Position of the newest snapshot.', log.snapshot),
      gauge('skep_log_size_bytes', 'Bytes of the entries that the log keeps.', log.bytes),
      gauge('skep_log_failing', '1 while the log takes no appends.', log.failure === undefined ? 0 : 1),
      counter('skep_log_transactions_total', 'Transactions applied since this started.', this.#transactions),
      gauge('skep_raft_term', 'Term of the leadership that this member knows of.', raft?.term ?? epoch),
      gauge('skep_raft_is_leader', '1 while this member leads the log.', role === 'leader' ? 1 : 0),
      gauge('skep_raft_has_leader', '1 while this member knows of a leader.', leader ? 1 : 0),
      ...(raft === undefined
        ? []
        : [
            gauge('skep_raft_commit_index', 'Raft index up to which all is committed.', raft.committed),
            gauge('skep_raft_last_index', 'Raft index of the last entry here.', raft.lastIndex),
          ]),
      gauge('skep_manager_leading', '1 while the control loops run here.', leading ? 1 : 0),
      ...loopFamilies(loops),
      counter('skep_scheduler_assignments_total', 'Tasks that were given a node.', this.#assignments),
      counter(
        'skep_scheduler_assignment_wait_seconds_total',
        'Time that tasks waited for their node, from their creation on.',
        this.#assignmentSeconds,
      ),
      counter('skep_task_failures_total', 'Tasks that failed or were rejected.', this.#failures),
      family('skep_tasks', 'Tasks by observed state.', this.#tasks.samples(TASK_STATES, 'state')),
      family('skep_nodes', 'Nodes by state; the dispatcher hears those that are ready.', [
        ...this.#nodes.samples(NODE_STATES, 'state'),
      ]),
      gauge('skep_services', 'Services.', this.#services),
    ];
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #note(before: Task | undefined, task: Task, at: number): void {
    const { state } = task.status;
    if (before !== undefined) this.#tasks.add(before.status.state, -1);
    this.#tasks.add(state, 1);
    const wasPlaced =
      before === undefined || before.status.state === 'new' || before.status.state === 'pending';
    if (wasPlaced && before !== undefined && state === 'assigned') {
      this.#assignments += 1;
      this.#assignmentSeconds += Math.max(0, at - task.createdAt) / 1_000;
    }
    if (before?.status.state !== state && (state === 'failed' || state === 'rejected')) this.#failures += 1;
  }
}

function loopFamilies(loops: Cluster['health']['loops']): MetricFamily[] {
  const each = (value: (loop: (typeof loops)[number]) => number): Sample[] =>
    loops.map((loop) => ({ labels: { loop: loop.name }, value: value(loop) }));
  const total = (name: string, help: string, samples: Sample[]): MetricFamily => ({
    ...{ name: `skep_loop_${name}_total`, help, kind: 'counter', samples },
  });
  return [
    total(
      'decisions',
      'Looks that a control loop took, in this term.',
      each(({ decisions }) => decisions),
    ),
    total(
      'transactions',
      'Transactions of a control loop.',
      each(({ transactions }) => transactions),
    ),
    total(
      'events',
      'Events of a control loop.',
      each(({ events }) => events),
    ),
  ];
}

function family(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, kind: 'gauge', samples };
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return family(name, help, [{ value }]);
}

function counter(name: string, help: string, value: number): MetricFamily {
  return { name, help, kind: 'counter', samples: [{ value }] };
}

/** How many there are of each. */
class Counts<Key extends string> {
  readonly #counts = new Map<Key, number>();

  add(key: Key, by: number): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
  }

  clear(): void {
    this.#counts.clear();
  }

  samples(keys: readonly Key[], label: string): Sample[] {
    return keys.map((key) => ({ labels: { [label]: key }, value: this.#counts.get(key) ?? 0 }));
  }
}
