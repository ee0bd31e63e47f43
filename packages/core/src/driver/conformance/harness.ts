/**
 * What the conformance suite asks of whoever runs it: a test library's three functions, and a machine on which
 * drivers can be made, die, and be made again. Nothing here knows any driver.
 */

import { newId } from '../../model/ids.ts';
import type { AllocatedPort } from '../../model/objects.ts';
import { type TaskSpecInput, taskSpecSchema } from '../../model/task-spec.ts';
import { systemRandom } from '../../runtime/system-random.ts';
import type {
  DriverContext,
  LogChunk,
  RecoveredTask,
  RuntimeDriver,
  RuntimeTask,
} from '../runtime-driver.ts';

/** The functions of a test library that the suite uses. Those of vitest and jest fit as they are. */
export interface DriverTestApi {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>, timeoutMs?: number): unknown;
  expect(actual: unknown): { toBe(expected: unknown): unknown; toEqual(expected: unknown): unknown };
}

/** A task that the suite wants made. */
export type TaskKind =
  /** Runs on until it is asked to end, then ends at once. */
  | { readonly kind: 'runs' }
  /** Prints a line once the stop signal means nothing to it, and runs on: only a kill ends it. */
  | { readonly kind: 'ignores-stop' }
  /** Ends by itself soon after it was started. */
  | { readonly kind: 'exits'; readonly code: number }
  /** Prints these lines, each with a line end, then runs on until {@link DriverMachine.tell}. */
  | {
      readonly kind: 'exits-when-told';
      readonly code: number;
      readonly stdout?: readonly string[];
      readonly stderr?: readonly string[];
    }
  /** Names an image that the driver can't get. Absent from the specs of a driver that knows no images. */
  | { readonly kind: 'unknown-image' }
  /** Names a program that does not exist or can't be run. */
  | { readonly kind: 'bad-command' };

/** One machine, fresh for each test, and all that the suite does to it past the driver. */
export interface DriverMachine {
  /** Where each driver is opened. The suite changes ids in it to make strangers. */
  readonly context: DriverContext;
  /** A new driver on this machine, not yet opened. Called again after a death or beside a living driver. */
  createDriver(): RuntimeDriver;
  /** Lets a driver go as the death of its process would: without a word to it, its handles never used again. */
  abandon(driver: RuntimeDriver): Promise<void>;
  /** The spec of such a task here. */
  spec(kind: TaskKind): TaskSpecInput;
  /** Makes a running `exits-when-told` end by itself, not through a driver. Resolves when it has ended. */
  tell(task: RuntimeTask): Promise<void>;
  /** Kills a running task with SIGKILL, not through a driver. Resolves when it has ended. */
  kill(task: RuntimeTask): Promise<void>;
  /** How many runtimes of this task are alive on the machine, counted without the driver. */
  alive(task: RuntimeTask): Promise<number>;
  /** Whatever is left on the machine of any task, in words. Empty on a fresh machine. */
  leftovers(): Promise<readonly string[]>;
  /** Waits for a promise; a machine under virtual time lets time pass meanwhile. Default: awaits it. */
  run?<T>(work: Promise<T>): Promise<T>;
  /** A port that is free for a task to be published on. Absent where the suite should not try. */
  freePort?(): Promise<number>;
  /** Ends and removes everything, drivers included. */
  dispose(): Promise<void>;
}

/** What the suite is given of the driver to check. */
export interface DriverHarness {
  createMachine(): Promise<DriverMachine>;
  /**
   * What the driver does with a limit that its description calls unsupported: `check` refuses it, or it is let
   * through with a warning in the log. Default `refuse`.
   */
  readonly unsupportedLimits?: 'refuse' | 'warn';
  /** Time for one test, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
}

/** One test's machine with the first driver open on it, and the words that the tests are written in. */
export interface Scene {
  readonly machine: DriverMachine;
  readonly driver: RuntimeDriver;
  /** Signal that never aborts. */
  readonly signal: AbortSignal;
  /** Waits for a promise, by the machine's time. */
  run<T>(work: Promise<T>): Promise<T>;
  /** Waits for a promise to reject and gives the reason. */
  rejection(work: Promise<unknown>): Promise<unknown>;
  /** A task with a new id. */
  task(
    kind: TaskKind,
    change?: { readonly ports?: readonly AllocatedPort[]; readonly spec?: TaskSpecInput },
  ): RuntimeTask;
  /** Prepares and starts a task. */
  started(task: RuntimeTask, driver?: RuntimeDriver): Promise<string>;
  /** One more driver, opened. */
  open(
    context?: Partial<DriverContext>,
  ): Promise<{ driver: RuntimeDriver; recovered: readonly RecoveredTask[] }>;
  /** The holder of the first driver dies; another one opens. */
  reopen(driver?: RuntimeDriver): Promise<{ driver: RuntimeDriver; recovered: readonly RecoveredTask[] }>;
}

/** Registers one test: a machine is made for it, and must be bare when it ends. */
export type SceneTest = (title: string, body: (scene: Scene) => Promise<void>) => void;

/** Makes the function that registers tests on fresh machines. */
export function sceneTest(harness: DriverHarness, { it, expect }: DriverTestApi): SceneTest {
  return (title, body) => {
    it(
      title,
      async () => {
        const machine = await harness.createMachine();
        try {
          await body(await createScene(machine));
        } finally {
          await machine.dispose();
        }
        expect(await machine.leftovers()).toEqual([]);
      },
      harness.timeoutMs ?? 30_000,
    );
  };
}

async function createScene(machine: DriverMachine): Promise<Scene> {
  const { signal } = new AbortController();
  const run = <T>(work: Promise<T>) => (machine.run ? machine.run(work) : work);
  const open = async (context: Partial<DriverContext> = {}) => {
    const driver = machine.createDriver();
    const recovered = await run(driver.open({ ...machine.context, ...context }));
    return { driver, recovered };
  };
  const first = (await open()).driver;
  let count = 0;
  return {
    machine,
    driver: first,
    signal,
    run,
    open,
    rejection: (work) =>
      run(
        work.then(
          (value) => {
            throw new Error(`should have been rejected, but gave ${JSON.stringify(value)}`);
          },
          (error: unknown) => error,
        ),
      ),
    task: (kind, change = {}) => {
      const id = newId<RuntimeTask['id']>(systemRandom);
      count++;
      return {
        id,
        serviceId: newId<RuntimeTask['serviceId']>(systemRandom),
        serviceName: 'conformance',
        name: `conformance.${count}.${id}`,
        slot: count,
        spec: taskSpecSchema.parse({ ...machine.spec(kind), ...change.spec }),
        ports: change.ports ?? [],
        assignedGeneric: {},
        files: [],
      };
    },
    started: async (task, driver = first) => {
      const runtime = driver.runtime(task);
      await run(runtime.prepare({ signal }));
      return (await run(runtime.start({ signal }))).id;
    },
    reopen: async (driver = first) => {
      await machine.abandon(driver);
      return open();
    },
  };
}

const decoder = new TextDecoder();

/** Starts a task that ignores the stop signal, and waits until it does. */
export async function startStubborn(scene: Scene): Promise<RuntimeTask> {
  const task = scene.task({ kind: 'ignores-stop' });
  await scene.started(task);
  await scene.run(
    readOutput(scene.driver.runtime(task).logs({ follow: true }), (text) => text.endsWith('\n')),
  );
  return task;
}

/** What a stream of chunks says, by stream. */
export async function readOutput(
  chunks: AsyncIterable<LogChunk>,
  enough: (text: string) => boolean = () => false,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const text = { stdout: '', stderr: '' };
  for await (const chunk of chunks) {
    text[chunk.stream] += decoder.decode(chunk.data);
    if (enough(text.stdout + text.stderr)) break;
  }
  return text;
}
