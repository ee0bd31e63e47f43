import { readdir, readFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import type { TaskId } from '@skep/core';
import { asId } from '@skep/core/member';
import { SimulatedDriver, type SimulatedHostOptions, systemClock } from '@skep/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SkepNode } from '../node/skep-node.ts';
import { Cable } from '../test-support/cable.ts';
import { Machines, simulatedDriver, until } from '../test-support/machines.ts';
import { codeOf } from '../test-support/test-cluster.ts';
import { runCommand, type ToCommand } from './agent-forwarding.ts';
import { followAssignments } from './methods.ts';
import { RemoteDispatcher } from './remote-dispatcher.ts';

let machines: Machines;

beforeEach(() => {
  machines = new Machines();
});

afterEach(async () => {
  await machines[Symbol.asyncDispose]();
});

interface Worker {
  readonly node: SkepNode;
  readonly driver: SimulatedDriver;
}

/** Managers without drivers, and workers that have one each. */
async function aCluster(
  managerCount: number,
  workerCount: number,
  images: SimulatedHostOptions['images'] = {},
) {
  const first = await machines.init('one', { hostname: 'manager-1' });
  const managers = [first];
  for (let n = 2; n <= managerCount; n++)
    managers.push(await machines.join(`manager-${n}`, 'manager', first));
  const workers: Worker[] = [];
  for (let n = 1; n <= workerCount; n++) {
    const driver = simulatedDriver({ images });
    workers.push({ node: await machines.join(`worker-${n}`, 'worker', first, { driver }), driver });
  }
  return { first, managers, workers };
}

const web = (replicas: number) => ({ name: 'web', task: { image: 'web' }, replicas });

/** The ids of what runs on workers. */
const running = (workers: readonly Worker[]) =>
  workers.flatMap(({ driver }) => driver.host.running().map(({ id }) => id)).sort();

describe('given three managers and two workers on loopback', () => {
  it('when a manager that follows creates a service, then the workers run it, and every manager knows', async () => {
    const { managers, workers } = await aCluster(3, 2);
    const follower = managers[2] ?? expect.unreachable();
    await follower.cluster.services.create(web(6));
    const status = await follower.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    expect(status.running).toBe(6);
    expect(running(workers)).toHaveLength(6);
    for (const { driver } of workers) expect(driver.host.running()).toHaveLength(3);
  });

  it('when the leader is stopped, then sessions move to another one and no task is touched', async () => {
    const { first, managers, workers } = await aCluster(3, 2);
    await first.cluster.services.create(web(4));
    await first.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    const before = running(workers);
    const leader = managers.find(({ cluster }) => cluster.leading) ?? expect.unreachable();
    await leader.close();
    const [one] = managers.filter((each) => each !== leader);
    const { cluster } = one ?? expect.unreachable();
    await cluster.services.scale('web', 5);
    const status = await cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    expect(status.running).toBe(5);
    expect(running(workers)).toEqual(expect.arrayContaining(before));
    for (const { driver } of workers) {
      for (const { starts } of driver.runtimes()) expect(starts).toBe(1);
    }
  });
});

describe('given a worker whose way to the managers is cut', () => {
  it('when it is back soon, then its tasks ran on, and nothing was evicted', async () => {
    using cable = new Cable();
    const one = await machines.init('one', { advertise: await cable.open() });
    cable.leadTo(one.manager.listen);
    const driver = simulatedDriver();
    const worker = await machines.join('worker', 'worker', one, { driver });
    await one.cluster.services.create(web(2));
    await one.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    const states: string[] = [];
    const watching = one.cluster.watch({ kind: 'node' }).subscribe((event) => {
      if ('object' in event) states.push(event.object.status.state);
    });
    const before = worker.agent?.sessionId;
    cable.cut();
    await until(() => worker.agent?.sessionId === undefined);
    expect(driver.host.running()).toHaveLength(2);
    cable.heal();
    await until(() => worker.agent?.sessionId !== undefined);
    expect(worker.agent?.sessionId).not.toBe(before);
    const status = await one.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    watching.unsubscribe();
    expect(status.running).toBe(2);
    expect(states).not.toContain('down');
    expect(driver.runtimes().map(({ starts }) => starts)).toEqual([1, 1]);
  });
});

describe('given a worker with tasks, one of which takes its time to stop', () => {
  it('when it leaves, then they have stopped in order before it is gone, and run elsewhere', async () => {
    const { first, workers } = await aCluster(1, 2, { web: { stopMs: 100 } });
    await first.cluster.services.create(web(4));
    await first.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    const [leaving, staying] = workers;
    const { nodeId } = leaving?.node ?? expect.unreachable();
    const ends = new Map<string, string>();
    let atItsEnd: string[] = [];
    const watching = first.cluster.watch().subscribe((event) => {
      if (event.type === 'removed' && event.kind === 'node') atItsEnd = [...ends.values()];
      if (!('object' in event) || event.kind !== 'task' || event.object.nodeId !== nodeId) return;
      ends.set(event.object.id, event.object.status.state);
    });
    await leaving?.node.leave();
    await until(() => first.cluster.nodes.count === 2);
    const status = await first.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    watching.unsubscribe();
    expect(atItsEnd).toEqual(['shutdown', 'shutdown']);
    expect(status.running).toBe(4);
    expect(staying?.driver.host.running()).toHaveLength(4);
    expect(leaving?.driver.runtimes()).toEqual([]);
  });

  it('when it would leave and can not be heard, then it stays, and its tasks run on', async () => {
    using cable = new Cable();
    const one = await machines.init('one', { advertise: await cable.open() });
    cable.leadTo(one.manager.listen);
    const driver = simulatedDriver();
    const worker = await machines.join('worker', 'worker', one, { driver });
    await one.cluster.services.create(web(1));
    await one.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    cable.cut();
    expect(await codeOf(worker.leave())).toMatch(/^(UNREACHABLE|CONNECTION_LOST)$/);
    expect(driver.host.running()).toHaveLength(1);
    cable.heal();
    await until(() => worker.agent?.sessionId !== undefined);
    await worker.leave();
    expect(driver.runtimes()).toEqual([]);
  });
});

describe('given an agent that comes back and says what it knows', () => {
  it('when it has a session, then it is told what it lacks and what to let go of, and no more', async () => {
    const { first, workers } = await aCluster(1, 1);
    await first.cluster.services.create(web(2));
    await first.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    const { node } = workers[0] ?? expect.unreachable();
    const { agent, nodeId } = node;
    const calls = agent?.worker ?? expect.unreachable();
    await agent?.close();
    const [known, unknown] = first.cluster.tasks.list();
    const running = (id: string) => ({ id: asId<TaskId>(id), desiredState: 'running' as const });
    const session = await new RemoteDispatcher(node.link, systemClock).openSession(
      {
        ...{ nodeId, calls, address: '127.0.0.1' },
        description: first.cluster.nodes.inspect(nodeId).description,
        known: { tasks: [running(known?.id ?? ''), running('long-gone')], files: [] },
      },
      new AbortController().signal,
    );
    const { value } = await session.assignments[Symbol.asyncIterator]().next();
    expect(value).toMatchObject({
      kind: 'incremental',
      update: [{ task: { id: unknown?.id } }],
      remove: ['long-gone'],
      updateFiles: [],
      removeFiles: [],
    });
  });
});

/** Gives back what it is given, in capitals, and ends with 7. */
const loud: NonNullable<SimulatedHostOptions['images']>[string] = {
  output: [{ line: 'one' }, { line: 'two' }],
  async *execInteractive(_, { input }) {
    for await (const piece of input) {
      const text =
        piece.kind === 'data' ? new TextDecoder().decode(piece.data) : `${piece.columns}x${piece.rows}`;
      yield { kind: 'output', stream: 'stdout', data: new TextEncoder().encode(text.toUpperCase()) };
    }
    yield { kind: 'exit', exitCode: 7 };
  },
};

describe('given tasks on workers, asked about at any manager', () => {
  it("when a service's output is read, then that of all tasks comes, from the leader and from a follower", async () => {
    const { managers } = await aCluster(2, 2, { web: loud });
    await managers[0]?.cluster.services.create(web(4));
    for (const { cluster } of managers) {
      await cluster.services.waitFor('web', 'running', { timeout: 20_000 });
      const lines: string[] = [];
      const tasks = new Set<string>();
      for await (const { data, taskId } of cluster.services.logs('web')) {
        lines.push(new TextDecoder().decode(data).trim());
        tasks.add(taskId);
      }
      expect([lines.sort(), tasks.size]).toEqual([[...Array(4).fill('one'), ...Array(4).fill('two')], 4]);
      const [task] = cluster.tasks.list();
      expect((await cluster.tasks.stats(task?.id ?? '')).cpus).toBeGreaterThan(0);
    }
  });

  it('when a command is run beside a task, then input, size, output and exit code pass, and errors are told', async () => {
    const { managers } = await aCluster(2, 1, { web: loud });
    await managers[0]?.cluster.services.create(web(1));
    for (const { cluster } of managers) {
      await cluster.services.waitFor('web', 'running', { timeout: 20_000 });
      const [task] = cluster.tasks.list();
      const session = await cluster.tasks.exec(task?.id ?? '', ['shout'], { tty: true });
      const telling = session.text();
      await session.write('hello ');
      await session.resize(80, 24);
      await session.write(' you');
      session.endInput();
      expect(await telling).toEqual({ exitCode: 7, stdout: 'HELLO 80X24 YOU', stderr: '' });
      await expect(cluster.tasks.exec(task?.id ?? '', [])).rejects.toThrow('command');
    }
  });

  it('when a worker asks to run a command, then it is refused', async () => {
    const { first, workers } = await aCluster(1, 1, { web: loud });
    const { nodeId, link } = workers[0]?.node ?? expect.unreachable();
    await first.cluster.services.create(web(1));
    await first.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    const [task] = first.cluster.tasks.list();
    const begin = {
      kind: 'begin' as const,
      node: nodeId,
      ask: {
        kind: 'execInteractive' as const,
        task: task?.id ?? expect.unreachable(),
        command: ['id'],
        tty: false,
      },
    } satisfies ToCommand;
    const running = await link.duplex(
      runCommand,
      (async function* () {
        yield begin;
      })(),
    );
    expect(await codeOf(running[Symbol.asyncIterator]().next())).toBe('WRONG_ROLE');
  });
});

describe('given secrets', () => {
  it("when a node asks with another's session, then it gets nothing; and no disk or event has a value in clear", async () => {
    const { first, workers } = await aCluster(1, 2);
    const value = 'a value that nobody may see 4711';
    await first.cluster.secrets.create({ name: 'pw' }, new TextEncoder().encode(value));
    await first.cluster.services.create({
      name: 'web',
      replicas: 1,
      task: { image: 'web', secrets: [{ name: 'pw' }] },
    });
    await first.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    const has = workers.find(({ driver }) => driver.host.running().length > 0) ?? expect.unreachable();
    const hasNot = workers.find((each) => each !== has) ?? expect.unreachable();
    const [runtime] = has.driver.host.running();
    expect(new TextDecoder().decode(runtime?.task.files[0]?.data)).toBe(value);
    // Sessions are looked up by the caller's certificate: that of another node is none of the caller's.
    const session = has.node.agent?.sessionId ?? expect.unreachable();
    const stolen = await hasNot.node.link.serverStream(followAssignments, { session });
    expect(await codeOf(stolen[Symbol.asyncIterator]().next())).toBe('session-invalid');
    for (const name of ['one', 'worker-1', 'worker-2']) {
      const dir = await machines.dirOf(name);
      for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const content = await readFile(joinPath(entry.parentPath, entry.name));
        expect([entry.name, content.includes(value)]).toEqual([entry.name, false]);
      }
    }
  });
});

describe('given a manager with a driver', () => {
  it('when a service is created, then it runs there, and is stopped when the node closes so', async () => {
    const driver = simulatedDriver();
    const one = await machines.init('one', { driver });
    await one.cluster.services.create(web(2));
    await one.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    expect(driver.host.running()).toHaveLength(2);
    await one.close({ tasks: 'stop' });
    expect(driver.host.running()).toHaveLength(0);
  });

  it('when the node closes and starts again, then its tasks have run on meanwhile', async () => {
    const driver = simulatedDriver();
    const one = await machines.init('one', { driver });
    await one.cluster.services.create(web(2));
    await one.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    await one.close();
    expect(driver.host.running()).toHaveLength(2);
    const again = await machines.start('one', { driver: new SimulatedDriver({ host: driver.host }) });
    await until(() => again.agent?.state === 'connected');
    await again.cluster.services.waitFor('web', 'running', { timeout: 20_000 });
    for (const { starts } of driver.runtimes()) expect(starts).toBe(1);
  });
});
