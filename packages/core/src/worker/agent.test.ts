import { describe, expect, it } from 'vitest';
import { Workshop } from '../manager/dispatcher/test-support/workshop.ts';
import { asId, type NodeId, type SecretId, type TaskId } from '../model/ids.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { aCluster, type StateBuilder } from '../testing/state-builder.ts';
import type { AssignmentsMessage, DispatcherPort, StatusReport } from './dispatcher-port.ts';

const id = (text: string) => asId<TaskId>(text);

/** One node and a service `web` with so many tasks assigned to it. */
function withWeb(tasks = 1, task: Record<string, unknown> = {}): StateBuilder {
  const built = aCluster().withNode({ state: 'unknown' }).withService({ name: 'web', task });
  return tasks === 0 ? built : built.withTasks('web', tasks, { nodes: ['node-1'], state: 'assigned' });
}

/** The dispatcher, with what it assigns noted. */
function overhearing(port: DispatcherPort, heard: AssignmentsMessage[]): DispatcherPort {
  return {
    ...port,
    async openSession(request, signal) {
      const session = await port.openSession(request, signal);
      async function* assignments() {
        for await (const message of session.assignments) {
          heard.push(message);
          yield message;
        }
      }
      return { ...session, assignments: assignments() };
    },
  };
}

describe('an agent and its dispatcher', () => {
  it('given assigned tasks, when the agent connects, then they run and each state is told in order', async () => {
    const shop = new Workshop(withWeb(), { images: { image: { prepareMs: 50, startMs: 20 } } });
    await shop.connect();
    await shop.until('web-1', 'running');
    expect(shop.history.get('web-1')).toEqual(['preparing', 'starting', 'running']);
    expect(shop.task('web-1')?.status).toMatchObject({
      message: 'started',
      runtime: { id: 'simulated-web-1', ports: [] },
    });
    expect(shop.host.running()).toHaveLength(1);
  });

  it('given a running task, when it should shut down and is then reaped, then it is stopped and nothing is left', async () => {
    const shop = new Workshop(withWeb());
    await shop.connect();
    await shop.until('web-1', 'running');
    shop.desire('web-1', 'shutdown');
    await shop.until('web-1', 'shutdown');
    expect(shop.task('web-1')?.status).toMatchObject({ message: 'shutdown', exitCode: 143 });
    expect(shop.host.runtime(id('web-1'))?.state).toBe('ended');
    shop.reap('web-1');
    await shop.clock.settle();
    expect(shop.host.runtimes()).toEqual([]);
  });

  it('given a task whose leave to start comes later, when it is prepared, then it waits in ready until then', async () => {
    const built = aCluster().withNode().withService({ name: 'web' });
    built.withTasks('web', 1, { nodes: ['node-1'], state: 'assigned', startAfter: built.at + 60_000 });
    const shop = new Workshop(built);
    await shop.connect();
    await shop.clock.advance(5_000);
    expect(shop.stateOf('web-1')).toBe('ready');
    expect(shop.host.runtime(id('web-1'))?.state).toBe('created');
    shop.desire('web-1', 'running');
    await shop.until('web-1', 'running');
  });

  it('given tasks that end by themselves, when they do, then the exit code, the signal and the memory are told', async () => {
    const shop = new Workshop(withWeb(4), {
      behaviour: ({ slot }) =>
        [
          { runMs: 100 },
          { runMs: 100, exitCode: 3 },
          { runMs: 100, exitCode: 137, exitSignal: 'SIGKILL' },
          { runMs: 100, exitCode: 137, outOfMemory: true },
        ][slot - 1],
    });
    await shop.connect();
    await shop.clock.advance(200);
    expect(['web-1', 'web-2', 'web-3', 'web-4'].map((each) => shop.task(each)?.status)).toMatchObject([
      { state: 'complete', exitCode: 0, message: 'finished' },
      { state: 'failed', exitCode: 3, error: 'task: non-zero exit (3)' },
      { state: 'failed', exitCode: 137, error: 'task: non-zero exit (137, SIGKILL)' },
      { state: 'failed', exitCode: 137, error: 'task: out of memory (137)' },
    ]);
  });

  it('given secrets and configs, when a task is prepared, then it sees its own and no others', async () => {
    const built = aCluster().withNode();
    for (const name of ['mine', 'other']) {
      const data = new TextEncoder().encode(`value of ${name}`);
      built.apply(
        { type: 'vault.stored', digest: name, data },
        {
          type: 'secret.created',
          id: asId<SecretId>(name),
          spec: { name, labels: {} },
          digest: name,
          sizeBytes: data.length,
        },
      );
    }
    built
      .withService({ name: 'a', task: { image: 'a', secrets: [{ name: 'mine', target: 'pw' }] } })
      .withService({ name: 'b', task: { image: 'b', secrets: [{ name: 'other' }] } })
      .withService({ name: 'c', task: { image: 'c', secrets: [{ name: 'lost' }] } });
    for (const name of ['a', 'b', 'c']) built.withTasks(name, 1, { nodes: ['node-1'], state: 'assigned' });
    const shop = new Workshop(built);
    await shop.connect();
    await shop.until('a-1', 'running');
    const files = shop.host.runtime(id('a-1'))?.task.files ?? [];
    expect(files.map(({ data, ...file }) => ({ ...file, text: new TextDecoder().decode(data) }))).toEqual([
      { kind: 'secret', name: 'mine', target: 'pw', mode: 0o444, text: 'value of mine' },
    ]);
    expect(shop.task('c-1')?.status).toMatchObject({
      state: 'rejected',
      error: 'secret lost is not available to this task',
    });
  });

  it('given tasks of a node, when the managers ask for output, a command or figures, then the driver answers', async () => {
    const shop = new Workshop(withWeb(), { images: { image: { output: [{ line: 'hello' }] } } });
    await shop.connect();
    await shop.until('web-1', 'running');
    const calls = shop.dispatcher.worker(asId<NodeId>('node-1'));
    const { signal } = new AbortController();
    const lines: string[] = [];
    for await (const { data } of calls?.logs(id('web-1'), {}) ?? [])
      lines.push(new TextDecoder().decode(data));
    expect(lines).toEqual(['hello\n']);
    await expect(calls?.exec(id('web-1'), ['true'], signal)).resolves.toEqual({ exitCode: 0, output: '' });
    await expect(calls?.stats(id('web-1'), signal)).resolves.toMatchObject({ cpus: 0.1 });
    await expect(calls?.exec(id('web-9'), ['true'], signal)).rejects.toThrow(
      'task web-9 is not on this node',
    );
  });
});

describe('an agent that loses its managers', () => {
  it('given the leader changes, when the agent comes back, then tasks ran on and were never started twice', async () => {
    const shop = new Workshop(withWeb(3));
    await shop.connect();
    await shop.until('web-3', 'running');
    shop.lead();
    await shop.clock.settle();
    expect(shop.nodeState()).toBe('unknown');
    await shop.clock.runUntil(() => shop.nodeState() === 'ready', { limitMs: 2_000 });
    expect(shop.host.running().map(({ starts }) => starts)).toEqual([1, 1, 1]);
    shop.host.kill(id('web-2'));
    await shop.until('web-2', 'failed');
  });

  it('given tasks and secrets that it holds, when another leads, then it is told only what changed meanwhile', async () => {
    const heard: AssignmentsMessage[] = [];
    const shop = new Workshop(withWeb(3));
    await shop.connect('node-1', { dispatcher: overhearing(shop.port, heard) });
    await shop.until('web-3', 'running');
    shop.dispatcher.close();
    shop.desire('web-2', 'shutdown');
    shop.lead();
    await shop.until('web-2', 'shutdown');
    expect(heard).toMatchObject([
      { kind: 'complete', tasks: [{}, {}, {}] },
      { kind: 'incremental', update: [{ task: { id: 'web-2', desiredState: 'shutdown' } }], remove: [] },
    ]);
    expect(shop.host.running().map((each) => each.id)).toEqual(['web-1', 'web-3']);
  });

  it('given no leader for a minute, when tasks end meanwhile, then they run on or end, and it is told afterwards', async () => {
    const shop = new Workshop(withWeb(2), {
      behaviour: ({ slot }) => (slot === 1 ? { runMs: 30_000, exitCode: 4 } : {}),
    });
    const agent = await shop.connect();
    await shop.until('web-1', 'running');
    shop.dispatcher.close();
    await shop.clock.advance(60_000);
    expect(agent.state).toBe('connecting');
    expect(shop.host.running().map((runtime) => runtime.id)).toEqual(['web-2']);
    expect(shop.stateOf('web-1')).toBe('running');
    shop.lead();
    await shop.until('web-1', 'failed');
    expect(shop.task('web-1')?.status.exitCode).toBe(4);
    expect(shop.stateOf('web-2')).toBe('running');
  });

  it('given a dispatcher that hangs in every call, when it works again, then the agent has a session soon', async () => {
    const shop = new Workshop(withWeb());
    let hangs = true;
    const { port } = shop;
    const hang = () => new Promise<never>(() => {});
    const agent = shop.agent('node-1', {
      dispatcher: {
        openSession: (request, signal) => (hangs ? hang() : port.openSession(request, signal)),
        heartbeat: (node, session) => (hangs ? hang() : port.heartbeat(node, session)),
        reportStatus: (node, session, reports) =>
          hangs ? hang() : port.reportStatus(node, session, reports),
        confirmEndpoints: (node, session, index) =>
          hangs ? hang() : port.confirmEndpoints(node, session, index),
        leave: (node, session) => (hangs ? hang() : port.leave(node, session)),
        closeSession: (node, session) => (hangs ? hang() : port.closeSession(node, session)),
      },
    });
    await agent.start();
    await shop.clock.advance(60_000);
    hangs = false;
    await shop.until('web-1', 'running');
    hangs = true;
    await shop.clock.runUntil(() => agent.state === 'connecting');
    expect(shop.host.running()).toHaveLength(1);
    await shop.clock.run(agent.close());
    expect(agent.state).toBe('closed');
  });

  it('given a log that refuses, when statuses are reported, then they come again until they are taken', async () => {
    const shop = new Workshop(withWeb(0).withPending('web'));
    await shop.connect();
    shop.store.transact({ kind: 'user' }, () => ({
      events: [{ type: 'task.assigned', rows: [{ nodeId: asId<NodeId>('node-1'), tasks: [id('web-1')] }] }],
      result: undefined,
    }));
    await shop.clock.runUntil(() => shop.stateOf('web-1') === 'assigned');
    shop.store.held = true;
    await shop.clock.advance(100);
    shop.store.refuse();
    await shop.clock.advance(100);
    shop.store.refuse();
    expect(shop.stateOf('web-1')).toBe('assigned');
    shop.store.held = false;
    await shop.until('web-1', 'running');
  });

  it('given a storm of statuses while one report is on its way, when it is acknowledged, then one more has the newest', async () => {
    const shop = new Workshop(withWeb(50));
    const batches: (readonly StatusReport[])[] = [];
    const { port } = shop;
    shop.store.commitMs = 100;
    const agent = shop.agent('node-1', {
      dispatcher: {
        ...port,
        reportStatus: (node, session, reports) => {
          batches.push(reports);
          return port.reportStatus(node, session, reports);
        },
      },
    });
    await agent.start();
    await shop.clock.runUntil(() => shop.stateOf('web-50') === 'running');
    expect(batches.length).toBeLessThanOrEqual(3);
    expect(batches.at(-1)?.every(({ status }) => status.state === 'running')).toBe(true);
  });

  it('given a node that was removed, when its agent learns it, then its tasks are stopped and gone', async () => {
    const shop = new Workshop(withWeb(2));
    const agent = await shop.connect();
    await shop.until('web-2', 'running');
    await shop.clock.run(shop.store.write({ type: 'node.removed', id: asId<NodeId>('node-1') }));
    await shop.clock.runUntil(() => agent.state === 'removed');
    await shop.clock.settle();
    expect(shop.host.runtimes()).toEqual([]);
    await shop.clock.run(agent.close());
    expect(shop.clock.pendingTimers).toBeLessThanOrEqual(1);
  });

  it('given a removed node whose driver can not remove, when the agent is closed, then it closes all the same', async () => {
    const shop = new Workshop(withWeb(1), { images: { image: { hangStop: true, ignoreAbort: true } } });
    const agent = await shop.connect();
    await shop.until('web-1', 'running');
    await shop.clock.run(shop.store.write({ type: 'node.removed', id: asId<NodeId>('node-1') }));
    await shop.clock.runUntil(() => agent.state === 'removed');
    await shop.clock.advance(600_000);
    await shop.clock.run(agent.close());
    expect(agent.state).toBe('closed');
  });

  it('given a node that describes itself otherwise, when 20 s passed, then the managers know and tasks ran on', async () => {
    const shop = new Workshop(withWeb());
    const driver = new SimulatedDriver({ host: shop.host });
    await shop.connect('node-1', { driver });
    await shop.until('web-1', 'running');
    driver.setDescription({ resources: { cpus: 2, memoryBytes: 1024, generic: { gpu: 1 } } });
    await shop.clock.advance(21_000);
    expect(shop.store.committed.node(asId<NodeId>('node-1'))?.description.resources).toMatchObject({
      cpus: 2,
    });
    expect(shop.host.running().map(({ starts }) => starts)).toEqual([1]);
    expect(shop.nodeState()).toBe('ready');
  });
});

describe('an agent with a driver that breaks', () => {
  it.each([
    [undefined, 'the driver did not tell what it found of an earlier life: it must give a list'],
    [[{ id: 'web-1' }], 'the driver found a task that is none: each needs an id and whether it runs'],
    [[null], 'the driver found a task that is none: each needs an id and whether it runs'],
  ])(
    'given a driver that answers %o to open, when the agent starts, then it says so in words',
    async (answer, told) => {
      const shop = new Workshop(withWeb(0));
      const open = () => Promise.resolve(answer as never);
      const agent = shop.agent('node-1', {
        driver: Object.assign(new SimulatedDriver({ host: shop.host }), { open }),
      });
      await expect(agent.start()).rejects.toMatchObject({
        code: 'DRIVER',
        message: `driver simulated could not be opened: ${told}`,
      });
      await shop.clock.run(agent.close());
    },
  );

  it('given a driver that can not be opened, when the agent starts, then it says so and is closed', async () => {
    const shop = new Workshop(withWeb(0));
    const driver = new SimulatedDriver({ host: shop.host });
    for (const open of [
      () => Promise.reject(new Error('no such socket')),
      () => {
        throw new Error('no such socket');
      },
    ]) {
      const agent = shop.agent('node-1', { driver: Object.assign(driver, { open }) });
      await expect(agent.start()).rejects.toMatchObject({
        code: 'DRIVER',
        message: 'driver simulated could not be opened: no such socket',
      });
      expect(agent.state).toBe('closed');
      await shop.clock.run(agent.close());
    }
    const hanging = shop.agent('node-1', {
      driver: Object.assign(driver, { open: () => new Promise(() => {}) }),
    });
    await expect(shop.clock.run(hanging.start())).rejects.toThrow('did not end within 60000 ms');
  });

  it.each([
    ['nothing', () => Promise.resolve(undefined)],
    ['a part', () => Promise.resolve({ hostname: 'x' })],
    ['an error', () => Promise.reject(new Error('broken'))],
    [
      'a throw',
      () => {
        throw new Error('broken');
      },
    ],
    ['no answer', () => new Promise(() => {})],
  ])(
    'given describe gives %s at first, when it is right again, then the node connects',
    async (_what, describe) => {
      const shop = new Workshop(withWeb(1));
      const driver = new SimulatedDriver({ host: shop.host });
      const right = driver.describe.bind(driver);
      const agent = shop.agent('node-1', { driver: Object.assign(driver, { describe }) });
      await agent.start();
      await shop.clock.advance(30_000);
      expect(agent.state).toBe('connecting');
      Object.assign(driver, { describe: right });
      await shop.until('web-1', 'running');
      expect(shop.nodeState()).toBe('ready');
      expect(agent.node?.description.hostname).toBe('node-1');
      Object.assign(driver, { describe });
      await shop.clock.advance(60_000);
      expect(agent.state, 'what the managers know of it stays').toBe('connected');
    },
  );
});

describe('an agent that closes', () => {
  it('given running tasks, when it closes, then they are left running and the node is down 3.5 s later', async () => {
    const shop = new Workshop(withWeb(2));
    const agent = await shop.connect();
    await shop.until('web-2', 'running');
    await shop.clock.run(agent.close());
    expect(shop.host.running()).toHaveLength(2);
    await shop.clock.advance(3_499);
    expect(shop.nodeState()).toBe('ready');
    await shop.clock.advance(1);
    expect(shop.nodeState()).toBe('down');
    await expect(agent.close()).resolves.toBeUndefined();
  });

  it('given running tasks, when it closes and drains, then they are stopped with their grace and that is told', async () => {
    const shop = new Workshop(withWeb(2), { images: { image: { stopMs: 700 } } });
    const agent = await shop.connect();
    await shop.until('web-2', 'running');
    await shop.clock.run(agent.close({ drain: true }));
    expect(shop.host.running()).toEqual([]);
    expect([shop.stateOf('web-1'), shop.stateOf('web-2')]).toEqual(['shutdown', 'shutdown']);
  });

  it('given tasks that should run, one that should not and one that ended, when it drains, then the first alone tell its leaving', async () => {
    const shop = new Workshop(withWeb(3), { images: { image: { stopMs: 700 } } });
    const agent = await shop.connect();
    await shop.until('web-3', 'running');
    shop.host.kill(asId<TaskId>('web-3'), 3);
    shop.desire('web-2', 'shutdown');
    await shop.clock.settle();
    await shop.clock.run(agent.close({ drain: true }));
    const told = ['web-1', 'web-2', 'web-3'].map((id) => shop.task(id)?.status);
    expect(told).toMatchObject([
      { state: 'shutdown', cause: 'node-left' },
      { state: 'shutdown' },
      { state: 'failed' },
    ]);
    expect(told.map((status) => status?.cause)).toEqual(['node-left', undefined, undefined]);
  });

  it('given an agent that was never started, when it is closed, then nothing happens', async () => {
    const shop = new Workshop(withWeb(0));
    const agent = shop.agent();
    await shop.clock.run(agent.close());
    expect(agent.state).toBe('closed');
    await expect(agent.start()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('a worker that is restarted', () => {
  it('given running tasks, when another agent takes the node up, then it goes on with them', async () => {
    const shop = new Workshop(withWeb(2));
    const first = await shop.connect();
    await shop.until('web-2', 'running');
    await shop.clock.run(first.close());
    const changes = shop.store.transactions.length;
    await shop.connect();
    expect(shop.host.running().map(({ starts }) => starts)).toEqual([1, 1]);
    expect(shop.store.transactions.length, 'nothing was news').toBe(changes);
    shop.host.kill(id('web-1'), 9);
    await shop.until('web-1', 'failed');
    shop.desire('web-2', 'shutdown');
    await shop.until('web-2', 'shutdown');
  });

  it('given tasks that ended while nobody watched, when it comes back, then their exit is told', async () => {
    const shop = new Workshop(withWeb(2));
    const first = await shop.connect();
    await shop.until('web-2', 'running');
    await shop.clock.run(first.close());
    shop.host.kill(id('web-1'), 7);
    await shop.connect();
    await shop.until('web-1', 'failed');
    expect(shop.task('web-1')?.status).toMatchObject({ exitCode: 7 });
    expect(shop.stateOf('web-2')).toBe('running');
  });

  it('given a task in preparation, when it comes back, then it is prepared on and started once', async () => {
    const shop = new Workshop(withWeb(1), { images: { image: { prepareMs: 5_000 } } });
    const first = await shop.connect();
    await shop.until('web-1', 'preparing');
    await shop.clock.run(first.close());
    await shop.connect();
    await shop.until('web-1', 'running');
    expect(shop.host.runtime(id('web-1'))?.starts).toBe(1);
  });

  it('given a task that started but was never reported, when it comes back, then it is found running', async () => {
    const shop = new Workshop(withWeb(1));
    shop.store.held = true;
    const lost = shop.agent('node-1', {
      dispatcher: { ...shop.port, reportStatus: () => new Promise(() => {}) },
    });
    shop.store.release();
    await lost.start();
    await shop.clock.runUntil(() => shop.host.running().length === 1);
    expect(shop.stateOf('web-1')).toBe('assigned');
    await shop.clock.run(lost.close());
    await shop.connect();
    await shop.until('web-1', 'running');
    expect(shop.host.runtime(id('web-1'))?.starts).toBe(1);
  });

  it('given a task that left no trace, when it comes back, then the task has failed and is not started again', async () => {
    const shop = new Workshop(withWeb(1));
    const first = await shop.connect();
    await shop.until('web-1', 'running');
    await shop.clock.run(first.close());
    shop.host.remove(id('web-1'));
    await shop.connect();
    await shop.until('web-1', 'failed');
    expect(shop.task('web-1')?.status.error).toContain('runtime is gone');
    expect(shop.host.runtimes()).toEqual([]);
  });

  it('given tasks that are wanted no more, when it comes back, then they go, but only once managers have spoken', async () => {
    const shop = new Workshop(withWeb(2));
    const first = await shop.connect();
    await shop.until('web-2', 'running');
    await shop.clock.run(first.close());
    shop.dispatcher.close();
    shop.reap('web-1');
    const second = shop.agent();
    await second.start();
    await shop.clock.advance(30_000);
    expect(shop.host.running()).toHaveLength(2);
    shop.lead();
    await shop.clock.runUntil(() => shop.host.runtimes().length === 1);
    expect(shop.host.running().map((runtime) => runtime.id)).toEqual(['web-2']);
  });

  it('given many tasks that are wanted no more, when it comes back, then they go together, and nothing is taken for a leak', async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error) => warnings.push(name);
    process.on('warning', note);
    const shop = new Workshop(withWeb(20));
    const agent = await shop.connect();
    await shop.until('web-20', 'running');
    await agent.close();
    for (let slot = 1; slot <= 20; slot++) shop.reap(`web-${slot}`);
    await shop.connect();
    await shop.clock.settle();
    // Warnings are told in a turn of their own.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(shop.host.runtimes()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('given a task that ended in the state and yet runs, when it comes back, then it is stopped, not reported', async () => {
    const shop = new Workshop(withWeb(1));
    const first = await shop.connect();
    await shop.until('web-1', 'running');
    await shop.clock.run(first.close());
    await shop.clock.run(
      shop.store.write({
        type: 'task.status',
        rows: [{ id: id('web-1'), status: { state: 'orphaned', at: 1, message: 'node is gone' } }],
      }),
    );
    await shop.connect();
    await shop.clock.advance(1_000);
    expect(shop.host.running()).toEqual([]);
    expect(shop.stateOf('web-1')).toBe('orphaned');
  });
});
