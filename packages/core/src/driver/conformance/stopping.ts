/** The promises about ending a task, and about the signals by which a caller gives up. */

import { type DriverTestApi, type SceneTest, startStubborn } from './harness.ts';

/** Registers the tests of stop and of abort signals. */
export function describeStopping({ describe, expect }: DriverTestApi, test: SceneTest): void {
  describe('stopping', () => {
    test('given a task that heeds the stop signal, when stopped, then its grace is not waited out', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      await scene.started(task);
      // Waiting an hour of grace out would run into the test's own time limit.
      await run(driver.runtime(task).stop({ graceMs: 3_600_000, signal }));
      expect(await machine.alive(task)).toBe(0);
    });

    test('given a task that ignores the stop signal, when its grace is over, then it is killed', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = await startStubborn(scene);
      const runtime = driver.runtime(task);
      await run(runtime.stop({ graceMs: 150, signal }));
      expect(await machine.alive(task)).toBe(0);
      expect((await run(runtime.wait({ signal }))).exitCode).toBe(137);
    });

    test('given a task, when stopped twice at once and again after its end, then all succeed', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      await scene.started(task);
      const runtime = driver.runtime(task);
      const stop = () => runtime.stop({ graceMs: 10_000, signal });
      await run(Promise.all([stop(), stop()]));
      await run(stop());
      expect(await machine.alive(task)).toBe(0);
    });

    test('given a task that was prepared only, when stopped, then that succeeds and it never runs', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = scene.task({ kind: 'runs' });
      const runtime = driver.runtime(task);
      await run(runtime.prepare({ signal }));
      await run(runtime.stop({ graceMs: 1_000, signal }));
      expect(await machine.alive(task)).toBe(0);
      await run(runtime.remove({ signal }));
      expect(await machine.leftovers()).toEqual([]);
    });

    test('given a running task, when its waiter gives up, then the wait rejects and the task runs on', async (scene) => {
      const { driver, machine } = scene;
      const task = scene.task({ kind: 'runs' });
      await scene.started(task);
      const giveUp = new AbortController();
      const ended = driver.runtime(task).wait({ signal: giveUp.signal });
      giveUp.abort(new Error('changed my mind'));
      await scene.rejection(ended);
      expect(await machine.alive(task)).toBe(1);
    });

    test('given a task in its grace, when the stopper gives up, then the stop rejects, and a later one ends it', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const task = await startStubborn(scene);
      const runtime = driver.runtime(task);
      const giveUp = new AbortController();
      const stopping = runtime.stop({ graceMs: 3_600_000, signal: giveUp.signal });
      giveUp.abort(new Error('changed my mind'));
      await scene.rejection(stopping);
      expect(await machine.alive(task)).toBe(1);
      await run(runtime.stop({ graceMs: 0, signal }));
      expect(await machine.alive(task)).toBe(0);
    });

    test('given a signal that has aborted already, when any step is asked for, then it rejects and does nothing', async (scene) => {
      const { driver, machine, signal, run } = scene;
      const aborted = AbortSignal.abort(new Error('too late'));
      const unmade = scene.task({ kind: 'runs' });
      await scene.rejection(driver.runtime(unmade).prepare({ signal: aborted }));
      expect(await machine.leftovers()).toEqual([]);
      const task = scene.task({ kind: 'runs' });
      const runtime = driver.runtime(task);
      await run(runtime.prepare({ signal }));
      await scene.rejection(runtime.start({ signal: aborted }));
      expect(await machine.alive(task)).toBe(0);
      await run(runtime.start({ signal }));
      await scene.rejection(runtime.stop({ graceMs: 0, signal: aborted }));
      await scene.rejection(runtime.wait({ signal: aborted }));
      await scene.rejection(runtime.remove({ signal: aborted }));
      await scene.rejection(driver.discard(task.id, { signal: aborted }));
      expect(await machine.alive(task)).toBe(1);
    });
  });
}
