import { describe, expect, it } from 'vitest';
import type { RuntimeDriver, RuntimeTask, TaskRuntime } from '../driver/runtime-driver.ts';
import { DriverError } from '../errors.ts';
import { Workshop } from '../manager/dispatcher/test-support/workshop.ts';
import { asId, type TaskId } from '../model/ids.ts';
import type { TaskSpecInput } from '../model/task-spec.ts';
import type { SimulatedBehaviour, SimulatedStep } from '../testing/simulated-behaviour.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { aCluster } from '../testing/state-builder.ts';

const id = (text: string) => asId<TaskId>(text);

/** A node with one task `bad-1` that behaves so, and beside it `good-1`, which must never notice. */
async function beside(
  behaviour: SimulatedBehaviour,
  task: TaskSpecInput = {},
  wrap: (runtime: TaskRuntime) => Partial<TaskRuntime> = () => ({}),
): Promise<Workshop> {
  const built = aCluster().withNode();
  built
    .withService({ name: 'bad', task: { image: 'bad', ...task }, ports: [{ target: 80 }], drainDelayMs: 0 })
    .withService({ name: 'good', task: { image: 'good' } })
    .withTasks('bad', 1, { nodes: ['node-1'], state: 'assigned' })
    .withTasks('good', 1, { nodes: ['node-1'], state: 'assigned' });
  const shop = new Workshop(built, { images: { bad: behaviour } });
  const driver = wrapped(new SimulatedDriver({ host: shop.host }), wrap);
  await shop.connect('node-1', { driver });
  await shop.until('good-1', 'running');
  return shop;
}

/** A driver whose runtimes of `bad` tasks are partly replaced. */
function wrapped(
  inner: SimulatedDriver,
  wrap: (runtime: TaskRuntime) => Partial<TaskRuntime>,
): RuntimeDriver {
  return {
    name: inner.name,
    open: (context) => inner.open(context),
    describe: () => inner.describe(),
    check: (spec) => inner.check(spec),
    discard: (task, options) => inner.discard(task, options),
    close: () => inner.close(),
    runtime: (task: RuntimeTask) => {
      const runtime = inner.runtime(task);
      return task.serviceName === 'bad' ? { ...runtime, ...wrap(runtime) } : runtime;
    },
  };
}

const lie = <T>(value: unknown) => Promise.resolve(value as T);

function expectGoodRuns(shop: Workshop): void {
  expect(shop.stateOf('good-1')).toBe('running');
  expect(shop.host.runtime(id('good-1'))).toMatchObject({ state: 'running', starts: 1 });
}

describe('Executor with a driver that fails', () => {
  it.each([
    [{ failPrepare: 'no such image' }, 'rejected', 'no such image', 'rejected'],
    [{ failStart: 'no such device' }, 'failed', 'no such device', 'could not be started'],
    [{ failWait: 'the engine is gone' }, 'failed', 'the engine is gone', 'started'],
  ] as const)(
    'given %o, when the task is run, then it is %s for that reason',
    async (behaviour, state, error, message) => {
      const shop = await beside(behaviour);
      await shop.until('bad-1', state);
      expect(shop.task('bad-1')?.status).toMatchObject({ state, error, message });
      expect(shop.host.running().map((runtime) => runtime.id)).toEqual(['good-1']);
      expectGoodRuns(shop);
    },
  );

  it('given temporary errors, when prepared, then it is tried again after 1 s, 2 s, 4 s, and says so meanwhile', async () => {
    const shop = await beside({ rejectTemporary: 3 });
    const startedAt = shop.clock.monotonic();
    expect(shop.task('bad-1')?.status).toMatchObject({
      state: 'preparing',
      message: 'prepare: trying again in 1 s',
      error: 'the registry does not answer',
    });
    await shop.until('bad-1', 'running');
    expect(shop.clock.monotonic() - startedAt).toBe(7_000);
    expect(shop.task('bad-1')?.status.error).toBeUndefined();
  });

  it('given temporary errors without end, when it should shut down, then it does at once', async () => {
    const shop = await beside({ rejectTemporary: 1_000 });
    await shop.clock.advance(100_000);
    expect(shop.stateOf('bad-1')).toBe('preparing');
    shop.desire('bad-1', 'shutdown');
    const asked = shop.clock.monotonic();
    await shop.until('bad-1', 'shutdown');
    expect(shop.clock.monotonic() - asked).toBeLessThan(1_000);
  });

  it('given a spec that the driver can not do, when assigned, then it is rejected before anything is made', async () => {
    const built = aCluster()
      .withNode()
      .withService({ name: 'web', task: { image: 'nope' } });
    built.withTasks('web', 1, { nodes: ['node-1'], state: 'assigned' });
    const shop = new Workshop(built, { images: { known: {} }, unknownImages: 'reject' });
    await shop.connect();
    await shop.until('web-1', 'rejected');
    expect(shop.task('web-1')?.status.error).toBe("image: unknown image 'nope'; known: known");
    expect(shop.host.runtimes()).toEqual([]);
  });
});

describe('Executor with a driver that breaks', () => {
  it.each([
    ['runtime', 'rejected'],
    ['prepare', 'rejected'],
    ['start', 'failed'],
    ['wait', 'failed'],
  ] as const)(
    'given it throws in %s before it returns, when the task is run, then it is %s',
    async (step, state) => {
      const shop = await beside({ throwSync: step satisfies SimulatedStep });
      await shop.until('bad-1', state);
      expect(shop.task('bad-1')?.status.error).toBe(`simulated driver broke in ${step}`);
      expectGoodRuns(shop);
    },
  );

  it('given it throws in check and in runtime, when the task is reaped, then it is discarded and nothing stays', async () => {
    const shop = await beside({ throwSync: 'runtime' });
    await shop.until('bad-1', 'rejected');
    shop.desire('bad-1', 'remove');
    shop.reap('bad-1');
    await shop.clock.advance(60_000);
    expect(shop.host.runtimes().map((runtime) => runtime.id)).toEqual(['good-1']);
    expectGoodRuns(shop);
  });

  it.each([true, false])(
    'given it hangs in prepare (deaf: %s), when 15 min passed, then it is rejected',
    async (deaf) => {
      const shop = await beside({ hangPrepare: true, ignoreAbort: deaf });
      await shop.clock.advance(899_000);
      expect(shop.stateOf('bad-1')).toBe('preparing');
      await shop.clock.advance(2_000);
      expect(shop.task('bad-1')?.status).toMatchObject({
        state: 'rejected',
        error: 'prepare did not end within 900000 ms',
      });
      expectGoodRuns(shop);
    },
  );

  it.each([true, false])(
    'given it hangs in start (deaf: %s), when 2 min passed, then it has failed',
    async (deaf) => {
      const shop = await beside({ hangStart: true, ignoreAbort: deaf });
      await shop.clock.advance(121_000);
      expect(shop.task('bad-1')?.status).toMatchObject({
        state: 'failed',
        error: 'start did not end within 120000 ms',
      });
      expectGoodRuns(shop);
    },
  );

  it('given a start that comes long after the stop, when it does, then the task is stopped again', async () => {
    let startNow = () => {};
    const shop = await beside({}, {}, (runtime) => ({
      start: (options) =>
        new Promise((resolve, reject) => {
          startNow = () =>
            runtime.start({ ...options, signal: new AbortController().signal }).then(resolve, reject);
        }),
      stop: (options) =>
        shop?.host.runtime(id('bad-1'))?.state === 'running' ? runtime.stop(options) : lie(undefined),
    }));
    await shop.clock.advance(121_000);
    expect(shop.stateOf('bad-1')).toBe('failed');
    startNow();
    await shop.clock.advance(1_000);
    expect(shop.host.runtime(id('bad-1'))).toMatchObject({ starts: 1, state: 'ended' });
  });

  it.each([true, false])(
    'given it hangs in stop (deaf: %s), when asked to shut down, then it is escalated and told',
    async (deaf) => {
      const shop = await beside({ hangStop: true, ignoreAbort: deaf });
      await shop.until('bad-1', 'running');
      shop.desire('bad-1', 'shutdown');
      await shop.clock.advance(20_500);
      expect(shop.task('bad-1')?.status).toMatchObject({
        state: 'running',
        message: 'stopping: attempt 1 of 3 failed',
        error: 'stop did not end within 20000 ms',
      });
      await shop.until('bad-1', 'failed');
      expect(shop.task('bad-1')?.status).toMatchObject({
        message: 'shutdown',
        error: 'task: could not be stopped and may still run: stop did not end within 10000 ms',
      });
      expectGoodRuns(shop);
    },
  );

  it('given a stop that hangs for an hour, when the task was reported as failed, then it is stopped in the end', async () => {
    let hangs = true;
    const shop = await beside({}, {}, (runtime) => ({
      stop: (options) => (hangs ? new Promise(() => {}) : runtime.stop(options)),
    }));
    await shop.until('bad-1', 'running');
    shop.desire('bad-1', 'shutdown');
    await shop.until('bad-1', 'failed');
    await shop.clock.advance(3_600_000);
    expect(shop.host.runtime(id('bad-1'))?.state).toBe('running');
    hangs = false;
    await shop.clock.advance(60_000);
    expect(shop.host.runtime(id('bad-1'))?.state).toBe('ended');
  });

  it('given a stop that hangs though the task has ended, when the attempt is over, then it is shut down all the same', async () => {
    const shop = await beside({ hangStop: true });
    await shop.until('bad-1', 'running');
    shop.desire('bad-1', 'shutdown');
    await shop.clock.advance(1_000);
    shop.host.kill(id('bad-1'));
    await shop.clock.advance(20_000);
    expect(shop.task('bad-1')?.status).toMatchObject({ state: 'shutdown', exitCode: 137 });
  });
});

describe('Executor with a driver that lies', () => {
  it.each([
    ['check', undefined, "the driver did not tell what of the spec it can't do: it must give a list"],
    ['check', [{ rule: 'x' }], 'the driver told an issue that is none: each needs a field and a rule'],
    ['check', [undefined], 'the driver told an issue that is none: each needs a field and a rule'],
    ['runtime', undefined, 'the driver gave no handle of the task'],
    [
      'runtime',
      { prepare: () => {}, start: () => {}, logs: () => {}, exec: 'no' },
      "the driver's handle of the task has no function wait, stop, remove, exec",
    ],
  ])(
    'given %s answers %o, when the task is run, then it is rejected in words',
    async (step, answer, error) => {
      const built = aCluster()
        .withNode()
        .withService({ name: 'web', task: { image: 'web' } });
      built.withTasks('web', 1, { nodes: ['node-1'], state: 'assigned' });
      const shop = new Workshop(built);
      const driver = new SimulatedDriver({ host: shop.host });
      await shop.connect('node-1', { driver: Object.assign(driver, { [step]: () => answer }) });
      await shop.until('web-1', 'rejected');
      expect(shop.task('web-1')?.status.error).toBe(error);
    },
  );

  it.each([
    ['nothing', undefined, 'the driver did not tell what it started: it must give an id and ports'],
    ['no ports', { id: 'x' }, 'the driver did not tell what it started: it must give an id and ports'],
    ['too few ports', { id: 'x', ports: [] }, 'the driver opened no port for 80/tcp'],
    [
      'a port that is none',
      { id: 'x', ports: [{ target: 80, protocol: 'tcp', port: 0 }] },
      'the driver told a port that is none',
    ],
  ])(
    'given start resolves with %s, when run, then the task is stopped and has failed',
    async (_what, answer, error) => {
      const shop = await beside({}, {}, (runtime) => ({
        start: async (options) => {
          await runtime.start(options);
          return await lie(answer);
        },
      }));
      await shop.until('bad-1', 'failed');
      expect(shop.task('bad-1')?.status.error).toBe(error);
      expect(shop.host.runtime(id('bad-1'))?.state).toBe('ended');
      expectGoodRuns(shop);
    },
  );

  it.each([
    [undefined, 'the driver did not tell how the task ended'],
    [{ exitCode: 300 }, 'the driver told an exit code out of range: 300'],
    [{ exitCode: -1 }, 'the driver told an exit code out of range: -1'],
    [{ exitCode: 0.5 }, 'the driver told an exit code out of range: 0.5'],
    [{}, 'the driver told an exit code out of range: undefined'],
  ])(
    'given wait resolves with %o, when run, then the task is stopped and has failed',
    async (answer, error) => {
      const shop = await beside({}, {}, () => ({ wait: () => lie(answer) }));
      await shop.until('bad-1', 'failed');
      expect(shop.task('bad-1')?.status.error).toBe(error);
      expect(shop.host.runtime(id('bad-1'))?.state).toBe('ended');
      expectGoodRuns(shop);
    },
  );

  it.each([
    ['a text', 'broken', 'broken'],
    ['nothing', undefined, 'undefined'],
    [
      'an object',
      {
        toString: () => {
          throw new Error('worse');
        },
      },
      'an error that can not be told',
    ],
    ['a novel', new Error('x'.repeat(100_000)), `${'x'.repeat(999)}…`],
    ['no words', new DriverError(''), 'an error without a message'],
  ])(
    'given prepare rejects with %s, when run, then the task is rejected with what can be told',
    async (_what, error, told) => {
      const shop = await beside({}, {}, () => ({ prepare: () => Promise.reject(error) }));
      await shop.until('bad-1', 'rejected');
      expect(shop.task('bad-1')?.status.error).toBe(told);
      expectGoodRuns(shop);
    },
  );
});

describe('Executor and health', () => {
  const exec = { kind: 'exec' as const, command: ['check'] };

  it('given an exec probe, when it succeeds after a while, then the task is starting until then', async () => {
    const shop = await beside({ healthy: (age) => age >= 2_000 }, { health: { test: exec } });
    await shop.clock.advance(1_900);
    expect(shop.stateOf('bad-1')).toBe('starting');
    await shop.clock.advance(200);
    expect(shop.stateOf('bad-1')).toBe('running');
  });

  it('given a running task, when its probe fails three times in a row, then it is stopped and has failed', async () => {
    const shop = await beside({}, { health: { test: exec, intervalMs: 1_000 } });
    await shop.until('bad-1', 'running');
    shop.host.setHealthy(id('bad-1'), false);
    await shop.clock.advance(2_500);
    shop.host.setHealthy(id('bad-1'), true);
    await shop.clock.advance(1_000);
    shop.host.setHealthy(id('bad-1'), false);
    await shop.clock.advance(2_000);
    expect(shop.stateOf('bad-1')).toBe('running');
    await shop.clock.advance(1_000);
    expect(shop.task('bad-1')?.status).toMatchObject({
      state: 'failed',
      error: 'task: unhealthy after 3 failed probes: exit code 1',
    });
    expect(shop.host.runtime(id('bad-1'))).toMatchObject({ state: 'ended', stopSignals: 1 });
    expectGoodRuns(shop);
  });

  it('given a task that is never healthy, when start period and three intervals are over, then it has failed', async () => {
    const health = { test: exec, startPeriodMs: 10_000, intervalMs: 2_000, timeoutMs: 1_000 };
    const shop = await beside({ healthy: false }, { health });
    const start = shop.clock.monotonic();
    await shop.until('bad-1', 'failed');
    expect(shop.clock.monotonic() - start).toBeGreaterThanOrEqual(16_000);
    expect(shop.clock.monotonic() - start).toBeLessThan(17_000);
    expect(shop.history.get('bad-1')).not.toContain('running');
  });

  it('given a probe that hangs and is deaf, when its time is over each time, then that counts as failures', async () => {
    const health = { test: exec, timeoutMs: 500, intervalMs: 500, retries: 2 };
    const shop = await beside({ hangExec: true, ignoreAbort: true }, { health });
    await shop.until('bad-1', 'failed');
    expect(shop.task('bad-1')?.status.error).toContain('probe did not end within 500 ms');
  });

  it('given a task that ends while it is probed, when it does, then its exit counts', async () => {
    const shop = await beside({ healthy: false, runMs: 1_000, exitCode: 5 }, { health: { test: exec } });
    await shop.until('bad-1', 'failed');
    expect(shop.task('bad-1')?.status).toMatchObject({ exitCode: 5, error: 'task: non-zero exit (5)' });
    await shop.clock.advance(100_000);
    expect(shop.stateOf('bad-1')).toBe('failed');
  });

  it('given HTTP and TCP probes, when the task runs, then the port that the node opened is asked', async () => {
    const asked: string[] = [];
    const built = aCluster().withNode();
    built
      .withService({
        name: 'http',
        ports: [{ target: 80 }],
        task: { health: { test: { kind: 'http', port: 80, path: '/ok' }, startIntervalMs: 100 } },
      })
      .withService({
        name: 'tcp',
        ports: [{ target: 81 }],
        task: { health: { test: { kind: 'tcp', port: 81 } } },
      })
      .withService({ name: 'closed', ports: [], task: { health: { test: { kind: 'tcp', port: 82 } } } });
    for (const name of ['http', 'tcp', 'closed'])
      built.withTasks(name, 1, { nodes: ['node-1'], state: 'assigned' });
    const shop = new Workshop(built, { firstPort: 41_000 });
    await shop.connect('node-1', {
      address: '::1',
      probeFetch: (url) => {
        asked.push(url);
        return Promise.resolve({ status: asked.length > 2 ? 204 : 503, body: null });
      },
      probeNetwork: {
        connect: (address, port) => {
          asked.push(`${address} ${port}`);
          return Promise.resolve();
        },
      },
    });
    await shop.until('http-1', 'running');
    await shop.until('tcp-1', 'running');
    expect(new Set(asked)).toEqual(new Set(['http://[::1]:41000/ok', '::1 41001']));
    expect(shop.task('closed-1')?.status).toMatchObject({
      state: 'rejected',
      error: 'health.test.port: 82/tcp is no port of the service, so nobody opens it',
    });
  });

  it('given a node without a network for probes, when a TCP probe is asked for, then the task is rejected', async () => {
    const shop = await beside({}, { health: { test: { kind: 'tcp', port: 80 } } });
    await shop.until('bad-1', 'rejected');
    expect(shop.task('bad-1')?.status.error).toBe('health.test: this node has no network for TCP probes');
  });
});

describe('Executor and the end of tasks', () => {
  it('given a task that ignores the stop signal, when it should shut down, then it is killed after its grace', async () => {
    const shop = await beside({ ignoreStop: true }, { stopGraceMs: 3_000 });
    await shop.until('bad-1', 'running');
    shop.desire('bad-1', 'shutdown');
    await shop.clock.advance(2_900);
    expect(shop.stateOf('bad-1')).toBe('running');
    await shop.clock.advance(200);
    expect(shop.task('bad-1')?.status).toMatchObject({ state: 'shutdown', exitCode: 137 });
  });

  it('given a task in preparation, when it should shut down, then it never starts', async () => {
    const shop = await beside({ prepareMs: 10_000 });
    shop.desire('bad-1', 'shutdown');
    await shop.until('bad-1', 'shutdown');
    await shop.clock.advance(60_000);
    expect(shop.host.runtime(id('bad-1'))?.starts ?? 0).toBe(0);
  });

  it('given a running task that is removed from the state, when the node learns it, then it is stopped and removed', async () => {
    const shop = await beside({ stopMs: 500 });
    await shop.until('bad-1', 'running');
    shop.reap('bad-1');
    await shop.clock.advance(400);
    expect(shop.host.runtime(id('bad-1'))?.stopSignals).toBe(1);
    await shop.clock.advance(200);
    expect(shop.host.runtimes().map((runtime) => runtime.id)).toEqual(['good-1']);
  });

  it('given removing fails for a while, when it works again, then nothing is left', async () => {
    let attempts = 0;
    const shop = await beside({ runMs: 10 }, {}, (runtime) => ({
      remove: (options) => (++attempts < 4 ? Promise.reject(new Error('busy')) : runtime.remove(options)),
    }));
    await shop.until('bad-1', 'complete');
    shop.reap('bad-1');
    await shop.clock.advance(6_900);
    expect(shop.host.runtimes()).toHaveLength(2);
    await shop.clock.advance(200);
    expect(shop.host.runtimes()).toHaveLength(1);
  });
});
