/** A source with a cluster of rows that change all the time: what the page costs, whoever made them. */

import type { NodeRow, ServiceRow, TaskRow, ViewMessage, ViewSnapshot, ViewSource } from '@skep/view';

/** How large the cluster is, and how much of it changes. */
export interface ManyRows {
  readonly nodes: number;
  readonly tasks: number;
  readonly changesPerSecond: number;
}

const SERVICES = 20;
/** Between two deltas, as the stream of a cluster has it. */
const DELTA_MS = 50;
const STATES = ['preparing', 'starting', 'running', 'failed', 'running', 'running'] as const;

/** A source that only streams. */
export function manyRows({ nodes, tasks, changesPerSecond }: ManyRows): ViewSource {
  const refuse = () => Promise.reject(new Error('this source only streams'));
  const snapshot: ViewSnapshot = {
    ...{ index: 1, at: Date.now(), networks: [] },
    nodes: Array.from({ length: nodes }, (_, at) => nodeRow(at)),
    services: Array.from({ length: SERVICES }, (_, at) => serviceRow(at, tasks / SERVICES)),
    tasks: Array.from({ length: tasks }, (_, at) => taskRow(at, nodes, 'running')),
  };
  async function* stream({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<ViewMessage> {
    const status = { managers: [], hasLeader: true, now: Date.now(), actions: false, history: false };
    yield { type: 'status', status: { ...status, index: 1 } };
    yield { type: 'snapshot', snapshot };
    const each = Math.round((changesPerSecond * DELTA_MS) / 1_000);
    for (let turn = 0, next = 0; !signal.aborted && each > 0; turn++) {
      await new Promise((resolve) => setTimeout(resolve, DELTA_MS));
      const put = Array.from({ length: each }, () => {
        next = (next + 7_919) % tasks;
        return taskRow(next, nodes, STATES[(turn + next) % STATES.length] ?? 'running');
      });
      const services = snapshot.services.map((row) => ({ ...row, running: row.desired - (turn % 5) }));
      const index = turn + 2;
      yield { type: 'delta', delta: { index, at: Date.now(), tasks: { put }, services: { put: services } } };
      if (turn % 20 === 0) yield { type: 'status', status: { ...status, index } };
    }
  }
  return {
    stream,
    ...{ at: refuse, range: refuse, events: refuse, event: refuse, task: refuse, service: refuse },
    ...{ plan: refuse, act: refuse },
    async *logs() {},
  };
}

function nodeRow(at: number): NodeRow {
  return {
    ...{ id: `node-${at}`, name: `node-${at}`, state: 'ready', message: '', availability: 'active' },
    ...{ role: 'worker', address: '', driver: 'simulated', cpus: 8, memoryBytes: 2 ** 34, labels: {} },
  };
}

function serviceRow(at: number, desired: number): ServiceRow {
  return {
    ...{ id: `service-${at}`, name: `service-${at}`, mode: 'replicated', image: 'image' },
    ...{ desired, running: desired, current: desired, converged: true, reasons: [], ports: [], networks: [] },
  };
}

function taskRow(at: number, nodes: number, state: TaskRow['state']): TaskRow {
  return {
    ...{ id: `task-${at}`, service: `service-${at % SERVICES}`, slot: at + 1, node: `node-${at % nodes}` },
    ...{ state, desired: 'running', since: 0 },
  };
}
