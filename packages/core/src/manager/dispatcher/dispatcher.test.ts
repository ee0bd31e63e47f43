import { describe, expect, it } from 'vitest';
import { asId, type NodeId, type SessionId, type TaskId } from '../../model/ids.ts';
import type { TaskState } from '../../model/task-state.ts';
import { aCluster, aDescription, type BuiltNode } from '../../testing/state-builder.ts';
import type {
  AssignmentsMessage,
  KnownAssignments,
  Session,
  SessionMessage,
  WorkerCalls,
} from '../../worker/dispatcher-port.ts';
import { Workshop } from './test-support/workshop.ts';

const NODE = asId<NodeId>('node-1');
const task = (id: string) => asId<TaskId>(id);

const calls: WorkerCalls = {
  logs: () => (async function* () {})(),
  exec: () => Promise.resolve({ exitCode: 0, output: '' }),
  execInteractive: () => (async function* () {})(),
  stats: () => Promise.resolve({ at: 0, cpus: 0, memoryBytes: 0 }),
};

/** A workshop whose agents are the test itself. */
class Desk extends Workshop {
  open(node = 'node-1', description: BuiltNode = {}, known?: KnownAssignments): Promise<Session> {
    return this.clock.run(
      this.dispatcher.openSession(
        {
          nodeId: asId<NodeId>(node),
          description: aDescription({ hostname: node, ...description }),
          address: '10.0.0.1',
          calls,
          ...(known ? { known } : {}),
        },
        new AbortController().signal,
      ),
    );
  }

  report(
    session: Session,
    id: string,
    state: TaskState,
    message: string = state,
    node = NODE,
  ): Promise<void> {
    return this.dispatcher.reportStatus(node, session.id, [
      { id: task(id), status: { state, at: 1, message } },
    ]);
  }

  /** Heartbeats for so long. */
  async beat(session: Session, ms: number, node = NODE): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1_000) {
      await this.dispatcher.heartbeat(node, session.id);
      await this.clock.advance(1_000);
    }
  }
}

/** Reads a stream as its agent would, without waiting for what is not there. */
function reader<T>(stream: AsyncIterable<T>): { readonly items: T[]; readonly ended: () => boolean } {
  const items: T[] = [];
  let ended = false;
  void (async () => {
    for await (const item of stream) items.push(item);
    ended = true;
  })();
  return { items, ended: () => ended };
}

const unreadyNode = () => aCluster().withNode({ state: 'unknown' });
const withWeb = () => aCluster().withNode({ state: 'unknown' }).withService({ name: 'web' });

describe('Dispatcher sessions', () => {
  it('given a node that joined, when its agent opens a session, then it is ready and described in committed state', async () => {
    const desk = new Desk(unreadyNode());
    const session = await desk.open('node-1', { cpus: 3 });
    expect(desk.nodeState()).toBe('ready');
    expect(desk.store.committed.node(NODE)?.description.resources.cpus).toBe(3);
    expect(desk.dispatcher.worker(NODE)).toBe(calls);
    const messages = reader<SessionMessage>(session.messages);
    await desk.clock.settle();
    expect(messages.items).toMatchObject([
      { node: { id: NODE, status: { state: 'ready' } }, heartbeatMs: 1_000 },
    ]);
  });

  it('given a commit that takes long, when a session is opened, then it stands only after the commit', async () => {
    const desk = new Desk(unreadyNode());
    await desk.clock.settle();
    desk.store.held = true;
    let opened = false;
    const opening = desk.open().then((session) => {
      opened = true;
      return session;
    });
    expect(desk.store.head.node(NODE)?.status.state).toBe('ready');
    expect(opened).toBe(false);
    desk.store.release();
    await opening;
    expect(opened).toBe(true);
  });

  it('given a log that refuses, when a session is opened, then it is unavailable and none stands', async () => {
    const desk = new Desk(unreadyNode());
    await desk.clock.settle();
    desk.store.held = true;
    const opening = desk.open();
    desk.store.refuse();
    await expect(opening).rejects.toMatchObject({ code: 'unavailable' });
    expect(desk.dispatcher.worker(NODE)).toBeUndefined();
  });

  it('given an unknown node, when it opens a session, then it is told that it is not of the cluster', async () => {
    const desk = new Desk(unreadyNode());
    await expect(desk.open('node-9')).rejects.toMatchObject({ name: 'SessionError', code: 'node-removed' });
  });

  it('given a session, when the node opens another, then the older one ends and its calls are refused', async () => {
    const desk = new Desk(unreadyNode());
    const first = await desk.open();
    const stream = reader(first.assignments);
    const second = await desk.open();
    await desk.clock.settle();
    expect(stream.ended()).toBe(true);
    await expect(desk.dispatcher.heartbeat(NODE, first.id)).rejects.toMatchObject({
      code: 'session-invalid',
    });
    await expect(desk.report(first, 'web-1', 'running')).rejects.toMatchObject({ code: 'session-invalid' });
    await expect(desk.dispatcher.heartbeat(NODE, second.id)).resolves.toEqual({ heartbeatMs: 1_000 });
  });

  it('given three sessions in eight seconds, when a fourth is opened, then it is unavailable until time passed', async () => {
    const desk = new Desk(unreadyNode());
    for (let n = 0; n < 3; n++) await desk.open();
    await expect(desk.open()).rejects.toMatchObject({ code: 'unavailable' });
    await desk.clock.advance(8_000);
    await expect(desk.open()).resolves.toBeDefined();
  });

  it('given an opening that is aborted, when the commit comes, then no session stands', async () => {
    const desk = new Desk(unreadyNode());
    const abort = new AbortController();
    const request = { nodeId: NODE, description: aDescription(), address: '10.0.0.1', calls };
    const opening = desk.dispatcher.openSession(request, abort.signal);
    abort.abort(new Error('changed my mind'));
    await expect(desk.clock.run(opening)).rejects.toThrow('changed my mind');
    expect(desk.dispatcher.worker(NODE)).toBeUndefined();
  });

  it('given a dispatcher that was closed, when called, then it is unavailable and its streams have ended', async () => {
    const desk = new Desk(unreadyNode());
    const session = await desk.open();
    const stream = reader(session.messages);
    desk.dispatcher.close();
    await desk.clock.settle();
    expect(stream.ended()).toBe(true);
    await expect(desk.dispatcher.heartbeat(NODE, session.id)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(desk.open()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('given a node that is removed, when its agent calls, then it learns that and its streams end', async () => {
    const desk = new Desk(unreadyNode());
    const session = await desk.open();
    const stream = reader(session.assignments);
    await desk.clock.run(desk.store.write({ type: 'node.removed', id: NODE }));
    await desk.clock.settle();
    expect(stream.ended()).toBe(true);
    await expect(desk.dispatcher.heartbeat(NODE, session.id)).rejects.toMatchObject({ code: 'node-removed' });
  });
});

describe('Dispatcher liveness', () => {
  it('given heartbeats, when they stop, then the node is suspect after 2.5 s and down after 5 s', async () => {
    const desk = new Desk(unreadyNode());
    const session = await desk.open();
    await desk.beat(session, 20_000);
    expect(desk.nodeState()).toBe('ready');
    await desk.clock.advance(1_499);
    expect(desk.nodeState()).toBe('ready');
    await desk.clock.advance(1);
    expect(desk.nodeState()).toBe('suspect');
    await desk.clock.advance(2_499);
    expect(desk.nodeState()).toBe('suspect');
    await desk.clock.advance(1);
    expect(desk.nodeState()).toBe('down');
    await expect(desk.dispatcher.heartbeat(NODE, session.id)).rejects.toMatchObject({
      code: 'session-invalid',
    });
    await desk.open();
    expect(desk.nodeState()).toBe('ready');
  });

  it('given a closed session, when it is not renewed, then the node is down after 3.5 s', async () => {
    const desk = new Desk(unreadyNode());
    const session = await desk.open();
    await desk.dispatcher.closeSession(NODE, session.id);
    await desk.clock.advance(3_499);
    expect(desk.nodeState()).toBe('ready');
    await desk.clock.advance(1);
    expect(desk.nodeState()).toBe('down');
  });

  it('given a closed session, when it is renewed in time, then the node never was down', async () => {
    const desk = new Desk(unreadyNode());
    const session = await desk.open();
    await desk.dispatcher.closeSession(NODE, session.id);
    await desk.clock.advance(3_000);
    await desk.beat(await desk.open(), 10_000);
    const states = desk.store.transactions.flatMap(({ events }) =>
      events.flatMap((event) => (event.type === 'node.status' ? [event.state] : [])),
    );
    expect(states).toEqual(['ready']);
  });

  it('given ready nodes, when a new leader begins, then they are unknown and down only after twice the silence', async () => {
    const desk = new Desk(aCluster().withNodes(3).withNode({ state: 'down' }));
    await desk.clock.settle();
    expect([1, 2, 3, 4].map((n) => desk.nodeState(`node-${n}`))).toEqual([
      'unknown',
      'unknown',
      'unknown',
      'down',
    ]);
    const back = await desk.open('node-2');
    await desk.beat(back, 9_000, asId<NodeId>('node-2'));
    expect(desk.nodeState()).toBe('unknown');
    await desk.beat(back, 2_000, asId<NodeId>('node-2'));
    expect([1, 2, 3].map((n) => desk.nodeState(`node-${n}`))).toEqual(['down', 'ready', 'down']);
    const downs = desk.store.transactions.filter(({ events }) =>
      events.some((event) => event.type === 'node.status' && event.state === 'down'),
    );
    expect(downs, 'nodes that go down together are one transaction').toHaveLength(1);
  });

  it('given other limits in the cluster spec, when set while it serves, then they hold at once', async () => {
    const desk = new Desk(unreadyNode());
    const session = await desk.open();
    const messages = reader<SessionMessage>(session.messages);
    await desk.clock.settle();
    const { cluster } = desk.store.committed;
    if (!cluster) throw new Error('no cluster');
    const dispatcher = { ...cluster.spec.dispatcher, heartbeatMs: 200, silentDownMs: 600 };
    await desk.clock.run(
      desk.store.write({ type: 'cluster.updated', spec: { ...cluster.spec, dispatcher } }),
    );
    await desk.clock.settle();
    expect(messages.items.at(-1)?.heartbeatMs).toBe(200);
    await desk.dispatcher.heartbeat(NODE, session.id);
    await desk.clock.advance(499);
    expect(desk.nodeState()).toBe('ready');
    await desk.clock.advance(100);
    expect(desk.nodeState()).toBe('suspect');
    await desk.clock.advance(1);
    expect(desk.nodeState()).toBe('down');
  });
});

describe('Dispatcher with many nodes', () => {
  it('given 2,000 sessions that beat, when all fall silent at once, then one timer and two transactions tell it', async () => {
    const desk = new Desk(aCluster().withNodes(2_000, () => ({ state: 'unknown' })));
    const ids = [...desk.store.committed.nodes()].map(({ id }) => id);
    const sessions = await desk.clock.run(
      Promise.all(
        ids.map((nodeId) =>
          desk.dispatcher.openSession(
            { nodeId, description: aDescription({ hostname: nodeId }), address: '10.0.0.1', calls },
            new AbortController().signal,
          ),
        ),
      ),
    );
    await desk.clock.settle();
    for (let second = 0; second < 10; second++) {
      for (const [n, nodeId] of ids.entries())
        await desk.dispatcher.heartbeat(nodeId, sessions[n]?.id ?? asId(''));
      await desk.clock.advance(1_000);
    }
    expect(ids.every((nodeId) => desk.nodeState(nodeId) === 'ready')).toBe(true);
    expect(desk.clock.pendingTimers).toBeLessThanOrEqual(1);
    const before = desk.store.transactions.length;
    await desk.clock.advance(5_000);
    expect(ids.every((nodeId) => desk.nodeState(nodeId) === 'down')).toBe(true);
    expect(desk.store.transactions.length - before, 'suspect, then down').toBe(2);
  });
});

describe('Dispatcher and nodes that are lost', () => {
  const silentWith = (services: number, tasksEach: number) => {
    const built = aCluster().withNodes(services, () => ({ state: 'unknown' }));
    for (let n = 1; n <= services; n++) {
      built.withService({ name: `web-${n}` }).withRunning(`web-${n}`, Array(tasksEach).fill(`node-${n}`));
    }
    return new Desk(built);
  };
  const kept = (desk: Desk) =>
    [...desk.store.committed.nodes()].filter((node) => node.status.tasksKept).length;
  const limit = async (desk: Desk, eviction: { tasksAtOnce: number; tasksPerSecond: number }) => {
    const { cluster } = desk.store.committed;
    if (!cluster) throw new Error('no cluster');
    const dispatcher = { ...cluster.spec.dispatcher, eviction };
    await desk.clock.run(
      desk.store.write({ type: 'cluster.updated', spec: { ...cluster.spec, dispatcher } }),
    );
  };

  it('given a suspect node, when it is heard again, then it is ready and lost nothing', async () => {
    const desk = new Desk(unreadyNode());
    const session = await desk.open();
    await desk.clock.advance(4_000);
    expect(desk.nodeState()).toBe('suspect');
    await desk.beat(session, 5_000);
    expect(desk.nodeState()).toBe('ready');
  });

  it('given one node with more tasks than go at once, when it is lost, then all of them go', async () => {
    const desk = silentWith(1, 5);
    await limit(desk, { tasksAtOnce: 2, tasksPerSecond: 1 });
    await desk.open();
    await desk.clock.advance(5_000);
    expect(desk.nodeState()).toBe('down');
    expect(kept(desk)).toBe(0);
  });

  it('given many nodes, when they are lost together, then their tasks go little by little', async () => {
    const desk = silentWith(6, 10);
    await limit(desk, { tasksAtOnce: 20, tasksPerSecond: 5 });
    for (let n = 1; n <= 6; n++) await desk.open(`node-${n}`);
    await desk.clock.advance(5_000);
    expect([1, 2, 3, 4, 5, 6].map((n) => desk.nodeState(`node-${n}`))).toEqual(Array(6).fill('down'));
    expect(kept(desk)).toBe(4);
    await desk.clock.advance(250);
    expect(kept(desk)).toBe(3);
    await desk.clock.advance(1_960);
    expect(kept(desk)).toBe(2);
    // One that is back keeps what it has, for good.
    await desk.open('node-6');
    expect(desk.nodeState('node-6')).toBe('ready');
    await desk.clock.advance(60_000);
    expect(kept(desk)).toBe(0);
  });

  it('given nodes whose tasks wait, when another leads, then they go on going', async () => {
    const desk = silentWith(3, 10);
    await limit(desk, { tasksAtOnce: 5, tasksPerSecond: 5 });
    for (let n = 1; n <= 3; n++) await desk.open(`node-${n}`);
    await desk.clock.advance(5_000);
    expect(kept(desk)).toBe(2);
    desk.lead();
    await desk.clock.advance(4_000);
    expect(kept(desk)).toBe(0);
  });

  it('given a task that was replaced meanwhile, when its node is back, then it is ready once that has ended', async () => {
    const desk = new Desk(withWeb().withRunning('web', ['node-1', 'node-1']));
    await desk.open();
    await desk.clock.advance(5_000);
    expect(desk.nodeState()).toBe('down');
    desk.desire('web-1', 'shutdown');
    const session = await desk.open();
    expect(desk.nodeState()).toBe('unknown');
    await desk.beat(session, 3_000);
    expect(desk.nodeState()).toBe('unknown');
    await desk.clock.run(desk.report(session, 'web-1', 'shutdown'));
    await desk.clock.settle();
    expect(desk.nodeState()).toBe('ready');
  });

  it('given a replaced task that does not end, when its node is back, then it is ready after a minute all the same', async () => {
    const desk = new Desk(withWeb().withRunning('web', ['node-1']));
    await desk.open();
    await desk.clock.advance(5_000);
    desk.desire('web-1', 'shutdown');
    const session = await desk.open();
    await desk.beat(session, 59_000);
    expect(desk.nodeState()).toBe('unknown');
    await desk.beat(session, 2_000);
    expect(desk.nodeState()).toBe('ready');
  });
});

describe('Dispatcher assignments', () => {
  it('given tasks on a node, when the stream is read, then first all of them, then what changed', async () => {
    const desk = new Desk(
      withWeb()
        .withTasks('web', 1, { nodes: ['node-1'], state: 'assigned' })
        .withPending('web'),
    );
    const session = await desk.open();
    const stream = reader<AssignmentsMessage>(session.assignments);
    await desk.clock.settle();
    expect(stream.items).toMatchObject([
      { kind: 'complete', tasks: [{ task: { id: 'web-1' }, serviceName: 'web' }], files: [] },
    ]);
    await desk.clock.run(
      desk.store.write({ type: 'task.assigned', rows: [{ nodeId: NODE, tasks: [task('web-2')] }] }),
    );
    desk.desire('web-1', 'shutdown');
    await desk.clock.settle();
    desk.reap('web-1');
    await desk.clock.settle();
    expect(stream.items.slice(1)).toMatchObject([
      { kind: 'incremental', update: [{ task: { id: 'web-2' } }], remove: [] },
      { kind: 'incremental', update: [{ task: { id: 'web-1', desiredState: 'shutdown' } }], remove: [] },
      { kind: 'incremental', update: [], remove: ['web-1'] },
    ]);
  });

  it('given uncommitted assignments, when the stream is read, then nothing is told of them', async () => {
    const desk = new Desk(withWeb().withPending('web'));
    const session = await desk.open();
    const stream = reader<AssignmentsMessage>(session.assignments);
    await desk.clock.settle();
    desk.store.held = true;
    void desk.store.write({ type: 'task.assigned', rows: [{ nodeId: NODE, tasks: [task('web-1')] }] });
    await desk.clock.advance(10);
    expect(stream.items).toHaveLength(1);
    desk.store.release();
    await desk.clock.settle();
    expect(stream.items[1]).toMatchObject({ update: [{ task: { id: 'web-1' } }] });
  });

  it('given a reader that is slow, when much changes meanwhile, then it gets the newest of each task once', async () => {
    const desk = new Desk(withWeb().withPending('web', 3));
    const session = await desk.open();
    const iterator = session.assignments[Symbol.asyncIterator]();
    await iterator.next();
    const ids = ['web-1', 'web-2', 'web-3'].map(task);
    void desk.store.write({ type: 'task.assigned', rows: [{ nodeId: NODE, tasks: ids }] });
    desk.desire('web-1', 'shutdown');
    desk.desire('web-2', 'shutdown');
    desk.desire('web-2', 'remove');
    desk.reap('web-3');
    await desk.clock.settle();
    const next = await iterator.next();
    expect(next.value).toMatchObject({
      update: [
        { task: { id: 'web-1', desiredState: 'shutdown' } },
        { task: { id: 'web-2', desiredState: 'remove' } },
      ],
      remove: [],
    });
  });

  it('given a second reader of the same session, when it begins, then it gets a complete set again', async () => {
    const desk = new Desk(withWeb().withTasks('web', 2, { nodes: ['node-1'] }));
    const session = await desk.open();
    const first = reader<AssignmentsMessage>(session.assignments);
    await desk.clock.settle();
    const second = reader<AssignmentsMessage>(session.assignments);
    await desk.clock.settle();
    expect(first.ended()).toBe(true);
    expect(second.items).toMatchObject([{ kind: 'complete', tasks: [{}, {}] }]);
  });

  it('given an agent that knows its tasks, when it opens a session with the next leader, then it gets what changed', async () => {
    const desk = new Desk(withWeb().withTasks('web', 3, { nodes: ['node-1'] }));
    desk.lead();
    await desk.clock.settle();
    desk.desire('web-2', 'shutdown');
    desk.reap('web-3');
    await desk.clock.settle();
    const tasks = ['web-1', 'web-2', 'web-3'].map((id) => ({
      id: task(id),
      desiredState: 'running' as const,
    }));
    const session = await desk.open('node-1', {}, { tasks, files: [] });
    const stream = reader<AssignmentsMessage>(session.assignments);
    await desk.clock.settle();
    desk.desire('web-1', 'shutdown');
    await desk.clock.settle();
    expect(stream.items).toMatchObject([
      { kind: 'incremental', update: [{ task: { id: 'web-2' } }], remove: ['web-3'] },
      { kind: 'incremental', update: [{ task: { id: 'web-1' } }], remove: [] },
    ]);
    const again = reader<AssignmentsMessage>(session.assignments);
    await desk.clock.settle();
    expect(again.items).toMatchObject([{ kind: 'complete' }]);
  });
});

describe('Dispatcher status reports', () => {
  it('given a report, when it resolves, then the status is committed', async () => {
    const desk = new Desk(withWeb().withTasks('web', 1, { nodes: ['node-1'], state: 'assigned' }));
    const session = await desk.open();
    await desk.clock.run(desk.report(session, 'web-1', 'running'));
    expect(desk.stateOf('web-1')).toBe('running');
  });

  it('given reports that go back, are of others, are of nobody or are only managers to make, then they do nothing', async () => {
    const desk = new Desk(
      withWeb()
        .withNode({ id: 'node-2' })
        .withTasks('web', 1, { nodes: ['node-1'] })
        .withTasks('web', 1, { nodes: ['node-2'], state: 'assigned' }),
    );
    const session = await desk.open();
    const before = desk.store.committed.index;
    for (const [id, state] of [
      ['web-1', 'starting'],
      ['web-1', 'orphaned'],
      ['web-2', 'running'],
      ['web-9', 'running'],
    ] as const) {
      await desk.clock.run(desk.report(session, id, state));
    }
    await desk.clock.run(desk.report(session, 'web-1', 'undead' as TaskState));
    expect(desk.store.committed.index).toBe(before);
    await desk.clock.run(desk.report(session, 'web-1', 'running', 'with news'));
    expect(desk.task('web-1')?.status.message).toBe('with news');
    await desk.clock.run(desk.report(session, 'web-1', 'running', 'with news'));
    expect(desk.store.committed.index, 'the same again is no news').toBe(before + 1);
  });

  it('given a transaction in flight, when more reports come, then they gather into one, the newest of each task', async () => {
    const desk = new Desk(withWeb().withTasks('web', 3, { nodes: ['node-1'], state: 'assigned' }));
    const session = await desk.open();
    const before = desk.store.transactions.length;
    desk.store.commitMs = 50;
    const reports = [desk.report(session, 'web-1', 'accepted')];
    await desk.clock.advance(10);
    for (const state of ['preparing', 'ready', 'starting', 'running'] as const) {
      reports.push(desk.report(session, 'web-1', state), desk.report(session, 'web-2', state));
      await desk.clock.advance(1);
    }
    await desk.clock.run(Promise.all(reports));
    expect(desk.store.transactions.length - before).toBe(2);
    expect(desk.history.get('web-1')?.slice(-2)).toEqual(['accepted', 'running']);
    expect(desk.stateOf('web-2')).toBe('running');
  });

  it('given a log that refuses, when statuses are reported, then the agent is told to try again', async () => {
    const desk = new Desk(withWeb().withTasks('web', 1, { nodes: ['node-1'], state: 'assigned' }));
    const session = await desk.open();
    desk.store.held = true;
    const reporting = desk.report(session, 'web-1', 'running');
    await desk.clock.advance(1);
    desk.store.refuse();
    await expect(reporting).rejects.toMatchObject({ code: 'unavailable' });
    desk.store.held = false;
    await desk.clock.run(desk.report(session, 'web-1', 'running'));
    expect(desk.stateOf('web-1')).toBe('running');
  });

  it('given more statuses than a transaction may hold, when reported, then they are split and all committed', async () => {
    const desk = new Desk(withWeb().withTasks('web', 2_000, { nodes: ['node-1'], state: 'assigned' }));
    const session = await desk.open();
    const before = desk.store.transactions.length;
    const reports = [...desk.store.committed.tasksOfNode(NODE)].map(({ id }) => ({
      id,
      status: { state: 'failed' as const, at: 1, message: 'x', error: 'y'.repeat(500) },
    }));
    await desk.clock.run(desk.dispatcher.reportStatus(NODE, session.id, reports));
    expect(desk.store.transactions.length - before).toBeGreaterThan(5);
    expect([...desk.store.committed.tasks()].every(({ status }) => status.state === 'failed')).toBe(true);
  });

  it('given a session of another node, when it is used, then it is invalid', async () => {
    const desk = new Desk(unreadyNode().withNode({ id: 'node-2' }));
    await desk.open();
    const other = await desk.open('node-2');
    await expect(desk.dispatcher.heartbeat(NODE, other.id)).rejects.toMatchObject({
      code: 'session-invalid',
    });
    await expect(desk.dispatcher.heartbeat(NODE, asId<SessionId>('none'))).rejects.toMatchObject({
      code: 'session-invalid',
    });
  });
});
