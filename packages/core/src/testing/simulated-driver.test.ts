import { describe, expect, it } from 'vitest';
import type { RuntimeTask } from '../driver/runtime-driver.ts';
import { type ClusterId, type NodeId, newId } from '../model/ids.ts';
import { taskSpecSchema } from '../model/task-spec.ts';
import { silentLogger } from '../runtime/logger.ts';
import { seededRandom } from '../runtime/random.ts';
import { type SimulatedBehaviour, SimulatedClock, SimulatedDriver, SimulatedHost } from './index.ts';

const { signal } = new AbortController();

async function scene(behaviour: SimulatedBehaviour, seed = 1) {
  const clock = new SimulatedClock();
  const host = new SimulatedHost({ clock, random: seededRandom(seed), images: { web: behaviour } });
  const random = seededRandom(2);
  const context = {
    clusterId: newId<ClusterId>(random),
    nodeId: newId<NodeId>(random),
    hostname: 'a',
    clock,
    logger: silentLogger,
  };
  const driver = new SimulatedDriver({ host });
  await driver.open(context);
  const task: RuntimeTask = {
    id: newId<RuntimeTask['id']>(random),
    serviceId: newId<RuntimeTask['serviceId']>(random),
    serviceName: 'web',
    name: 'web.1',
    slot: 1,
    spec: taskSpecSchema.parse({ image: 'web' }),
    ports: [],
    assignedGeneric: {},
    files: [],
  };
  const runtime = driver.runtime(task);
  const begin = async () => {
    await clock.run(runtime.prepare({ signal }));
    return clock.run(runtime.start({ signal }));
  };
  return { clock, host, driver, context, task, runtime, begin };
}

describe('SimulatedDriver', () => {
  it('given durations, when a task runs through its life, then each step takes its virtual time', async () => {
    const { clock, runtime, begin } = await scene({ prepareMs: 100, startMs: 20, runMs: 5_000, exitCode: 3 });
    await clock.run(runtime.prepare({ signal }));
    expect(clock.monotonic()).toBe(100);
    await begin();
    expect(clock.monotonic()).toBe(120);
    expect(await clock.run(runtime.wait({ signal }))).toEqual({ exitCode: 3 });
    expect(clock.monotonic()).toBe(5_120);
  });

  it('given bounds instead of a duration, when run with the same seed, then it takes the same time', async () => {
    const took = async (seed: number) => {
      const { clock, runtime } = await scene({ prepareMs: [10, 1_000] }, seed);
      await clock.run(runtime.prepare({ signal }));
      return clock.monotonic();
    };
    const [first, again, other] = [await took(5), await took(5), await took(6)];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(first).toBeGreaterThanOrEqual(10);
  });

  it('given temporary rejections, when prepared again and again, then it succeeds after that many', async () => {
    const { runtime } = await scene({ rejectTemporary: 2 });
    for (const _ of [1, 2])
      await expect(runtime.prepare({ signal })).rejects.toMatchObject({ temporary: true });
    await runtime.prepare({ signal });
  });

  it('given failures in the script, when asked, then the reasons are told as final driver errors', async () => {
    const preparing = await scene({ failPrepare: 'no such image' });
    await expect(preparing.runtime.prepare({ signal })).rejects.toMatchObject({
      code: 'DRIVER',
      temporary: false,
      message: 'no such image',
    });
    const starting = await scene({ failStart: 'no such program' });
    await expect(starting.begin()).rejects.toThrow('no such program');
    expect(starting.host.running()).toEqual([]);
  });

  it('given steps that hang, when their signal aborts, then they reject, unless they are deaf', async () => {
    const abortable = await scene({ hangPrepare: true });
    const giveUp = new AbortController();
    const preparing = abortable.runtime.prepare({ signal: giveUp.signal });
    giveUp.abort(new Error('too slow'));
    await expect(preparing).rejects.toThrow('too slow');
    const deaf = await scene({ hangStop: true, ignoreAbort: true });
    await deaf.begin();
    const unheard = new AbortController();
    const stopping = deaf.runtime.stop({ graceMs: 0, signal: unheard.signal });
    unheard.abort();
    await expect(deaf.clock.run(stopping)).rejects.toThrow('nothing more can happen');
  });

  it('given steps that throw, when asked, then they throw before there is a promise', async () => {
    const { runtime } = await scene({ throwSync: ['prepare', 'stop'] });
    expect(() => runtime.prepare({ signal })).toThrow('simulated driver broke in prepare');
    expect(() => runtime.stop({ graceMs: 0, signal })).toThrow('simulated driver broke in stop');
    const broken = await scene({});
    broken.host.setBehaviour('web', { throwSync: 'runtime' });
    expect(() => broken.driver.runtime(broken.task)).toThrow('broke in runtime');
  });

  it('given a task that ignores the stop signal, when stopped, then it dies when its grace is over', async () => {
    const { clock, runtime, begin, host, task } = await scene({ ignoreStop: true });
    await begin();
    await clock.run(runtime.stop({ graceMs: 10_000, signal }));
    expect(clock.monotonic()).toBe(10_000);
    expect(host.runtime(task.id)).toMatchObject({ state: 'ended', stopSignals: 1, exit: { exitCode: 137 } });
  });

  it('given a health script, when probed by exec, then its answer follows age, and the test’s word before that', async () => {
    const { clock, runtime, begin, host, task } = await scene({ healthy: (ageMs) => ageMs >= 1_000 });
    await begin();
    const probe = () => runtime.exec?.(['true'], { signal });
    expect((await probe())?.exitCode).toBe(1);
    await clock.advance(1_000);
    expect((await probe())?.exitCode).toBe(0);
    host.setHealthy(task.id, false);
    expect((await probe())?.exitCode).toBe(1);
  });

  it('given a host that loses its power, when a new driver opens on it, then all is found, ended', async () => {
    const { begin, host, context, task } = await scene({});
    await begin();
    host.reboot();
    const next = new SimulatedDriver({ host });
    expect(await next.open(context)).toEqual([{ id: task.id, running: false }]);
    expect(await next.runtime(task).wait({ signal })).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
  });

  it('given a changed description, when described, then it is told', async () => {
    const { driver } = await scene({});
    driver.setDescription({ resources: { cpus: 1, memoryBytes: 2, generic: { gpu: ['a'] } } });
    expect(await driver.describe()).toMatchObject({ hostname: 'a', resources: { cpus: 1, memoryBytes: 2 } });
  });

  it('given published ports in host mode, when two tasks want the same, then the second is refused', async () => {
    const { driver, task } = await scene({});
    const ports = [{ target: 80, protocol: 'tcp', mode: 'host', published: 8_080 }] as const;
    await driver.runtime({ ...task, ports }).prepare({ signal });
    const second = { ...task, id: newId<RuntimeTask['id']>(seededRandom(9)), ports };
    await expect(driver.runtime(second).prepare({ signal })).rejects.toThrow('port 8080/tcp is in use');
  });
});
