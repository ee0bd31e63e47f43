import { describe, expect, it } from 'vitest';
import type { SimulatedDriver } from '../testing/index.ts';
import { createSimulatedMachine } from '../testing/simulated-machine.ts';
import { describeRuntimeDriver } from './conformance.ts';
import type { RuntimeDriver, RuntimeTask, TaskRuntime } from './runtime-driver.ts';

for (const limits of [true, false]) {
  describeRuntimeDriver(
    limits ? 'simulated, enforcing limits' : 'simulated, refusing limits',
    { createMachine: () => createSimulatedMachine({ limits }) },
    { describe, it, expect },
  );
}

/** Runs the suite on drivers changed like this; the titles of the tests that fail. */
async function failuresOf(change: (driver: SimulatedDriver) => RuntimeDriver): Promise<readonly string[]> {
  const tests: { readonly title: string; readonly body: () => Promise<void> }[] = [];
  describeRuntimeDriver(
    'changed',
    { createMachine: () => createSimulatedMachine({ limits: false, change }) },
    { describe: (_name, body) => body(), it: (title, body) => tests.push({ title, body }), expect },
  );
  const failed: string[] = [];
  for (const { title, body } of tests) await body().catch(() => failed.push(title));
  return failed;
}

/** A driver with some of its methods replaced. */
function replacing(driver: SimulatedDriver, changes: Partial<RuntimeDriver>): RuntimeDriver {
  const forward: RuntimeDriver = {
    name: driver.name,
    open: (context) => driver.open(context),
    describe: () => driver.describe(),
    check: (spec) => driver.check(spec),
    runtime: (task) => driver.runtime(task),
    discard: (id, options) => driver.discard(id, options),
    close: () => driver.close(),
  };
  return { ...forward, ...changes };
}

/** A driver whose tasks' handles are changed. */
const handles =
  (change: (runtime: TaskRuntime, task: RuntimeTask) => Partial<TaskRuntime>) => (driver: SimulatedDriver) =>
    replacing(driver, {
      runtime: (task) => {
        const runtime = driver.runtime(task);
        return { ...runtime, ...change(runtime, task) };
      },
    });

const { signal } = new AbortController();

/** Drivers that each break one promise. */
const faults: Readonly<Record<string, (driver: SimulatedDriver) => RuntimeDriver>> = {
  'stops without waiting for the end': handles((runtime) => ({
    stop: async (options) => void runtime.stop(options).catch(() => {}),
  })),
  'waits the whole grace out': handles((runtime, task) => ({
    stop: async ({ graceMs, signal }) => {
      await runtime.stop({ graceMs, signal });
      if (graceMs > 60_000 && task.spec.image === 'runs') await new Promise<never>(() => {});
    },
  })),
  'tells code 0 always': handles((runtime) => ({
    wait: async (options) => ({ ...(await runtime.wait(options)), exitCode: 0 }),
  })),
  'keeps the signal to itself': handles((runtime) => ({
    wait: async (options) => ({ exitCode: (await runtime.wait(options)).exitCode }),
  })),
  'waits on though its signal aborted': handles((runtime) => ({ wait: () => runtime.wait({ signal }) })),
  'starts though its signal aborted': handles((runtime) => ({ start: () => runtime.start({ signal }) })),
  'gives a new name at each start': handles((runtime) => {
    let count = 0;
    return { start: async (options) => ({ ...(await runtime.start(options)), id: `${count++}` }) };
  }),
  'removes nothing': handles(() => ({ remove: () => Promise.resolve() })),
  'can not remove twice': handles((runtime) => {
    let removed = false;
    return {
      remove: async (options) => {
        if (removed) throw new Error('already removed');
        removed = true;
        await runtime.remove(options);
      },
    };
  }),
  'loses one stream': handles((runtime) => ({
    logs: async function* (options) {
      for await (const chunk of runtime.logs(options)) if (chunk.stream === 'stdout') yield chunk;
    },
  })),
  'follows for ever': handles((runtime) => ({
    logs: async function* (options) {
      yield* runtime.logs(options);
      if (options.follow) await new Promise<never>(() => {});
    },
  })),
  'ignores tail': handles((runtime) => ({ logs: ({ tail: _, ...options }) => runtime.logs(options) })),
  'ignores since': handles((runtime) => ({ logs: ({ since: _, ...options }) => runtime.logs(options) })),
  'says nothing of why': handles((runtime) => ({
    prepare: (options) =>
      runtime.prepare(options).catch(() => {
        throw new Error('failed');
      }),
  })),
  'has no exec though it says so': (driver) =>
    replacing(driver, {
      runtime: (task) => {
        const { exec: _, ...runtime } = driver.runtime(task);
        return runtime;
      },
    }),
  'loses what goes into a command': handles((runtime) => ({
    execInteractive: async function* (command, options) {
      const input = (async function* () {})();
      yield* runtime.execInteractive?.(command, { ...options, input }) ?? [];
    },
  })),
  'never ends a command': handles((runtime) => ({
    execInteractive: async function* (command, { signal: _, ...options }) {
      yield* runtime.execInteractive?.(command, { ...options, signal }) ?? [];
    },
  })),
  'finds nothing after a restart': (driver) =>
    replacing(driver, { open: (context) => driver.open(context).then(() => []) }),
  'ends its tasks when closed': (driver) =>
    replacing(driver, {
      close: () => {
        for (const { id } of driver.runtimes()) driver.kill(id);
        return driver.close();
      },
    }),
  'discards what is not its own': (driver) =>
    replacing(driver, { discard: (id) => Promise.resolve(driver.host.remove(id)) }),
  'discards nothing': (driver) => replacing(driver, { discard: () => Promise.resolve() }),
  'lets limits through in silence': (driver) => replacing(driver, { check: () => [] }),
  'refuses plain specs': (driver) =>
    replacing(driver, { check: () => [{ field: 'image', rule: 'is not to my liking' }] }),
};

describe('the conformance suite of runtime drivers', () => {
  it('given a driver that keeps its promises, when the suite runs, then nothing fails', async () => {
    expect(await failuresOf((driver) => driver)).toEqual([]);
  });

  it.each(Object.keys(faults))(
    'given a driver that %s, when the suite runs, then a test fails',
    async (fault) => {
      const change = faults[fault] ?? ((driver: SimulatedDriver) => driver);
      expect(await failuresOf(change)).not.toEqual([]);
    },
  );
});
