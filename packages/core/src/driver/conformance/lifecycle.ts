/** The promises about one task from preparation to removal, each step asked for once or again. */

import type { DriverTestApi, SceneTest } from './harness.ts';

/** Registers the tests of prepare, start, wait and remove. */
export function describeLifecycle({ describe, expect }: DriverTestApi, test: SceneTest): void {
  describe('a task from preparation to removal', () => {
    test('given a driver, when asked for the node, then name, platform and resources are told', async ({
      driver,
      run,
    }) => {
      const description = await run(driver.describe());
      expect(description.engine.driver).toBe(driver.name);
      expect(description.hostname.length > 0).toBe(true);
      expect(description.platform.os.length > 0 && description.platform.architecture.length > 0).toBe(true);
      expect(description.resources.cpus > 0 && description.resources.memoryBytes > 0).toBe(true);
    });

    test('given a handle alone, when nothing is asked of it, then nothing is made', async ({
      driver,
      machine,
      task,
    }) => {
      const handle = task({ kind: 'runs' });
      driver.runtime(handle);
      expect(await machine.alive(handle)).toBe(0);
      expect(await machine.leftovers()).toEqual([]);
    });

    test('given a task, when prepared, started, stopped and removed, then it runs from start to stop and leaves nothing', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      const runtime = driver.runtime(task);
      await run(runtime.prepare({ signal }));
      expect(await machine.alive(task)).toBe(0);
      const status = await run(runtime.start({ signal }));
      expect(status.id.length > 0).toBe(true);
      expect(await machine.alive(task)).toBe(1);
      const ended = runtime.wait({ signal });
      await run(runtime.stop({ graceMs: 60_000, signal }));
      expect(await machine.alive(task)).toBe(0);
      const exit = await run(ended);
      expect(exit.exitCode >= 0 && exit.exitCode <= 255).toBe(true);
      await run(runtime.remove({ signal }));
      expect(await machine.leftovers()).toEqual([]);
    });

    test('given a task prepared and started, when both are asked for again, then it is the same one runtime', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      const runtime = driver.runtime(task);
      await run(Promise.all([runtime.prepare({ signal }), runtime.prepare({ signal })]));
      const [first, second] = await run(Promise.all([runtime.start({ signal }), runtime.start({ signal })]));
      const other = driver.runtime(task);
      await run(other.prepare({ signal }));
      const third = await run(other.start({ signal }));
      expect(second).toEqual(first);
      expect(third).toEqual(first);
      expect(await machine.alive(task)).toBe(1);
    });

    test('given tasks that end by themselves, when waited for, then each tells its code, again when asked again', async (scene) => {
      const { driver, signal, run } = scene;
      for (const code of [0, 3, 255]) {
        const task = scene.task({ kind: 'exits', code });
        await scene.started(task);
        const runtime = driver.runtime(task);
        expect((await run(runtime.wait({ signal }))).exitCode).toBe(code);
        expect((await run(runtime.wait({ signal }))).exitCode).toBe(code);
      }
    });

    test('given a task that has ended, when started again, then it is not run again', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'exits-when-told', code: 4, stdout: ['once'] });
      const id = await scene.started(task);
      await machine.tell(task);
      const runtime = driver.runtime(task);
      expect((await run(runtime.wait({ signal }))).exitCode).toBe(4);
      await run(runtime.prepare({ signal }));
      expect((await run(runtime.start({ signal }))).id).toBe(id);
      expect(await machine.alive(task)).toBe(0);
      expect((await run(runtime.wait({ signal }))).exitCode).toBe(4);
    });

    test('given a running task, when somebody kills it, then wait tells 137 and the signal', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      await scene.started(task);
      const ended = driver.runtime(task).wait({ signal });
      await machine.kill(task);
      const exit = await run(ended);
      expect(exit.exitCode).toBe(137);
      expect(exit.signal).toBe('SIGKILL');
    });

    test('given a running task, when removed, then it is stopped first, and removing again succeeds', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      await scene.started(task);
      const runtime = driver.runtime(task);
      await run(runtime.remove({ signal }));
      expect(await machine.alive(task)).toBe(0);
      expect(await machine.leftovers()).toEqual([]);
      await run(runtime.remove({ signal }));
    });

    test('given a task that was never made, when removed or stopped, then that succeeds and leaves nothing', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const runtime = driver.runtime(scene.task({ kind: 'runs' }));
      await run(runtime.stop({ graceMs: 1_000, signal }));
      await run(runtime.remove({ signal }));
      expect(await machine.leftovers()).toEqual([]);
    });

    test('given several tasks at once, when one is removed, then the others run on', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const tasks = Array.from({ length: 5 }, () => scene.task({ kind: 'runs' }));
      await run(Promise.all(tasks.map((task) => driver.runtime(task).prepare({ signal }))));
      const statuses = await run(Promise.all(tasks.map((task) => driver.runtime(task).start({ signal }))));
      expect(new Set(statuses.map((status) => status.id)).size).toBe(tasks.length);
      const [first, ...others] = tasks;
      if (first) await run(driver.runtime(first).remove({ signal }));
      expect(await Promise.all(others.map((task) => machine.alive(task)))).toEqual([1, 1, 1, 1]);
      await run(Promise.all(others.map((task) => driver.runtime(task).remove({ signal }))));
      expect(await machine.leftovers()).toEqual([]);
    });

    test('given two tasks that listen on the same target, when started, then each is told a port of its own', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const ports = [
        { target: 80, protocol: 'tcp', mode: 'ingress', published: 30_080 },
        { target: 81, protocol: 'tcp', mode: 'ingress', published: 30_081 },
      ] as const;
      const tasks = [scene.task({ kind: 'runs' }, { ports }), scene.task({ kind: 'runs' }, { ports })];
      const told: number[] = [];
      for (const task of tasks) {
        await run(driver.runtime(task).prepare({ signal }));
        const status = await run(driver.runtime(task).start({ signal }));
        expect(status.ports.map((port) => port.target)).toEqual([80, 81]);
        told.push(...status.ports.map((port) => port.port));
      }
      expect(new Set(told).size).toBe(4);
      if (!machine.freePort) return;
      const published = await machine.freePort();
      const hostMode = scene.task(
        { kind: 'runs' },
        { ports: [{ target: 82, protocol: 'tcp', mode: 'host', published }] },
      );
      await run(driver.runtime(hostMode).prepare({ signal }));
      const status = await run(driver.runtime(hostMode).start({ signal }));
      expect(status.ports).toEqual([{ target: 82, protocol: 'tcp', port: published }]);
    });
  });
}
